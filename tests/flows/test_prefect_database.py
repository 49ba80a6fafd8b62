"""The temporary server's database: migrated once, copied where it is new, and never trusted unseen."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from flows.cli.prefect_api import SERVER_SETTINGS, PrefectApi
from flows.cli.prefect_database import keep_database, place_database
from tasks.core.child_process import first_line, start_child, stop_child
from tests.thorough import takes_minutes

NAME = f"prefect-{version('prefect')}"
ALIKE = takes_minutes("another damage is alike, and each starts a server")
OLDER = "a3b9c7d2e5f1"  # a revision that Prefect had before 3.9


class Homes:
    """Folders for Prefect homes, beside one cache of their user."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache" / "tidemill"

    def serve(self, *homes: str) -> None:
        """Have a temporary server of each home answer, all at once."""
        own = {**SERVER_SETTINGS, "PREFECT_API_URL": "", "XDG_CACHE_HOME": str(self.cache.parent)}
        environments = [{**own, "PREFECT_HOME": str(self.folder / home)} for home in homes]
        servers = [start_child("flows.cli.temporary_server", environment=each) for each in environments]
        try:
            for server in servers:
                PrefectApi(server, first_line(server)).wait_until_ready()
        finally:
            for server in servers:
                stop_child(server)

    def ask(self, home: str, query: str) -> Sequence[tuple[object, ...]]:
        """Return the rows of a query of a home's database."""
        with closing(sqlite3.connect(self.folder / home / "prefect.db")) as connection:
            return connection.execute(query).fetchall()

    def schema(self, home: str) -> Sequence[tuple[object, ...]]:
        """Return the revision and all that is defined in a home's database."""
        revision = self.ask(home, "SELECT version_num FROM alembic_version")
        return [*revision, *self.ask(home, "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")]


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    """Return folders for homes with an empty cache."""
    return Homes(tmp_path)


@pytest.fixture
def kept(prefect_server: str, homes: Homes) -> Path:
    """Return what is kept of a database, in the cache of the homes."""
    assert prefect_server
    homes.cache.mkdir(parents=True)
    source = Path(os.environ["XDG_CACHE_HOME"]) / "tidemill" / f"{NAME}.db.gz"
    return Path(shutil.copy(source, homes.cache))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Return a home of which two servers have answered that started at once, with nothing in the cache before."""
    homes = Homes(tmp_path_factory.mktemp("migrated"))
    homes.serve("one", "one")
    return homes


@pytest.mark.flow
def test_servers_that_start_at_once_share_a_new_database(migrated: Homes) -> None:
    """One of them migrates it; the other waits, and both answer."""
    assert len(migrated.ask("one", "SELECT * FROM alembic_version")) == 1
    assert sorted(path.name for path in migrated.folder.joinpath("one").glob(".prefect.db*")) == []


@pytest.mark.flow
def test_a_second_new_database_is_a_copy_of_the_first(migrated: Homes) -> None:
    """The first is migrated and kept without a row; the second holds what the first does, and is served."""
    database = gzip.decompress((migrated.cache / f"{NAME}.db.gz").read_bytes())
    migrated.folder.joinpath("kept").mkdir()
    migrated.folder.joinpath("kept", "prefect.db").write_bytes(database)

    migrated.serve("two")

    assert migrated.schema("one") == migrated.schema("kept") == migrated.schema("two")
    assert len(migrated.schema("two")) > 1
    assert (migrated.cache / f"{NAME}.revision").read_text() == migrated.ask("two", "SELECT * FROM alembic_version")[0][
        0
    ]


@pytest.mark.flow
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", marks=ALIKE),
        pytest.param(b"nothing of a database", marks=ALIKE),
        pytest.param(gzip.compress(b"nothing of a database"), marks=ALIKE),
        pytest.param(gzip.compress(b"SQLite format 3\0 and nothing of one"), marks=ALIKE),
        None,
    ],
    ids=["empty", "foreign", "packed", "of SQLite's first words", "cut off"],
)
def test_a_damaged_copy_is_made_again(homes: Homes, kept: Path, damage: bytes | None) -> None:
    """Empty, foreign or cut off in its middle: the database is migrated as if nothing were kept, and kept anew."""
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if damage is None else damage)

    homes.serve("one")

    assert len(homes.ask("one", "SELECT * FROM alembic_version")) == 1
    assert gzip.decompress(kept.read_bytes()).startswith(b"SQLite format 3")


@pytest.mark.flow
def test_a_damaged_revision_is_told_anew(homes: Homes, kept: Path) -> None:
    """What is known of the last one is not taken for a revision, nor left as it is."""
    revision = kept.with_name(f"{NAME}.revision")
    revision.write_bytes(b"\xff\xfe")

    homes.serve("one")

    assert revision.read_text() == homes.ask("one", "SELECT version_num FROM alembic_version")[0][0]


@pytest.mark.flow
def test_an_older_database_is_migrated(migrated: Homes, homes: Homes) -> None:
    """Whatever is known of others: one at another revision goes through Prefect's migrations, with its rows."""
    shutil.copytree(migrated.cache, homes.cache)
    home = homes.folder / "one"
    home.mkdir()
    head = (homes.cache / f"{NAME}.revision").read_text()
    environment = {**os.environ, "PREFECT_API_URL": "", "PREFECT_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y", "-r", OLDER],
        env=environment,
        check=True,
        capture_output=True,
    )
    with closing(sqlite3.connect(home / "prefect.db")) as connection, connection:
        connection.execute("INSERT INTO flow (id, name) VALUES ('9b3e0ffc-3d6c-4b0c-9d4b-1f2a3b4c5d6e', 'mine')")

    homes.serve("one")

    assert homes.ask("one", "SELECT version_num FROM alembic_version") == [(head,)]
    assert homes.ask("one", "SELECT name FROM flow") == [("mine",)]


@pytest.mark.flow
@pytest.mark.parametrize("beside", ["prefect.db", "prefect.db-wal", "prefect.db-journal"])
def test_what_is_there_is_not_written_over(
    homes: Homes, kept: Path, beside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a database nor what SQLite would take for the end of one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept.parent.parent))
    homes.folder.joinpath(beside).write_bytes(b"there")

    assert not place_database(homes.folder / "prefect.db")
    assert homes.folder.joinpath(beside).read_bytes() == b"there"


def test_a_database_with_rows_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user has run comes into no other database."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as connection, connection:
        connection.executescript("CREATE TABLE flow (name); INSERT INTO flow VALUES ('mine')")

    keep_database(tmp_path / "prefect.db")

    assert not place_database(tmp_path / "other.db")
    assert list(tmp_path.rglob("*.gz")) == []
