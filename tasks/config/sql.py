"""Databases as sources: a query of one, what of it is asked again, and how."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tasks.config.auth import SecretReference
from tasks.config.base import ConfigModel, Duration, NonEmpty, Scalar
from tasks.config.columns import read_column
from tasks.config.incremental import Overlap, check_overlap, read_start
from tasks.config.tabled import Columns, Parted
from tasks.core.placeholders import find_select_mistake, names_in
from tasks.core.redaction import has_secret, redact
from tasks.core.suggestions import did_you_mean

DatabaseKind = Literal["postgresql", "mysql", "sqlite", "duckdb"]
_SCHEMES: dict[str, DatabaseKind] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
_SERVERS = ("postgresql", "mysql")
_EXAMPLES = "postgresql://user@host/database, mysql://user@host/database, sqlite:///shop.db or duckdb:///shop.duckdb"


class SqlIncremental(ConfigModel):
    """Each run asks only for what is newer than what is landed, and once more for what is as new: that is dropped by key."""

    KEY: ClassVar[str] = "incremental.column"

    column: NonEmpty
    """Column of the query's rows that grows: numbers, dates, times, or texts in ISO 8601 in one and the same form; rows without a value in it are in the first run alone."""
    start: Scalar | None = None
    """Least value of the first run: a number, or a time in ISO 8601; without it, it takes all rows."""
    overlap: Overlap = Field(default=0.0, json_schema_extra={"minimum": 0})  # told to editors
    """How far before the largest value to ask again, for rows that were committed late: a number, or 1h for a time. What comes twice is dropped by key."""

    _is_number_or_time = field_validator("start")(lambda value: value if value is None else read_start(value))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.start is not None:
            check_overlap(self.overlap, self.start)
        return self

    @property
    def field(self) -> str:
        """Return what grows."""
        return self.column


class SqlSource(Parted):
    """Rows of a query of a database, which is only read: each partition in one snapshot, in batches."""

    kind: Literal["sql"] = "sql"
    """Kind of source."""
    database: NonEmpty
    """The database: postgresql://user@host:port/database; mysql:// or mariadb:// alike; sqlite:/// or duckdb:/// and the path of its file, relative to the data folder unless that begins with a slash, too, e.g. sqlite:////srv/shop.db."""
    password: SecretReference | None = None
    """Where the password is held: {env: NAME} or {secret_block: name}; without it, PostgreSQL's own PGPASSWORD or ~/.pgpass, and none of MySQL."""
    query: NonEmpty
    """One SELECT in the SQL of the database. A partition's value stands where `:name` does, and what there is beside it, as `:name_end`; without that its rows are those whose column of the partition's name has it: SELECT * FROM orders is enough."""
    incremental: SqlIncremental | None = None
    """How each run asks only for what is newer than what is landed; it needs a key."""
    connections: Annotated[int, Field(ge=1, le=16)] = 2
    """Connections to the database at once, each of which reads a partition."""
    timeout: Duration = timedelta(hours=1)
    """Time that one query may take, its rows included."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts at one query where the connection is lost, the server starts, or another transaction is in the way; each begins anew."""
    columns: Columns = {}
    """What is declared of the columns; the others have the types of the database."""

    _shorthand = field_validator("columns", mode="before")(
        lambda value: {k: read_column(v) for k, v in value.items()} if isinstance(value, dict) else value
    )

    @field_validator("database")
    @classmethod
    def _is_database(cls, value: str) -> str:
        if has_secret(value):
            raise ValueError("holds a secret, and would be stored with the run; write password: {env: NAME}")
        scheme, _, rest = value.partition("://")
        if scheme not in _SCHEMES:
            raise ValueError(f"{redact(value)!r:.80} is no database that is read; write {_EXAMPLES}")
        if _SCHEMES[scheme] not in _SERVERS:
            if not rest.startswith("/") or len(rest) == 1:
                raise ValueError(f"{value!r:.80} names no file; write {scheme}:///shop.db, or {scheme}:////srv/shop.db")
            return value
        try:
            parts = urlsplit(value)
            _ = parts.port  # read when asked for
        except ValueError as error:
            raise ValueError(
                f"{value!r:.80} is no address ({error}); write {scheme}://user@host:port/database"
            ) from None
        if _SCHEMES[scheme] == "mysql" and (not parts.hostname or not parts.path.strip("/") or parts.query):
            raise ValueError(
                f"{value!r:.80} is no address of a database; write {scheme}://user@host:port/database, without options"
            )
        return value

    @field_validator("query")
    @classmethod
    def _is_select(cls, value: str) -> str:
        if (mistake := find_select_mistake(value)) is not None:
            raise ValueError(mistake)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if unknown := next((name for name in names_in(self.query) if name not in self.placeholders), None):
            cure = did_you_mean(
                unknown, self.placeholders, "add it to partitions, or write it with a space behind the :"
            )
            raise ValueError(f"query: :{unknown} is no partition; {cure}")
        if self.password is not None and self.dialect not in _SERVERS:
            raise ValueError(
                f"password is of postgresql:// and mysql://, and {self.dialect} has none; take password out"
            )
        if self.incremental is not None and not self.key:
            raise ValueError(
                "incremental needs a key, by which rows that come twice are dropped; add key: [id], or what identifies a row"
            )
        start = self.incremental.start if self.incremental is not None else None
        if self.dialect == "mysql" and isinstance(start, str) and (datetime.fromisoformat(start).utcoffset()):
            raise ValueError(
                f"incremental: start {start!r} is not in UTC, and MySQL compares no zones; write it in UTC"
            )
        if self.incremental is not None and self.has_dates:
            raise ValueError(
                "incremental asks for what is new of each partition, and dates have none once they are over; "
                "take incremental out, lookback asks for what came late"
            )
        return self

    @property
    def dialect(self) -> DatabaseKind:
        """Return which database it is."""
        return _SCHEMES[self.database.partition("://")[0]]

    def file(self, data: Path) -> Path:
        """Return the path of the database's file, by the data folder of the run."""
        return (self.limit.root if self.limit else data) / self.database.partition(":///")[2]
