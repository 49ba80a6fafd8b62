"""What a training would be refused for, seen in the tables that are there before a run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from tasks.config import GroupSplit, QueryLimits, TimeSplit, Training
from tasks.core.errors import LateQueryError, TrainingError
from tasks.core.sql import bounded, explained, opened_tables
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import is_table
from tasks.train.checks.target import examine_target
from tasks.train.data.query import LIMITS_AT, as_plain
from tasks.train.data.split import split_rows
from tasks.train.data.training_set import MIN_ROWS

_TIME_S = 20.0  # a query that takes longer is left to the run
_KEY = "training.query"


def find_table_mistakes(training: Training, tables: Mapping[str, Path]) -> list[str]:
    """Return one sentence for each mistake that the tables show; of tables that are not there yet, nothing is known.

    Args:
        training: The training section, in which nothing else is wrong.
        tables: Folder of each table that the pipeline makes, by name.

    """
    limits = training.query_limits.model_copy(update={"time_limit_s": min(_TIME_S, training.query_limits.time_limit_s)})
    with tempfile.TemporaryDirectory(prefix="tidemill-check-") as spill:
        try:
            return _examine(training, tables, Path(spill), limits)
        except LateQueryError:
            return []
        except TrainingError as error:
            return str(error).split("\n")


def _examine(training: Training, tables: Mapping[str, Path], spill: Path, limits: QueryLimits) -> list[str]:
    with opened_tables(tables, spill, limits) as connection:
        unknown, waiting = _unready(connection, training.query, tables)
        if unknown or waiting:
            return unknown
        with explained(_KEY, tables, LIMITS_AT), bounded(connection, _KEY, limits, LIMITS_AT, None):
            result = connection.sql(training.query)
            columns = dict(zip(result.columns, map(str, result.types), strict=True))
            mistakes = _foreign_columns(columns)
            if mistakes:
                return mistakes
            named = [name for name in _named(training) if name in columns] or list(columns)[:1]
            table = result.project(", ".join(as_plain(name, columns[name]) for name in named)).to_arrow_table()
    return _examine_rows(training, list(columns), table)


def _unready(
    connection: duckdb.DuckDBPyConnection, query: str, tables: Mapping[str, Path]
) -> tuple[list[str], list[str]]:
    """Return a sentence for each table that the pipeline does not make, and the tables that are not there yet."""
    known = {name.casefold(): name for name in tables}
    unknown: list[str] = []
    waiting = [name for name, folder in tables.items() if not is_table(folder)]
    with suppress(duckdb.Error):  # of what it cannot read: the query itself will tell
        used = sorted(connection.get_table_names(query))
        unknown = [
            f"{_KEY}: the pipeline makes no table {name!r}; {did_you_mean(name, sorted(tables))}"
            for name in used
            if name.casefold() not in known
        ]
        waiting = [name for name in waiting if name.casefold() in {each.casefold() for each in used}]
    return unknown, waiting


def _named(training: Training) -> list[str]:
    split = training.split
    return [training.target, *([split.column] if isinstance(split, TimeSplit | GroupSplit) else [])]


def _foreign_columns(columns: Mapping[str, str]) -> list[str]:
    mistakes = []
    for name, kind in columns.items():
        try:
            as_plain(name, kind)
        except TrainingError as error:
            mistakes.append(str(error))
    return mistakes


def _examine_rows(training: Training, columns: list[str], table: pa.Table) -> list[str]:
    if table.num_rows < MIN_ROWS:
        told = f"gives {table.num_rows} rows of the tables that are there, and training needs {MIN_ROWS}"
        return [f"{_KEY}: {told}; widen the query or fill its tables"]
    target, mistakes = examine_target(training, columns, table)
    if target is not None and not mistakes and training.sample_rows is None:
        split_rows(training, table, target.task)
    return mistakes
