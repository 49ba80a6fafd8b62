"""The pipeline file as frozen pydantic models, and how it is read."""

from tasks.spec.auth import ApiKeyAuth, Auth, BasicAuth, BearerAuth, OAuth2Auth, secret_references
from tasks.spec.base import Scalar, write_duration
from tasks.spec.checks import Allowed, Check, Fresh, InRange, Matches, MinRows, NotNull, Unique
from tasks.spec.columns import Column, ColumnType, PagesColumn, PartitionValues, Range
from tasks.spec.incremental import Incremental
from tasks.spec.load import load_pipeline, read_pipeline
from tasks.spec.pagination import (
    CursorPagination,
    LinkHeaderPagination,
    NextUrlPagination,
    OffsetPagination,
    PagePagination,
    SinglePagination,
)
from tasks.spec.pipeline import Pipeline
from tasks.spec.reading import Reading
from tasks.spec.requests import Refresh, Requests
from tasks.spec.secrets import SecretReference
from tasks.spec.sources import ApiSource, FilesSource, PagesSource, Source
from tasks.spec.tables import TableOptions
from tasks.spec.training import (
    Between,
    Candidate,
    DaskRunner,
    GridSearch,
    GroupSplit,
    Label,
    Preprocessing,
    ProcessesRunner,
    Promotion,
    QueryLimits,
    RandomSearch,
    RandomSplit,
    Runner,
    Search,
    Split,
    TimeSplit,
    Training,
    write_label,
)

__all__ = [
    "Allowed",
    "ApiKeyAuth",
    "ApiSource",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Between",
    "Candidate",
    "Check",
    "Column",
    "ColumnType",
    "CursorPagination",
    "DaskRunner",
    "FilesSource",
    "Fresh",
    "GridSearch",
    "GroupSplit",
    "InRange",
    "Incremental",
    "Label",
    "LinkHeaderPagination",
    "Matches",
    "MinRows",
    "NextUrlPagination",
    "NotNull",
    "OAuth2Auth",
    "OffsetPagination",
    "PagePagination",
    "PagesColumn",
    "PagesSource",
    "PartitionValues",
    "Pipeline",
    "Preprocessing",
    "ProcessesRunner",
    "Promotion",
    "QueryLimits",
    "RandomSearch",
    "RandomSplit",
    "Range",
    "Reading",
    "Refresh",
    "Requests",
    "Runner",
    "Scalar",
    "Search",
    "SecretReference",
    "SinglePagination",
    "Source",
    "Split",
    "TableOptions",
    "TimeSplit",
    "Training",
    "Unique",
    "load_pipeline",
    "read_pipeline",
    "secret_references",
    "write_duration",
    "write_label",
]
