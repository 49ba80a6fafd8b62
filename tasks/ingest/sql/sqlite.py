"""SQLite as a source: a file of it, whose columns have the types of their values, batch by batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, NoReturn
from urllib.parse import quote

import pyarrow as pa

from tasks.ingest.sql.batches import refuse_doubles
from tasks.ingest.sql.database import FileDatabase, fail

BATCH_ROWS = 65_536
_WAITS_S = 30.0  # for one that writes
_EXACT_IN_FLOAT = 2**53
_MAY_PASS = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"})


class Sqlite(FileDatabase):
    """A file of SQLite."""

    def read(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query, all of one snapshot."""
        address = f"file:{quote(str(self._path))}?mode=ro"
        try:
            with (
                closing(sqlite3.connect(address, uri=True, timeout=_WAITS_S, check_same_thread=False)) as connection,
                self._reading(connection),
            ):
                if self.is_cancelled:
                    return
                cursor = connection.execute(query)
                names = [name for name, *_ in cursor.description]
                refuse_doubles(names)
                rows = cursor.fetchmany(BATCH_ROWS)
                yield _batch(names, rows)
                while rows := cursor.fetchmany(BATCH_ROWS):
                    yield _batch(names, rows)
        except (sqlite3.Error, sqlite3.Warning) as error:
            self._explain(error)

    def _explain(self, error: Exception) -> NoReturn:
        name = getattr(error, "sqlite_errorname", "").split("_")
        passes = "_".join(name[:2]) in _MAY_PASS
        cure = "run again when nobody writes to it" if passes else "correct the query, or database"
        fail(f"{self._path}: {error}", cure, may_pass=passes)


def _batch(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.RecordBatch.from_arrays([_column(values) for values in columns], list(names))


def _column(values: Sequence[Any]) -> pa.Array:
    """Return the values of a column, of which each may have a type of its own, as a type that holds all of them."""
    kinds = {*map(type, values)} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {int, float} and all(abs(value) <= _EXACT_IN_FLOAT for value in values if type(value) is int):
        return pa.array(values, pa.float64())
    kind = _TYPES[kinds.pop()] if len(kinds) == 1 else None
    return pa.array(values, kind) if kind is not None else pa.array([*map(_as_text, values)], pa.string())


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return value if value is None or isinstance(value, str) else repr(value)


_TYPES: dict[Callable[..., Any], pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
}
