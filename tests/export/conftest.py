"""Tables to export, and a PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from adbc_driver_postgresql import dbapi
from tenacity import Retrying, stop_after_delay, wait_fixed

from tasks.config import Pipeline, load_pipeline
from tests.tables.conftest import data, make, pipeline_of

__all__ = ["data"]

HOST, USER, PASSWORD = "127.0.0.1", "tide", 's3cr"t@p:w/x'
_READY_S = 60.0

VALUES = """
SELECT * FROM (VALUES
  (1, true, 9223372036854775807, 1.5::DOUBLE, DATE '0044-03-15', TIMESTAMP '2024-01-05 10:00:00.123456',
   TIMESTAMPTZ '2024-01-05 10:00:00+02', 'x"y''z', -0.01::DECIMAL(4,2),
   123456789012345678901234567890.12345678::DECIMAL(38,8)),
  (2, false, -9223372036854775808, '-inf'::DOUBLE, DATE '2024-02-29', TIMESTAMP '1500-01-01 00:00:00',
   TIMESTAMPTZ '9999-12-31 23:59:59.999999+00', '', 99.99, -0.00000001),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
AS t(id, flag, whole, part, day, moment, moment_utc, "Some word", small, large)
"""


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs: Debian has those of each version in a folder of their own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


needs_postgresql = pytest.mark.skipif(
    binaries() is None and "TIDEMILL_POSTGRESQL_REQUIRED" not in os.environ,
    reason="needs PostgreSQL (Debian: apt-get install postgresql)",
)


@dataclass(frozen=True)
class Postgresql:
    """A server that asks for a password."""

    port: int

    def address(self, database: str = "postgres") -> str:
        """Return the address of a database, without the password."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def query(self, sql: str, *, password: str = PASSWORD) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in types of Python; a statement without rows has none."""
        full = f"{self.address()}?password={quote(password, safe='')}"
        with dbapi.connect(full, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """Yield a PostgreSQL in a folder of its own, on a free port; it ends with the tests."""
    programs = binaries()
    assert programs is not None
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    with socket.socket() as probe, tempfile.TemporaryDirectory(prefix="tidemill-postgresql-") as place:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
        folder, secret = Path(place), Path(place) / "password"
        secret.write_text(PASSWORD)
        if user is not None:
            owner = pwd.getpwnam(user)
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        made = ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", USER, *made], user=user, check=True, stdout=-3
        )
        probe.close()
        options = {"listen_addresses": HOST, "unix_socket_directories": "", "port": port, "fsync": "off"}
        asked = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *asked], user=user, stderr=subprocess.DEVNULL
        )
        try:
            for attempt in Retrying(stop=stop_after_delay(_READY_S), wait=wait_fixed(0.1)):
                with attempt:
                    Postgresql(port).query("SELECT 1")
            yield Postgresql(port)
        finally:
            server.terminate()
            server.wait()


@pytest.fixture
def values(data: Path) -> Path:
    """Return a data folder with the table `things`, which has a column of each type."""
    make(data, pipeline_of(things={"query": VALUES}))
    return data


@pytest.fixture
def written(data: Path) -> Callable[..., Pipeline]:
    """Return what makes the pipeline of a file with a section `export`."""

    def write(exports: str, query: str = "SELECT * FROM rows ORDER BY id") -> Pipeline:
        path = data / "pipeline.yaml"
        path.write_text(
            f"name: made\nsources:\n  rows: {{kind: files, path: inbox/*}}\ntables:\n  things: {{query: {query!r}}}\n"
            f"export:\n{exports}\n"
        )
        return load_pipeline(path)

    return write
