"""DuckDB as a source: a file of it, opened to be read alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import duckdb
import pyarrow as pa

from tasks.core.sql import explain_sql, stream_result
from tasks.ingest.sql.batches import check_time, refuse_doubles, refuse_type
from tasks.ingest.sql.database import FileDatabase, fail

BATCH_ROWS = 131_072
_SETTINGS = ("TimeZone = 'UTC'", "enable_external_access = false", "lock_configuration = true")
_IN_USE = "Could not set lock"
_REFUSED = {
    "INTERVAL": "epoch({})",
    "TIMETZ": "{}::VARCHAR",
    "TIME WITH TIME ZONE": "{}::VARCHAR",
    "BIT": "{}::VARCHAR",
    "BIGNUM": "{}::VARCHAR",
}


class Duckdb(FileDatabase):
    """A file of DuckDB."""

    def read(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query, in which no other file can be read."""
        try:
            with duckdb.connect(self._path, read_only=True) as connection, self._reading(connection):
                if self.is_cancelled:
                    return
                for setting in _SETTINGS:
                    connection.execute(f"SET {setting}")
                yield from _batches(connection, query)
        except duckdb.Error as error:
            self._explain(error)

    def _explain(self, error: duckdb.Error) -> NoReturn:
        said = explain_sql(error)
        if _IN_USE in str(error):
            fail(f"{self._path} is open elsewhere, to be written", "close it there, and run again", may_pass=True)
        fail(f"{self._path}: {said}", "correct the query, or database", may_pass=False)


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    described = connection.execute(f"DESCRIBE {query}").fetchall()
    refuse_doubles([name for name, *_ in described])
    for name, kind, *_ in described:
        if kind in _REFUSED:
            refuse_type(name, f"of the type {kind}", _REFUSED[kind])
    reader = stream_result(connection, query, BATCH_ROWS)
    is_empty = True
    for batch in reader:
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if pa.types.is_date32(field.type) or pa.types.is_timestamp(field.type):
                check_time(field.name, column)
        yield batch
        is_empty = False
    if is_empty:
        yield pa.RecordBatch.from_pylist([], reader.schema)
