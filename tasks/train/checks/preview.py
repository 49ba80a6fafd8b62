"""What a training would be refused for, seen in the tables that are there before a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from tasks.config import QueryLimits, Training
from tasks.core.errors import LateQueryError, TrainingError
from tasks.core.escaping import count
from tasks.core.scratch import scratch
from tasks.core.sql import bounded, explained, opened_tables, plain_column
from tasks.train.checks.target import examine_target, find_column_mistakes
from tasks.train.data.features import columns_of
from tasks.train.data.query import LIMITS_AT, PLAIN_TYPES, as_plain
from tasks.train.data.split import split_rows
from tasks.train.data.training_set import MIN_ROWS

_TIME_S = 20.0  # a query that takes longer is left to the run
_KEY = "training.query"


def find_row_mistakes(training: Training, tables: Mapping[str, Path], *, is_rowless: bool = False) -> list[str]:
    """Return one sentence for each mistake that the tables show.

    Args:
        training: The training section, whose query is one SELECT.
        tables: Folder of each table that its query names, by name, and of others that are there.
        is_rowless: Whether of one that it names the columns alone are known.

    """
    limits = training.query_limits.model_copy(update={"time_limit_s": min(_TIME_S, training.query_limits.time_limit_s)})
    with scratch("check") as spill:
        try:
            return _examine(training, tables, spill, limits, is_rowless=is_rowless)
        except LateQueryError:
            return []
        except TrainingError as error:
            return str(error).split("\n")


def _examine(
    training: Training, tables: Mapping[str, Path], spill: Path, limits: QueryLimits, *, is_rowless: bool
) -> list[str]:
    with (
        opened_tables(tables, spill, limits) as connection,
        explained(_KEY, tables, LIMITS_AT),
        bounded(connection, _KEY, limits, LIMITS_AT, None),
    ):
        result = connection.sql(training.query)
        columns = dict(zip(result.columns, map(str, result.types), strict=True))
        mistakes = _foreign_columns(columns)
        there = [name for name in _named(training) if name in columns] or list(columns)[:1]
        named = [name for name in there if plain_column(name, columns[name], PLAIN_TYPES)]
        if len(named) < len(there) or is_rowless:
            return [*mistakes, *find_column_mistakes(training, list(columns))]
        table = result.project(", ".join(as_plain(name, columns[name]) for name in named)).to_arrow_table()
    return [*mistakes, *_examine_rows(training, list(columns), table)]


def _named(training: Training) -> list[str]:
    return list(
        dict.fromkeys([training.target, *columns_of(training.split), *([training.weights] if training.weights else [])])
    )


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
        told = f"gives {count(table.num_rows, 'row')} of the tables that are there, and training needs {MIN_ROWS}"
        return [f"{_KEY}: {told}; widen the query or fill its tables"]
    target, mistakes = examine_target(training, columns, table)
    if target is not None and not mistakes and training.sample_rows is None:
        split_rows(training, table, target.task)
    return mistakes
