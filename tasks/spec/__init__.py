"""The pipeline file as frozen pydantic models, and how it is read."""

from tasks.spec.load import load_pipeline, read_pipeline
from tasks.spec.pipeline import Pipeline
from tasks.spec.secrets import SecretReference
from tasks.spec.sources import (
    ApiSource,
    BearerAuth,
    Column,
    FilesSource,
    PagePagination,
    PagesColumn,
    PagesSource,
    SinglePagination,
    Source,
)
from tasks.spec.training import Candidate, RandomSplit, Split, TimeSplit, Training

__all__ = [
    "ApiSource",
    "BearerAuth",
    "Candidate",
    "Column",
    "FilesSource",
    "PagePagination",
    "PagesColumn",
    "PagesSource",
    "Pipeline",
    "RandomSplit",
    "SecretReference",
    "SinglePagination",
    "Source",
    "Split",
    "TimeSplit",
    "Training",
    "load_pipeline",
    "read_pipeline",
]
