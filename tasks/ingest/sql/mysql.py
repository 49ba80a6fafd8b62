"""MySQL and MariaDB as a source: rows from a cursor of the server, made Arrow batches of the types that the server declares."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Scalar
from tasks.core.errors import PermanentSourceError
from tasks.core.placeholders import literal_of
from tasks.core.redaction import HIDDEN
from tasks.ingest.sql.batches import Decimals, refuse_doubles, refuse_type
from tasks.ingest.sql.database import Database, fail

_PORT, _CONNECTS_S = 3306, 30
_CHUNK_ROWS, _BATCH_ROWS, _BATCH_BYTES = 1_024, 65_536, 8 * 2**20
# A connection that was cut is noticed within a minute and a half.
_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
_BEGIN = (
    "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', '')",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
"""So that a backslash in a literal is what is written here, a TIMESTAMP is UTC, and all rows are of one moment."""
_MAY_PASS = frozenset(
    {
        *(0, 2002, 2003, 2006, 2013, 1152, 1158, 1159, 1160, 1161, 1317, 1927),  # the connection was lost, or killed
        *(1040, 1203, 1226),  # too many connections
        *(1053, 1205, 1213, 1412),  # shutting down; another transaction, or statement, is in the way
    }
)
_SLOW = "raise the time that the server gives a statement, or ask for less with each partition"
_CURES = {
    1044: "grant the right to it, or name another user or database",
    1045: "correct the user or the password, or the place where it is held",
    1049: "make the database, or correct its name",
    1054: "correct the name of the column",
    1060: "give one of them another name, with AS",
    1130: "have the server let this host in",
    1142: "grant the right to it, or name another user",
    1143: "grant the right to it, or name another user",
    1146: "correct the name of the table, or name its database",
    1698: "correct the user or the password, or the place where it is held",
    1792: "nothing is written in a source: write one SELECT",
    1969: _SLOW,
    3024: _SLOW,
}
"""What to do, by the numbers of errors."""
_BINARY = 63
"""The character set of what is no text."""
_UNSIGNED = 32
_MOST_DIGITS = 38
_ZERO = r"^0000-|-00"


class Mysql(Database):
    """A database of MySQL or MariaDB."""

    def __init__(self, address: str, password: str | None) -> None:
        self._address, self._password = address, password
        self._open: tuple[int, socket.socket] | None = None
        self._lock = threading.Lock()

    def read(self, query: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query, all of one snapshot."""
        import pymysql  # noqa: PLC0415 - an extra

        try:
            connection, link = self._connect()
            with closing(connection):
                with self._lock:
                    self._open = connection.thread_id(), link
                if self.is_cancelled:
                    return
                for statement in _BEGIN:
                    connection.query(statement)
                yield from self._batches(connection, query)
        except pymysql.Error as error:
            self._explain(error)
        except OSError as error:
            cure = "see that the address is right, and that the server answers"
            fail(f"{self._address}: {error.strerror or error}", cure, may_pass=True)
        finally:
            with self._lock:
                self._open = None

    def cancel(self) -> None:
        """End the query that is read, by having the server end its connection."""
        self.is_cancelled = True
        with self._lock, suppress(Exception):
            if self._open is not None:
                number, link = self._open
                link.shutdown(socket.SHUT_RDWR)  # who reads, is told so even where the server is out of reach
                with closing(self._connect()[0]) as other:
                    other.query(f"KILL {number}")

    def name(self, name: str) -> str:
        """Return the name of a column, quoted as MySQL does whatever its mode is."""
        return f"`{name.replace('`', '``')}`"

    def placed(self, value: Scalar) -> str:
        """Return a value as a literal, in which a backslash is written as two."""
        return literal_of(value.replace("\\", "\\\\") if isinstance(value, str) else value)

    def literal(self, value: Scalar) -> str:
        """Return a value as a text: a column of texts is compared with a number as if '5 pieces' were 5."""
        return self.placed(value if isinstance(value, str) else repr(value))

    def _connect(self) -> tuple[Any, socket.socket]:
        import pymysql  # noqa: PLC0415 - an extra
        from pymysql.cursors import SSCursor  # noqa: PLC0415 - the same

        parts = urlsplit(self._address)
        host, port = parts.hostname or "", parts.port or _PORT
        connection = pymysql.connect(
            host=host,
            port=port,
            user=unquote(parts.username or ""),
            password=self._password or "",
            database=unquote(parts.path.strip("/")),
            charset="utf8mb4",
            conv={},  # values as the texts that they are sent as
            cursorclass=SSCursor,
            autocommit=None,
            program_name="tidemill",
            defer_connect=True,
        )
        link = socket.create_connection((host, port), _CONNECTS_S)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _ALIVE:
            link.setsockopt(socket.IPPROTO_TCP, option, value)
        connection.connect(link)
        return connection, link

    def _batches(self, connection: Any, query: str) -> Iterator[pa.RecordBatch]:
        cursor = connection.cursor()
        cursor.execute(query)
        fields = cursor._result.fields  # noqa: SLF001 - a cursor's description does not tell bytes from texts
        names = [field.name for field in fields]
        try:
            refuse_doubles(names)
            columns = [_Column(field, self.name(field.name)) for field in fields]
            rows = _fetch(cursor)
            while True:
                values = zip(*rows, strict=True) if rows else [()] * len(names)
                arrays = [column.read(each) for column, each in zip(columns, values, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names)
                if not (rows := _fetch(cursor)):
                    return
        finally:
            cursor._result.unbuffered_active = False  # noqa: SLF001 - else the driver reads all that is left, also of a connection that is lost

    def _explain(self, error: Exception) -> NoReturn:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else -1
        said = str(error.args[-1] if error.args else error).rstrip(". ") or "the connection was lost"
        said = " ".join(said.split())
        if self._password:
            said = said.replace(self._password, HIDDEN)
        passes = number in _MAY_PASS
        cure = "run again" if passes else _CURES.get(number, "correct the query, or ask who runs the database")
        fail(f"{self._address}: {said}", cure, may_pass=passes)


def _fetch(cursor: Any) -> list[Sequence[Any]]:
    """Return the next rows: so many that their values are no more than a few MiB, unless one row is."""
    rows: list[Sequence[Any]] = []
    size = 0
    while len(rows) < _BATCH_ROWS and size < _BATCH_BYTES and (chunk := cursor.fetchmany(_CHUNK_ROWS)):
        rows += chunk
        size += sum(map(len, filter(None, chain.from_iterable(chunk))))
    return rows


class _Column:
    """A column of a query, and what its texts become; one of a type that no table has, is refused."""

    def __init__(self, field: Any, written: str) -> None:
        self._name, self._written = field.name, written
        self.read = self._reader(field)

    def _reader(self, field: Any) -> Callable[[Sequence[Any]], pa.Array]:
        """Return what makes an array of values."""
        from pymysql.constants import FIELD_TYPE as T  # noqa: PLC0415 - an extra

        code, is_unsigned = field.type_code, bool(field.flags & _UNSIGNED)
        whole = partial(_cast, kind=pa.int64())
        readers: dict[int, Callable[[Sequence[Any]], pa.Array]] = {
            **dict.fromkeys((T.TINY, T.SHORT, T.INT24, T.LONG, T.YEAR), whole),
            T.LONGLONG: _unsigned if is_unsigned else whole,
            T.BIT: _bits,
            T.DOUBLE: partial(_cast, kind=pa.float64()),
            **dict.fromkeys((T.DATE, T.NEWDATE), partial(self._times, kind=pa.date32())),
            T.DATETIME: partial(self._times, kind=pa.timestamp("us")),
            T.TIMESTAMP: lambda values: pc.assume_timezone(self._times(values, pa.timestamp("us")), "UTC"),
            T.NULL: lambda values: pa.nulls(len(values)),
            **dict.fromkeys((T.TIME, T.JSON), partial(pa.array, type=pa.string())),
        }
        texts = (T.VARCHAR, T.VAR_STRING, T.STRING, T.TINY_BLOB, T.BLOB, T.MEDIUM_BLOB, T.LONG_BLOB)
        readers |= dict.fromkeys(
            texts, partial(pa.array, type=pa.binary() if field.charsetnr == _BINARY else pa.string())
        )
        if code in {T.DECIMAL, T.NEWDECIMAL}:
            digits = field.length - bool(field.scale) - (not is_unsigned)
            decimals = Decimals(field.name, (digits, field.scale) if digits <= _MOST_DIGITS else None)
            return lambda values: decimals.read(pa.array(values, pa.string()))
        if code not in readers:
            odd = {
                T.FLOAT: ("float, of which MySQL sends six digits", "{} + 0e0"),
                T.GEOMETRY: ("geometry", "ST_AsText({})"),
            }
            kind, cast = odd.get(code, (f"number {code}", "CAST({} AS CHAR)"))
            refuse_type(self._name, f"of the type {kind}", cast, self._written)
        return readers[code]

    def _times(self, values: Sequence[str | None], kind: pa.DataType) -> pa.Array:
        texts = pa.array(values, pa.string())
        odd = pc.filter(texts, pc.match_substring_regex(texts, _ZERO))
        if len(odd):
            name = self._written
            raise PermanentSourceError(
                f"column {self._name!r} of the query has the value {odd[0].as_py()}, which no day is; leave it out in the "
                f"query: CASE WHEN YEAR({name}) * MONTH({name}) * DAY({name}) > 0 THEN {name} END AS {name}"
            )
        return texts.cast(kind)


def _cast(values: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.string()).cast(kind)


def _unsigned(values: Sequence[str | None]) -> pa.Array:
    return _whole([None if value is None else int(value) for value in values])


def _bits(values: Sequence[bytes | None]) -> pa.Array:
    return _whole([None if value is None else int.from_bytes(value, "big") for value in values])


def _whole(values: list[int | None]) -> pa.Array:
    """Return whole numbers, as decimals where one is beyond 64 bits with a sign."""
    is_large = any(value is not None and value >= 2**63 for value in values)
    return pa.array(values, pa.decimal128(20, 0) if is_large else pa.int64())
