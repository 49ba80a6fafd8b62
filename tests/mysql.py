"""A MariaDB of the tests' own, from the programs that the system has."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from tests.postgresql import HOST, PASSWORD, USER

_READY_S = 60.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
_SERVER, _INSTALL = (shutil.which(name, path=_PATH) for name in ("mariadbd", "mariadb-install-db"))

needs_mysql = pytest.mark.skipif(
    (_SERVER is None or _INSTALL is None) and "TIDEMILL_MYSQL_REQUIRED" not in os.environ,
    reason="needs MariaDB (Debian: apt-get install mariadb-server)",
)


@dataclass(frozen=True)
class Mysql:
    """A server that asks for a password."""

    port: int

    def address(self, scheme: str = "mysql") -> str:
        """Return the address of its database, without the password."""
        return f"{scheme}://{USER}@{HOST}:{self.port}/shop"

    def query(self, *statements: str) -> list[tuple[Any, ...]]:
        """Return the rows of the last statement, in types of Python; one without rows has none."""
        import pymysql  # noqa: PLC0415 - of tests that need it alone

        login = {"host": HOST, "port": self.port, "user": USER, "password": PASSWORD, "database": "shop"}
        with pymysql.connect(**login, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def running(self, part: str) -> list[int]:
        """Return the numbers of the connections whose query holds a part."""
        asked = f"SELECT id FROM information_schema.processlist WHERE info LIKE '%{part}%' AND id <> connection_id()"  # noqa: S608 - ours
        return [number for (number,) in self.query(asked)]


@pytest.fixture(scope="session")
def mysql() -> Iterator[Mysql]:
    """Yield a MariaDB of the tests; it ends with them."""
    with serve_mysql() as server:
        yield server


@contextmanager
def serve_mysql() -> Iterator[Mysql]:
    """Yield a MariaDB in a folder of its own, on a free port; it ends with the block."""
    assert _SERVER is not None
    assert _INSTALL is not None
    with socket.socket() as probe, tempfile.TemporaryDirectory(prefix="tidemill-mysql-") as place:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
        probe.close()
        folder = Path(place)
        user = ["--user=root"] if os.getuid() == 0 else []  # else it refuses to run as root
        data = ["--no-defaults", f"--datadir={folder / 'data'}", *user]
        subprocess.run(
            [_INSTALL, *data, "--skip-test-db", "--auth-root-authentication-method=normal"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        quoted = PASSWORD.replace("'", "''")
        (folder / "init.sql").write_text(
            f"CREATE DATABASE shop CHARACTER SET utf8mb4;\nCREATE USER '{USER}'@'{HOST}' IDENTIFIED BY '{quoted}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'{HOST}';\n"
        )
        options = {"bind-address": HOST, "port": port, "socket": folder / "socket", "pid-file": folder / "pid"}
        options |= {"init-file": folder / "init.sql", "innodb-flush-log-at-trx-commit": 0, "skip-name-resolve": 1}
        options |= {"default-time-zone": "+05:00"}
        server = subprocess.Popen(
            [_SERVER, *data, *(f"--{name}={value}" for name, value in options.items())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for attempt in Retrying(stop=stop_after_delay(_READY_S), wait=wait_fixed(0.1), reraise=True):
                with attempt:
                    Mysql(port).query("SELECT 1")
            yield Mysql(port)
        finally:
            server.terminate()
            server.wait()
