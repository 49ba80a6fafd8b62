"""The pipeline file as frozen pydantic models, and how it is read."""

from tasks.config.alerts import Alert, AlertKind
from tasks.config.auth import Auth, SecretReference, secret_references
from tasks.config.base import Scalar, write_duration
from tasks.config.checks import Check
from tasks.config.columns import Column, ColumnType, PagesColumn
from tasks.config.dates import Dates
from tasks.config.decision import Cost, DecisionRule
from tasks.config.ensembles import Stack, Vote
from tasks.config.exports import Export
from tasks.config.files import Reading
from tasks.config.http import Refresh, Requests
from tasks.config.incremental import Incremental
from tasks.config.labels import Label, write_label
from tasks.config.limit import Limit
from tasks.config.load import examine_pipeline, list_pipeline_files, load_pipeline, read_pipeline
from tasks.config.pages import PagesSource, Render
from tasks.config.pagination import SinglePagination
from tasks.config.parents import Child, Parent
from tasks.config.partitions import PartitionValues, Range
from tasks.config.pipeline import Pipeline
from tasks.config.privacy import Privacy
from tasks.config.runners import Runner
from tasks.config.sources import ApiSource, ElementsSource, FilesSource, PartedSource, Source
from tasks.config.sql import SqlIncremental, SqlSource
from tasks.config.tabled import TableOptions
from tasks.config.tables import MadeTable
from tasks.config.tls import Tls
from tasks.config.training import (
    AnyCandidate,
    Between,
    Candidate,
    EarlyStopping,
    GridSearch,
    GroupSplit,
    OwnSplit,
    Preprocessing,
    Promotion,
    QueryLimits,
    RandomSearch,
    RandomSplit,
    Search,
    Split,
    TimeSplit,
    Training,
    Transformer,
)
from tasks.config.truth import Truth

__all__ = [
    "Alert",
    "AlertKind",
    "AnyCandidate",
    "ApiSource",
    "Auth",
    "Between",
    "Candidate",
    "Check",
    "Child",
    "Column",
    "ColumnType",
    "Cost",
    "Dates",
    "DecisionRule",
    "EarlyStopping",
    "ElementsSource",
    "Export",
    "FilesSource",
    "GridSearch",
    "GroupSplit",
    "Incremental",
    "Label",
    "Limit",
    "MadeTable",
    "OwnSplit",
    "PagesColumn",
    "PagesSource",
    "Parent",
    "PartedSource",
    "PartitionValues",
    "Pipeline",
    "Preprocessing",
    "Privacy",
    "Promotion",
    "QueryLimits",
    "RandomSearch",
    "RandomSplit",
    "Range",
    "Reading",
    "Refresh",
    "Render",
    "Requests",
    "Runner",
    "Scalar",
    "Search",
    "SecretReference",
    "SinglePagination",
    "Source",
    "Split",
    "SqlIncremental",
    "SqlSource",
    "Stack",
    "TableOptions",
    "TimeSplit",
    "Tls",
    "Training",
    "Transformer",
    "Truth",
    "Vote",
    "examine_pipeline",
    "list_pipeline_files",
    "load_pipeline",
    "read_pipeline",
    "secret_references",
    "write_duration",
    "write_label",
]
