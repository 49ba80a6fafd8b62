"""The rows of a table's parts, as DuckDB reads them in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from tasks.convert.check_sql import Condition, as_text, as_type, quote, quote_text
from tasks.convert.stored import NULL_FOLDER, StoredPart

MEMORY = "256MB"  # a key that does not fit goes to the disk
EXAMPLES = 5
SHOWN_CHARACTERS = 80

_GLOB = re.compile(r"[*?\[]")


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
    """Yield the rows of all parts as one table; columns that folders tell are added, in the type they have."""
    with TemporaryDirectory(prefix="tidemill-checks-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(config=config) as connection:
            pieces: dict[tuple[tuple[str, str], ...], list[str]] = {}
            for part in parts if types else ():
                pieces.setdefault(tuple(part.folders.items()), []).append(str(part.path))
            none = f"SELECT {', '.join(as_type(None, kind) + f' AS {quote(name)}' for name, kind in types.items())} WHERE false"
            selects = [_select(folders, paths, types) for folders, paths in pieces.items()]
            every = " UNION ALL BY NAME ".join(selects) or (none if types else "SELECT 1 WHERE false")
            connection.execute(f"CREATE TEMP VIEW rows AS {every}")
            yield CheckedRows(connection)


def _select(folders: Sequence[tuple[str, str]], paths: Sequence[str], types: Mapping[str, str]) -> str:
    """Return the query of the parts of one folder; a view takes no parameters, so its texts are quoted."""
    told = "".join(
        f", {as_type(None if text == NULL_FOLDER else text, types[name])} AS {quote(name)}"
        for name, text in folders
        if name in types
    )
    files = ", ".join(quote_text(_GLOB.sub(r"[\g<0>]", path)) for path in paths)
    return f"SELECT *{told} FROM read_parquet([{files}], hive_partitioning = false)"  # noqa: S608 - quoted
