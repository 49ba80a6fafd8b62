"""The rows of a table's parts, as DuckDB reads them in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from tasks.convert.check_sql import Condition, as_null, as_text
from tasks.convert.stored import StoredPart
from tasks.tables import files_as_sql, quote_name

MEMORY = "256MB"  # a key that does not fit goes to the disk
EXAMPLES = 5
SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class CheckedRows:
    """The rows of all parts, as DuckDB reads them."""

    connection: duckdb.DuckDBPyConnection

    def count(self) -> int:
        """Return how many rows there are."""
        return int(self.fetch("SELECT count(*) FROM rows")[0][0])

    def count_each(self, conditions: Sequence[Condition]) -> list[int]:
        """Return how many rows each condition holds of, in one scan."""
        if not conditions:
            return []
        counts = ", ".join(f"count(*) FILTER (WHERE {condition.sql})" for condition in conditions)
        values = [value for condition in conditions for value in condition.values]
        return list(self.fetch(f"SELECT {counts} FROM rows", values)[0])  # noqa: S608 - made of quoted names

    def examples(self, condition: Condition, shown: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the first rows that a condition holds of."""
        columns = ", ".join(as_text(name, SHOWN_CHARACTERS) for name in shown)
        query = f"SELECT {columns} FROM rows WHERE {condition.sql} LIMIT {EXAMPLES}"  # noqa: S608 - the same
        return self.fetch(query, condition.values)

    def fetch(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the result of a query, in which each ? stands for a value."""
        return self.connection.execute(query, list(values)).fetchall()


@contextmanager
def open_rows(parts: Sequence[StoredPart], types: Mapping[str, str]) -> Iterator[CheckedRows]:
    """Yield the rows of all parts, which have the same columns, as one table."""
    with TemporaryDirectory(prefix="tidemill-checks-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(config=config) as connection:
            connection.execute(f"CREATE TEMP VIEW rows AS {_select(parts, types)}")
            yield CheckedRows(connection)


def _select(parts: Sequence[StoredPart], types: Mapping[str, str]) -> str:
    """Return the query of all rows; a view takes no parameters, so its texts are quoted."""
    if parts and types:
        return f"FROM {files_as_sql(part.path for part in parts)}"
    none = ", ".join(f"{as_null(kind)} AS {quote_name(name)}" for name, kind in types.items())
    return f"SELECT {none or 1} WHERE false"
