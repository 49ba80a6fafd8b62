"""A table in a database of PostgreSQL: copied beside the one that is there, and put in its place, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa

from tasks.core.errors import ConfigError, ExportError
from tasks.core.postgresql import CURES, full_address, say_error
from tasks.core.sql import refuse_damaged
from tasks.core.tables import quote_name, quote_text
from tasks.export.rows import TableSource, Written

_LOCK_WAITS = "5min"  # for a query of another's that reads the table which is to be replaced
_MOST_BYTES = 63  # of a name: PostgreSQL cuts a longer one
_TYPES: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp",
    pa.timestamp("us", "UTC"): "timestamptz",
    pa.string(): "text",
}
_CURES = CURES | {
    "2BP01": "drop what depends on it, or name another table",
    "42809": "it is no table: name another one",
    "55P03": "wait until those who read it have ended",
    "22021": "take the character out in the query of a table: replace(column, chr(0), '')",
    "22008": "PostgreSQL holds no such time: take it out in the query of a table",
    "53100": "make room on the server's disk",
}


class PostgresqlTarget:
    """A table of a database; its state is the number that the database gave it when it was made."""

    def __init__(self, address: str, table: str, password: str | None = None) -> None:
        schema, _, name = table.rpartition(".")
        self._address, self._schema, self._name, self._password = address, schema, name, password

    @property
    def place(self) -> str:
        """Return what the target is called."""
        return f"table {'.'.join(filter(None, (self._schema, self._name)))} in {self._address}"

    def state(self) -> str | None:
        """Return the state of the table; None where none is there.

        Raises:
            ExportError: the database cannot be reached.

        """
        with self._opened() as cursor:
            return _state_of(cursor, self._schema_in(cursor), self._name)

    def write(self, source: TableSource, promise: Callable[[str], None]) -> Written:
        """Write the table in place of the one that is there; `promise` is told the state before it is.

        Raises:
            ConfigError: PostgreSQL does not hold the table.
            ExportError: it does not take it.
            QueryError: the table cannot be read.

        """
        made = f"tidemill_{uuid.uuid4().hex}"
        with source.opened() as rows, self._opened({source.name: source.folder}) as cursor:
            schema = self._schema_in(cursor)
            batches = rows.batches()
            columns = ", ".join(f"{quote_name(each.name)} {_type_of(each, rows.name)}" for each in batches.schema)
            at, place = (f"{quote_name(schema)}.{quote_name(name)}" for name in (made, self._name))
            cursor.execute(f"SET LOCAL lock_timeout = {quote_text(_LOCK_WAITS)}")
            cursor.execute(f"CREATE TABLE {at} ({columns})")
            cursor.adbc_ingest(made, batches, mode="append", db_schema_name=schema)
            cursor.execute(f"DROP TABLE IF EXISTS {place}")
            cursor.execute(f"ALTER TABLE {at} RENAME TO {quote_name(self._name)}")
            promise(str(_state_of(cursor, schema, self._name)))
            cursor.connection.commit()
        return Written(rows.number, rows.notes)

    def _schema_in(self, cursor: Any) -> str:
        if self._schema:
            return self._schema
        cursor.execute("SELECT current_schema()::text")
        found = cursor.fetchone()[0]
        if found is None:
            raise ExportError(f"{self.place}: the user has no schema to write to; write table: schema.{self._name}")
        return str(found)

    @contextmanager
    def _opened(self, tables: dict[str, Any] | None = None) -> Iterator[Any]:
        """Yield a cursor within a transaction, which is given up unless it is committed."""
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - an extra

        try:
            with closing(dbapi.connect(full_address(self._address, self._password), autocommit=False)) as connection:
                yield connection.cursor()
        except dbapi.Error as error:
            refuse_damaged(tables or {}, error)  # the rows are read as they are copied
            raise ExportError(f"{self.place}: {self._explain(error)}") from None

    def _explain(self, error: Any) -> str:
        said = say_error(error, self._password)
        if said.startswith("Failed to connect"):
            cure = "see that the address, the user and the password are right, and that the server answers"
        elif error.sqlstate is None:  # the driver's own, which gives no reason
            cure = "see that the server is still there, and that dates and times are within 4713 BC and 294276"
        else:
            cure = _CURES.get(error.sqlstate, "see what the server says of it")
        return f"{said}; {cure}"


def _state_of(cursor: Any, schema: str, name: str) -> str | None:
    """Return the number of what has a name in a schema; None where nothing has."""
    cursor.execute(
        "SELECT pg_class.oid::bigint FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "  # noqa: S608 - quoted
        f"WHERE nspname = {quote_text(schema)} AND relname = {quote_text(name)}"
    )
    found = cursor.fetchone()
    return None if found is None else str(found[0])


def _type_of(column: pa.Field, table: str) -> str:
    """Return what a column's type is called.

    Raises:
        ConfigError: its name is longer than one may be.

    """
    if len(column.name.encode()) > _MOST_BYTES:
        raise ConfigError(
            f"column {column.name} of table {table} has a name of more than {_MOST_BYTES} bytes, which PostgreSQL cuts; "
            "rename it in columns of its source, or in the query of a table"
        )
    if pa.types.is_decimal(column.type):
        return f"numeric({column.type.precision},{column.type.scale})"
    return _TYPES[column.type]
