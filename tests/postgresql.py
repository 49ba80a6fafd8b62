"""A PostgreSQL of the tests' own, from the programs that the system has."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

HOST, USER, PASSWORD = "127.0.0.1", "tide", 's3cr"t@p:w/x'
_READY_S = 60.0


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
    log: Path
    """File that holds every statement it was sent."""

    def address(self, database: str = "postgres") -> str:
        """Return the address of a database, without the password."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def query(self, sql: str, *, password: str = PASSWORD) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in types of Python; a statement without rows has none."""
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - of tests that need it alone

        full = f"{self.address()}?password={quote(password, safe='')}"
        with dbapi.connect(full, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def end_queries(self, how: str) -> int:
        """Have the connections of others cut, by `terminate`, or by `crash`, after which the server starts anew; return how many there were."""
        others = "FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        if how == "terminate":
            return len(self.query(f"SELECT pg_terminate_backend(pid) {others}"))
        found = self.query(f"SELECT pid {others}")
        for (number,) in found[:1]:
            os.kill(number, signal.SIGKILL)
        return len(found)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """Yield a PostgreSQL of the tests; it ends with them."""
    with serve_postgresql() as server:
        yield server


@contextmanager
def serve_postgresql() -> Iterator[Postgresql]:
    """Yield a PostgreSQL in a folder of its own, on a free port; it ends with the block."""
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
        options |= {"log_statement": "all"}
        asked = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        postgresql = Postgresql(port, folder / "log")
        with postgresql.log.open("wb") as log:
            server = subprocess.Popen([programs / "postgres", "-D", folder / "data", *asked], user=user, stderr=log)
        try:
            for attempt in Retrying(stop=stop_after_delay(_READY_S), wait=wait_fixed(0.1)):
                with attempt:
                    postgresql.query("SELECT 1")
            yield postgresql
        finally:
            server.terminate()
            server.wait()
