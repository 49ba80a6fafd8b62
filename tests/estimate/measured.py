"""What conversions, functions and fits really take, each called in a process of its own that is forked from one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.isolation.client import run_isolated
from tasks.tables.function import call_function
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.job import CandidateJob
from tests.convert.conftest import files_source, make_table

_PRELOADED = ("pandas", "pyarrow.json", "pyarrow.csv", "tasks.tables.query", __name__)
_MIB = 2**20


def measure(function: str, *arguments: object) -> float:
    """Return the bytes that a call of a function of this module takes at its most, beside what is imported."""
    call = run_isolated(f"{__name__}:{function}", *arguments, time_s=60, preload=_PRELOADED)
    assert call.ended == "answered", call.outcome
    return call.memory_mb * _MIB


def convert(root: Path, declared: Mapping[str, Any]) -> None:
    """Make the table of the files of an inbox."""
    make_table(root, files_source(**declared))


def call(path: str, folder: Path, rows: Path) -> None:
    """Call a table's function with a table."""
    call_function(path, {"rows": folder}, "pandas", rows)


def fit(job: CandidateJob) -> None:
    """Fit a candidate on a fold, and score it."""
    assert evaluate_fold(job, 0).error is None
