"""PostgreSQL as a source: Arrow batches by its binary COPY, so that no value becomes a text on the way."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, NoReturn

import pyarrow as pa

from tasks.config import Scalar
from tasks.core.placeholders import literal_of
from tasks.core.postgresql import CURES, full_address, say_error
from tasks.ingest.sql.batches import Decimals, check_time, refuse_doubles, refuse_type, set_column
from tasks.ingest.sql.database import Database, fail

# A connection that was cut is noticed within a minute and a half, also while the server is busy with the query.
_ALIVE = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "90000",
    "options": "-c default_transaction_read_only=on -c standard_conforming_strings=on -c TimeZone=UTC",
}
_BATCH, _BATCH_BYTES = "adbc.postgresql.batch_size_hint_bytes", 8 * 2**20
_BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_MAY_PASS_BY_NUMBER = ("08", "57P0", "40001", "40P01", "53300", "55P03")
_MAY_PASS = re.compile(
    r"refused|timed? ?out|starting up|not yet accepting|shutting down|in recovery|recovery mode|connection slots|too many|closed|lost|reset|"
    r"unreachable|broken|could not (?:translate|receive|send)|terminat|EOF detected|serialize|deadlock|conflict with recovery|"
    r"no connection to the server"
)
_BY_NUMBER = CURES | {
    "42P01": "correct the name of the table, or name its schema",
    "42703": "correct the name of the column",
    "57014": "raise timeout, or ask for less with each partition",
    "25006": "nothing is written in a source: write one SELECT",
}
_PLAIN = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "char", "uuid", "json"}
    | {"jsonb", "bytea"}
)
"""Types whose values the driver gives as they are."""
_TIMES = frozenset({"date", "time", "timestamp", "timestamptz"})
_TYPE, _MEASURE = b"POSTGRESQL:type", b"POSTGRESQL:typmod"
_CASTS = {"interval": "extract(epoch FROM {})", "money": "{}::numeric", "oid": "{}::bigint"}


class Postgresql(Database):
    """A database of PostgreSQL, or of what speaks as it does."""

    def __init__(self, address: str, password: str | None) -> None:
        self._address, self._password = address, password
        self._cursor: Any = None
        self._lock = threading.Lock()

    def read(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query, all of one snapshot."""
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - an extra

        try:
            with closing(dbapi.connect(full_address(self._address, self._password, **_ALIVE))) as connection:
                with self._lock:
                    self._cursor = connection.cursor()
                if self.is_cancelled:
                    return
                self._cursor.adbc_statement.set_options(**{_BATCH: str(_BATCH_BYTES)})
                self._cursor.execute(_BEGIN)
                self._cursor.execute(query)
                reader = self._cursor.fetch_record_batch()
                refuse_doubles(reader.schema.names)
                columns = _Columns(reader.schema)
                is_empty = True
                for batch in reader:
                    yield columns.plain(batch)
                    is_empty = False
                if is_empty:
                    yield columns.plain(pa.RecordBatch.from_pylist([], reader.schema))
        except (dbapi.Error, OSError, pa.ArrowException) as error:
            self._explain(error)
        finally:
            with self._lock:
                self._cursor = None

    def cancel(self) -> None:
        """End the query that is read."""
        with self._lock, suppress(Exception):
            self.is_cancelled = True
            if self._cursor is not None:
                self._cursor.adbc_cancel()

    def literal(self, value: Scalar) -> str:
        """Return a value as a text without a type, which PostgreSQL takes for the type of the column."""
        return literal_of(value if isinstance(value, str) else repr(value))

    def _explain(self, error: BaseException) -> NoReturn:
        said, number = say_error(error, self._password), getattr(error, "sqlstate", None)
        if number is not None:
            passes = number.startswith(_MAY_PASS_BY_NUMBER)
            cure = "run again" if passes else _BY_NUMBER.get(number, "correct the query, or ask who runs the database")
            fail(f"{self._address}: {said}", cure, may_pass=passes)
        if "canceling statement" in said:
            fail(f"{self._address}: {said}", _BY_NUMBER["57014"], may_pass=False)
        if "read-only transaction" in said:
            fail(f"{self._address}: {said}", _BY_NUMBER["25006"], may_pass=False)
        passes = _MAY_PASS.search(said) is not None
        if said.startswith("Failed to connect"):
            cure = "see that the address, the user and the password are right, and that the server answers"
        elif "ReadRecord" in said:
            cure = "cast values of rows of types in the query, e.g. to_json(column)"
        else:
            cure = "run again" if passes else "correct the query, or ask who runs the database"
        fail(f"{self._address}: {said}", cure, may_pass=passes)


class _Columns:
    """The columns of a query, and what each becomes: those that the driver does not give as they are, are refused."""

    def __init__(self, schema: pa.Schema) -> None:
        self._types = [(field.metadata or {}).get(_TYPE, b"").decode() for field in schema]
        self._decimals: dict[int, Decimals] = {}
        for place, (field, kind) in enumerate(zip(schema, self._types, strict=True)):
            if kind == "numeric":
                self._decimals[place] = Decimals(field.name, _measure(field))
            elif kind not in _PLAIN | _TIMES and not (pa.types.is_string(field.type) and _is_enum(field)):
                refuse_type(
                    field.name, _name_of(kind), _CASTS.get(kind, "to_json({})" if kind[:1] == "_" else "{}::text")
                )

    def plain(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with exact decimals in place of their texts."""
        for place, kind in enumerate(self._types):
            if place in self._decimals:
                batch = set_column(batch, place, self._decimals[place].read(batch.column(place).storage))
            elif kind in _TIMES:
                check_time(batch.schema.field(place).name, batch.column(place))
        return batch.replace_schema_metadata(None)


def _name_of(kind: str) -> str:
    """Return what a type is called: the driver has no name for some."""
    return f"an array of {kind[1:]}" if kind.startswith("_") else f"of the type {kind.partition('<')[0]}"


def _is_enum(field: pa.Field) -> bool:
    """Return whether a column without a type that is known has texts: the driver gives those of enums alone."""
    return not isinstance(field.type, pa.BaseExtensionType)


def _measure(field: pa.Field) -> tuple[int, int] | None:
    """Return how many digits are declared of a numeric column, and how many of them stand behind the point; None where nothing is."""
    number = int((field.metadata or {}).get(_MEASURE, b"-1")) - 4
    if number < 0:
        return None
    digits, scale = number >> 16 & 0xFFFF, number & 0x7FF
    scale -= 2 * (scale & 0x400)  # a number of 11 bits, with its sign
    return (digits - min(scale, 0), max(scale, 0)) if scale <= digits else (scale, scale)
