"""Where tables are written for others to read: files by their endings, databases, Delta tables."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, model_validator

from tasks.config.auth import SecretReference
from tasks.config.base import ConfigModel, NonEmpty, is_trusted
from tasks.core.redaction import has_secret

FILE_ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet", ".xlsx", ".duckdb")
_SQLITE_ENDINGS = (".sqlite", ".sqlite3", ".db")
_POSTGRESQL = ("postgresql://", "postgres://")
_PORT = 5432
_SCHEMA = "public"
DELTA = "delta:"

Kind = Literal["file", "sqlite", "postgresql", "delta"]


class Export(ConfigModel):
    """A place that a table is written to, as a whole or not at all; in the next run again only where its rows have changed. See [types, and what is replaced](export.md)."""

    to: NonEmpty
    """A file by its ending, .csv, .jsonl (each also with .gz), .parquet, .xlsx, .duckdb, or .sqlite, .sqlite3 or .db for a table in a database of SQLite; a database as postgresql://user@host/database; a Delta table as delta:folder. Paths are relative to the data folder unless absolute."""
    table: NonEmpty | None = None
    """Name of the table in a database, in PostgreSQL also with its schema, e.g. reports.orders; without it, the name it has here."""
    password: SecretReference | None = None
    """Where the password of a database is held: {env: NAME} or {secret_block: name}; without it, PostgreSQL's own PGPASSWORD or ~/.pgpass."""
    overwrite: bool = False
    """Replace also what no export of this data folder has written there."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        kind = self.kind
        if self.table is not None and kind not in ("sqlite", "postgresql"):
            raise ValueError(f"table is of a database, and {self.to!r} is none; take table out")
        if self.password is not None and kind != "postgresql":
            raise ValueError(f"password is of postgresql://, and {self.to!r} needs none; take password out")
        if not is_trusted("target", self.to):
            raise ValueError(
                f"{self.to!r} is written to from a pipeline file on disk alone; give the path of the file instead"
            )
        return self

    @property
    def kind(self) -> Kind:
        """Return what is written there."""
        return read_kind(self.to)

    def identify(self, table: str, root: Path | None = None) -> tuple[str, ...]:
        """Return what is the same of two spellings of one target, which `table` is written to; `root` is the data folder, where it is known."""
        name = self.table or table
        if self.kind == "postgresql":
            at = urlsplit(self.to)
            schema, _, name = name.rpartition(".")
            database = unquote(at.path.strip("/") or at.username or "")
            return (at.hostname or at.query, str(at.port or _PORT), database, schema or _SCHEMA, name)
        path = self.to.removeprefix(DELTA)
        place = os.path.normpath(path) if root is None else str((root / path).resolve())
        if self.kind == "sqlite":
            return (place, name.encode().lower().decode())  # it folds the letters of ASCII alone
        return (place,)

    def describe(self, table: str) -> str:
        """Return where `table` is written to, as the file says it."""
        return f"table {self.table or table} in {self.to}" if self.kind in ("sqlite", "postgresql") else self.to


def find_doubles(exports: Mapping[str, Sequence[Export]], root: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield each table with a target that one before it has, in whatever spelling, and what is wrong with that."""
    seen: dict[tuple[str, ...], tuple[str, str]] = {}
    for name, targets in exports.items():
        for target in targets:
            here, place = target.describe(name), target.identify(name, root)
            if place in seen:
                other, there = seen[place]
                same = here if there == here else f"{here} is {there}, which"
                yield name, f"{same} is written by export.{other} already; take one out"
            seen[place] = (name, here)


def read_kind(to: str) -> Kind:
    """Return what is written to a target, as its text says.

    Raises:
        ValueError: it says nothing that is known, or holds a password.

    """
    if has_secret(to):
        raise ValueError("to holds a secret, and would be stored with the run; write password: {env: NAME}")
    if to.startswith(_POSTGRESQL):
        _check_address(to)
        return "postgresql"
    is_delta = to.startswith(DELTA)
    path = to.removeprefix(DELTA)
    if "://" in path:
        raise ValueError(f"{to!r} is an address that no table is written to; {_cure()}")
    name = path.rstrip("/").rpartition("/")[2].lower()
    if is_delta and name not in ("", ".", ".."):
        return "delta"
    if any(name.endswith(ending) and name != ending for ending in _SQLITE_ENDINGS):
        return "sqlite"
    if any(name.endswith(ending) and name != ending for ending in FILE_ENDINGS):
        return "file"
    raise ValueError(f"{to} does not say its format; {_cure()}")


def _check_address(to: str) -> None:
    try:
        urlsplit(to).port  # noqa: B018 - read when asked for
    except ValueError as error:
        raise ValueError(f"{to!r} is no address ({error}); write postgresql://user@host:port/database") from None


def _cure() -> str:
    endings = ", ".join((*FILE_ENDINGS, *_SQLITE_ENDINGS))
    return f"end its name in one of {endings}, or write postgresql://user@host/database or delta:folder"


def _as_exports(value: Any) -> Any:
    """Return a target, or one alone, as a list of targets: a text is where to."""
    found = value if isinstance(value, list | tuple) else [value]
    return [{"to": each} if isinstance(each, str) else each for each in found]


Exports = Annotated[tuple[Export, ...], Field(min_length=1), BeforeValidator(_as_exports)]
"""The targets of one table: one, or a list; each a text that says where to, or a mapping."""
