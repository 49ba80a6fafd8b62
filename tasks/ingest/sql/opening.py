"""Databases opened by their addresses."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from tasks.config import SqlSource
from tasks.core.errors import PermanentSourceError
from tasks.core.postgresql import PACKAGE
from tasks.ingest.sql.database import Database
from tasks.ingest.sql.query import write_query
from tasks.raw.partitions import Partition

_PACKAGES = {"postgresql": PACKAGE, "mysql": "pymysql"}


def open_database(source: SqlSource, root: Path, password: str | None) -> Database:
    """Return the database of a source, for one query; paths are relative to the data folder `root`.

    Raises:
        PermanentSourceError: a package for it is missing.

    """
    if (mistake := find_database_mistake(source, root)) is not None:
        raise PermanentSourceError(mistake)
    match source.dialect:
        case "postgresql":
            from tasks.ingest.sql.postgresql import Postgresql  # noqa: PLC0415 - what one kind alone needs

            return Postgresql(source.database, password)
        case "mysql":
            from tasks.ingest.sql.mysql import Mysql  # noqa: PLC0415 - the same

            return Mysql(source.database, password)
        case "sqlite":
            from tasks.ingest.sql.sqlite import Sqlite  # noqa: PLC0415 - the same

            return Sqlite(source.file(root))
        case "duckdb":
            from tasks.ingest.sql.duckdb import Duckdb  # noqa: PLC0415 - the same

            return Duckdb(source.file(root))
        case _:
            assert_never(source.dialect)


def find_database_mistake(source: SqlSource, root: Path) -> str | None:
    """Return why a database cannot be read, as far as that is seen without asking it, and the cure; None where it may be."""
    if (package := _PACKAGES.get(source.dialect)) is not None:
        if find_spec(package.replace("-", "_")) is None:
            return f"database: {source.database} needs {package}, which is not installed; run: pip install {package}"
        return None
    file = source.file(root)
    return None if file.is_file() else f"database: {file} is no file; put it there, or correct the path"


def read_first_rows(source: SqlSource, partition: Partition, root: Path, rows: int) -> list[pa.RecordBatch]:
    """Return the first rows of a partition in batches, at least one.

    Raises:
        SourceError: the database does not give them.
        PermanentSourceError: the password is not in the environment.

    """
    password = None
    if (held := source.password) is not None:
        if held.env is None:
            raise PermanentSourceError(
                "password: is in a Secret block, which a run alone reads; name an environment variable with env"
            )
        password = os.environ.get(held.env, "").strip()
        if not password:
            raise PermanentSourceError(f"password: the environment variable {held.env} is not set; set it")
    database = open_database(source, root, password)
    since = source.incremental.start if source.incremental else None
    query = write_query(source, partition, since, database, rows)
    return list(database.read(query))
