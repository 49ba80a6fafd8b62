"""The temporary server's database: migrated once for each version of Prefect, where it is new by a copy of an empty one.

To migrate a new database takes seconds, and to see that an old one needs no migration half a
second. What is known of both is kept in the user's cache folder; to delete it is always safe.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import sqlite3
import zlib
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from tasks.core.storage import commit

_SQLITE = b"SQLite format 3\0"
_WAIT_S = 60.0  # for another server that migrates
_BESIDE = ("", "-wal", "-journal")  # what SQLite would take for a part of the database


def migrate_database() -> bool:
    """Bring the database of Prefect's settings to this Prefect's version; return False where its server is to do so itself.

    That is where it is not the one that Prefect makes unless told otherwise, or where anything fails: the server then
    says what is wrong.
    """
    from prefect.settings import get_current_settings  # noqa: PLC0415 - a second of import, and tests need none of it

    settings = get_current_settings()
    database, url = settings.home / "prefect.db", settings.server.database.connection_url
    if not settings.server.database.migrate_on_start or url is None:
        return False
    if url.get_secret_value() != f"sqlite+aiosqlite:///{database}" or "?" in str(database):  # where an address ends
        return False
    try:
        _migrate(database)
    except Exception:  # noqa: BLE001 - alembic's, SQLite's and the system's
        return False
    return True


def place_database(database: Path) -> bool:
    """Place the kept database where there is none yet; return whether it was placed."""
    if any(os.path.lexists(f"{database}{ending}") for ending in _BESIDE):
        return False
    try:
        content = gzip.decompress(_kept("db.gz").read_bytes())
    except (OSError, EOFError, zlib.error):  # there is none, or it is damaged: its checksum is not that of its content
        return False
    if not content.startswith(_SQLITE):
        return False
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = database.with_name(f".{database.name}.{uuid4().hex}")
    try:
        with part.open("xb") as file:
            file.write(content)
            os.fsync(file.fileno())
        if not _revision(part):
            return False
        os.link(part, database)  # not renamed: a database that has come meanwhile stays
    except OSError:
        return False
    finally:
        part.unlink(missing_ok=True)
    return True


def keep_database(database: Path) -> None:
    """Keep a database that was just made, for those that will be new; not one that holds more than its revision already."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")  # what is looked at is what is kept, whoever writes meanwhile
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
        for (table,) in connection.execute(tables).fetchall():
            if connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone():  # noqa: S608 - of its own schema
                return
        content = connection.serialize()
    with commit(_kept("db.gz")) as part:
        part.write_bytes(gzip.compress(content))


def _migrate(database: Path) -> None:
    """Migrate a database, unless it is of the revision that the last one of this version of Prefect was left at.

    One server at a time: Prefect's migrations of one database, begun twice at once, fail with a duplicate column.
    """
    known = _kept("revision")
    known.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(Timeout), FileLock(_kept("lock"), _WAIT_S):
        is_new = not database.exists()
        if is_new:
            place_database(database)
        if known.is_file() and known.read_bytes() == _revision(database).encode() != b"":
            return
        asyncio.run(_upgrade())
        if is_new:
            keep_database(database)
        with commit(known) as part:
            part.write_text(_revision(database))
        return
    asyncio.run(_upgrade())


async def _upgrade() -> None:
    from prefect.server.database import provide_database_interface  # noqa: PLC0415 - as above

    await provide_database_interface().create_db()


def _revision(database: Path) -> str:
    """Return the revision of a database; empty where it has none, as one that is not migrated yet."""
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as connection,
    ):
        return " ".join(str(revision) for (revision,) in connection.execute("SELECT version_num FROM alembic_version"))
    return ""


def _kept(ending: str) -> Path:
    """Return the path of what is kept for this version of Prefect."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = cache if cache.is_absolute() else Path.home() / ".cache"
    return folder / "tidemill" / f"prefect-{version('prefect')}.{ending}"
