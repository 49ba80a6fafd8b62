"""A table in a database of SQLite, within one transaction."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tasks.core.errors import ConfigError, ExportError
from tasks.core.escaping import count
from tasks.core.storage import commit
from tasks.core.tables import quote_name
from tasks.export.files import remove_leftovers
from tasks.export.rows import BATCH_ROWS, TableRows, TableSource, Written

_WAITS_S = 60.0  # for another that writes to the database
_EXACT_DIGITS = 15  # of a number that SQLite keeps as it was written
_TYPES = {
    r"BOOLEAN": ("BOOLEAN", "{}"),
    r"BIGINT": ("INTEGER", "{}"),
    r"DOUBLE": ("REAL", "{}"),
    r"DATE": ("DATE", "CAST({} AS VARCHAR)"),
    r"TIMESTAMP": ("TIMESTAMP", "CAST({} AS VARCHAR)"),
    r"TIMESTAMP WITH TIME ZONE": (
        "TIMESTAMP WITH TIME ZONE",
        "CAST({0} AS VARCHAR) || CASE WHEN isfinite({0}) THEN ':00' ELSE '' END",
    ),
    r"DECIMAL.*": ("", "CAST({} AS VARCHAR)"),
    r"VARCHAR": ("TEXT", "{}"),
}
"""What each type is called there, and the SQL of what is stored: times are texts of ISO 8601, in UTC where they have a zone."""
_CURES = {
    "not a database": "name another file, or remove it",
    "locked": "wait until the other that writes to it has ended",
    "full": "make room on its disk",
    "use DROP VIEW": "it is a view: name another table",
}


class SqliteTarget:
    """A table of a database file; its state is the text that made it, which has a mark of its own each time."""

    def __init__(self, file: Path, table: str) -> None:
        self._file, self._table = file, table

    @property
    def place(self) -> str:
        """Return what the target is called."""
        return f"table {self._table} in {self._file}"

    def state(self) -> str | None:
        """Return the state of the table; None where none is there.

        Raises:
            ExportError: the file is no database.

        """
        if not self._file.exists():
            return None
        with self._opened(self._file) as connection:
            return self._state_in(connection)

    def write(self, source: TableSource, promise: Callable[[str], None]) -> Written:
        """Write the table, and what else the database has stays; `promise` is told the state before it is there.

        Raises:
            ConfigError: SQLite does not hold the table.
            ExportError: the database cannot be written.
            QueryError: the table cannot be read.

        """
        if self._file.exists():
            with self._opened(self._file) as connection:
                return self._fill(connection, source, promise)
        remove_leftovers(self._file)
        with commit(self._file) as part, self._opened(part) as connection:
            connection.execute("PRAGMA journal_mode = OFF")  # the file itself is given up
            return self._fill(connection, source, promise)

    def _fill(self, connection: sqlite3.Connection, source: TableSource, promise: Callable[[str], None]) -> Written:
        name = quote_name(self._table)
        with source.opened() as rows:
            columns = rows.plain()
            declared, stored = _as_stored(rows, columns)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"CREATE TABLE {name} (/* {uuid.uuid4().hex} */ {', '.join(declared)})")
            insert = f"INSERT INTO {name} VALUES ({', '.join('?' * len(declared))})"  # noqa: S608 - quoted
            result = rows.connection.execute(f"SELECT {', '.join(stored)} FROM ({rows.select(columns)})")  # noqa: S608 - quoted
            while batch := result.fetchmany(BATCH_ROWS):
                connection.executemany(insert, batch)
            promise(str(self._state_in(connection)))
            connection.execute("COMMIT")
        return Written(rows.number, (*rows.notes, *_notes(rows)))

    def _state_in(self, connection: sqlite3.Connection) -> str | None:
        found = connection.execute(
            "SELECT sql FROM sqlite_master WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", [self._table]
        ).fetchone()
        return None if found is None else str(found[0])

    @contextmanager
    def _opened(self, file: Path) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(file, timeout=_WAITS_S, isolation_level=None)) as connection:
                yield connection
        except sqlite3.Error as error:
            cure = next((cure for said, cure in _CURES.items() if said in str(error)), "see what holds it")
            raise ExportError(f"{self.place} cannot be written: {error}; {cure}") from None


def _as_stored(rows: TableRows, columns: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return how each column is declared, and the SQL of its values.

    Raises:
        ConfigError: a column has NaN, of which SQLite makes null.

    """
    kinds = {
        str(name): str(kind)
        for name, kind, *_ in rows.connection.execute(f"DESCRIBE {rows.select(columns)}").fetchall()
    }
    counted = {n: f"count(*) FILTER (isnan({quote_name(n)}))" for n, kind in kinds.items() if kind == "DOUBLE"}
    for name, number in rows.scalars(counted).items():
        if number:
            raise ConfigError(
                f"column {name} of table {rows.name} has NaN in {count(number, 'row')}, of which SQLite makes null; "
                f"write nullif({name}, 'nan') in the query of a table, or write .parquet"
            )
    declared, stored = [], []
    for name, kind in kinds.items():
        called, expression = next(found for pattern, found in _TYPES.items() if re.fullmatch(pattern, kind))
        declared.append(f"{quote_name(name)} {called or _decimal(kind)}")
        stored.append(expression.format(quote_name(name)))
    return declared, stored


def _notes(rows: TableRows) -> Iterator[str]:
    """Yield what is to be told of decimals that are texts."""
    for name, kind in rows.kinds.items():
        if kind.startswith("DECIMAL") and _decimal(kind) == "TEXT":
            yield f"column {name} is {kind}, and is written as text: SQLite keeps {_EXACT_DIGITS} digits of a number"


def _decimal(kind: str) -> str:
    """Return what a decimal is called: a text where it has more digits than SQLite keeps of a number."""
    digits = int(kind.partition("(")[2].partition(",")[0])
    return kind if digits <= _EXACT_DIGITS else "TEXT"
