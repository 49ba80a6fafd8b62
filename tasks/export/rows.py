"""The rows of a table, opened to be written elsewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tasks.config import QueryLimits
from tasks.core.sql import explained, opened_tables, stream_result
from tasks.core.tables import quote_name
from tasks.tables.query import plain_columns

BATCH_ROWS = 10_000
_NESTED = re.compile(r".*\[\d*\]|STRUCT.*|MAP.*|UNION.*")


@dataclass(frozen=True)
class Written:
    """A table as it was written: its rows, and what is to be told of its columns."""

    rows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableRows:
    """The rows of a table as a view of its name; `kinds` are the columns' types, as DuckDB calls them."""

    connection: duckdb.DuckDBPyConnection
    name: str
    number: int
    kinds: Mapping[str, str]

    def plain(self) -> dict[str, str]:
        """Return the SQL of each column in a type that tables have; of lists and structs that is a text, their JSON.

        Raises:
            TableError: a column is of a type that none becomes.

        """
        return plain_columns(self.connection, f"table {self.name}", f"FROM {quote_name(self.name)}")

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is to be told of columns that are written in another type."""
        nested = [name for name, kind in self.kinds.items() if _NESTED.fullmatch(kind)]
        return tuple(f"column {name} is {self.kinds[name]}, and is written as text, its JSON" for name in nested)

    def select(self, columns: Mapping[str, str]) -> str:
        """Return the SQL of all rows with these columns."""
        return f"SELECT {', '.join(columns.values())} FROM {quote_name(self.name)}"  # noqa: S608 - quoted

    def batches(self) -> pa.RecordBatchReader:
        """Return all rows in types that tables have, read as they are asked for."""
        return stream_result(self.connection, self.select(self.plain()), BATCH_ROWS)

    def scalars(self, expressions: Mapping[str, str]) -> dict[str, Any]:
        """Return what aggregates come to, by their names."""
        if not expressions:
            return {}
        query = f"SELECT {', '.join(expressions.values())} FROM {quote_name(self.name)}"  # noqa: S608 - quoted
        return dict(zip(expressions, self.connection.execute(query).fetchall()[0], strict=True))


@dataclass(frozen=True)
class TableSource:
    """A table to be written elsewhere: its name, its folder, and a folder for what does not fit in memory."""

    name: str
    folder: Path
    spill: Path

    @contextmanager
    def opened(self, output: Path | None = None) -> Iterator[TableRows]:
        """Yield the rows; DuckDB itself may write to `output`.

        Raises:
            QueryError: the table cannot be read.

        """
        views = {self.name: self.folder}
        try:
            with (
                opened_tables(views, self.spill, QueryLimits(), output=output) as connection,
                explained(f"table {self.name}", views, "training.query_limits"),
            ):
                quoted = quote_name(self.name)
                number = int(connection.execute(f"SELECT count(*) FROM {quoted}").fetchall()[0][0])  # noqa: S608 - quoted
                described = connection.execute(f"DESCRIBE FROM {quoted}").fetchall()
                yield TableRows(connection, self.name, number, {str(name): str(kind) for name, kind, *_ in described})
        finally:
            shutil.rmtree(self.spill, ignore_errors=True)
