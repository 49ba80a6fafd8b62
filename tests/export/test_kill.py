"""The export stage killed at any moment: a target has the table before or the new one, and the next run completes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.convert.test_kill import SEED, run_killed, run_whole
from tests.export.test_sqlite import rows_in
from tests.killed import Order
from tests.postgresql import Postgresql, needs_postgresql
from tests.tables.conftest import make, pipeline_of
from tests.thorough import KILLS, takes_minutes
from tests.zygote import Zygote

_ROWS = {"file": 500_000, "sqlite": 150_000, "delta": 500_000, "postgresql": 250_000}
"""As many as take some tenths of a second to write."""
ALIKE = takes_minutes("a file and a database are killed alike")
_BEGINS = 0.4
"""The share of a run before which nothing is written."""

Sum = tuple[int, int] | None


class ParquetFile:
    """A file."""

    def __init__(self, folder: Path) -> None:
        self.to, self._file = "out/all.parquet", folder / "out" / "all.parquet"

    def read(self) -> Sum:
        """Return the number of rows and their sum; None where there is no file."""
        if not self._file.exists():
            return None
        table = pq.read_table(self._file)
        return table.num_rows, pc.sum(table["n"]).as_py()

    def remove(self) -> None:
        """Remove the file."""
        self._file.unlink(missing_ok=True)

    def beside(self) -> list[str]:
        """Return what lies beside it."""
        return [path.name for path in self._file.parent.iterdir() if path != self._file]


class SqliteFile:
    """A table of a database that has another one, too."""

    def __init__(self, folder: Path) -> None:
        self.to, self._file = "out/all.sqlite", folder / "out" / "all.sqlite"

    def read(self) -> Sum:
        """Return the number of rows and their sum; None where there is no table."""
        if not self._file.exists() or not rows_in(self._file, "SELECT 1 FROM sqlite_master WHERE name = 'kept'"):
            return None
        count, total = rows_in(self._file, "SELECT count(*), sum(n) FROM kept")[0]
        return int(count), int(total)

    def remove(self) -> None:
        """Remove the database."""
        self._file.unlink(missing_ok=True)

    def beside(self) -> list[str]:
        """Return what lies beside it."""
        return [path.name for path in self._file.parent.iterdir() if path != self._file]


class DeltaFolder:
    """A Delta table."""

    def __init__(self, folder: Path) -> None:
        self.to, self._folder = "delta:out/lake", folder / "out" / "lake"

    def read(self) -> Sum:
        """Return the number of rows and their sum; None where there is no table."""
        if not self._folder.exists():
            return None
        table = DeltaTable(self._folder).to_pyarrow_table()
        return table.num_rows, pc.sum(table["n"]).as_py()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def beside(self) -> list[str]:
        """Return what lies beside it."""
        return [path.name for path in self._folder.parent.iterdir() if path != self._folder]


class PostgresqlTable:
    """A table of a schema of its own."""

    def __init__(self, server: Postgresql) -> None:
        self.to, self._server = server.address(), server
        server.query("DROP SCHEMA IF EXISTS public CASCADE")
        server.query("CREATE SCHEMA public")

    def read(self) -> Sum:
        """Return the number of rows and their sum; None where there is no table."""
        if self._server.query("SELECT to_regclass('public.kept')::text") == [(None,)]:
            return None
        count, total = self._server.query("SELECT count(*), sum(n)::bigint FROM kept")[0]
        return int(count), int(total)

    def remove(self) -> None:
        """Drop the table."""
        self._server.query("DROP TABLE IF EXISTS kept")

    def beside(self) -> list[str]:
        """Return what lies beside it."""
        names = self._server.query("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        return [name for (name,) in names if name != "kept"]


@pytest.mark.flow
@pytest.mark.parametrize(
    "kind",
    [
        "file",
        pytest.param("sqlite", marks=ALIKE),
        pytest.param("delta", marks=ALIKE),
        pytest.param("postgresql", marks=[needs_postgresql, ALIKE]),
    ],
)
def test_an_export_that_is_killed_is_finished_by_the_next_run(
    forked: Zygote, data: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """After SIGKILL at any moment no half of a table is there, and the next run writes what is asked for, in place of it."""
    target: ParquetFile | SqliteFile | DeltaFolder | PostgresqlTable
    match kind:
        case "file":
            target = ParquetFile(data)
        case "sqlite":
            target = SqliteFile(data)
        case "delta":
            target = DeltaFolder(data)
        case _:
            target = PostgresqlTable(request.getfixturevalue("postgresql"))
    rows = _ROWS[kind]
    queries = [f"SELECT range * {by} AS n, md5(range::VARCHAR) AS text FROM range({rows})" for by in (1, 2)]  # noqa: S608 - figures of ours
    make(data, pipeline_of(one={"query": queries[0]}, two={"query": queries[1]}))
    sums: list[Sum] = [(rows, by * rows * (rows - 1) // 2) for by in (1, 2)]
    named = "" if kind in ("file", "delta") else ", table: kept"
    orders = []
    for name in ("one", "two"):
        path = data / f"{name}.yaml"
        path.write_text(
            "name: made\nsources: {rows: {kind: files, path: inbox/*}}\n"
            f"tables: {{one: {{query: {queries[0]!r}}}, two: {{query: {queries[1]!r}}}}}\n"
            f"export: {{{name}: {{to: '{target.to}'{named}}}}}\n"
        )
        orders.append(Order("export", str(path), str(data), 0))
    draw, killed, seen, found = random.Random(SEED), [], [], []
    assert run_whole(forked, orders[0])[0] == 0
    ended, seconds = run_whole(forked, orders[1])
    assert ended == 0
    for number in range(KILLS):
        if number % 4 == 3:
            target.remove()
        killed.append(run_killed(forked, orders[number % 2], draw.uniform(_BEGINS * seconds, seconds)))
        seen.append(target.read())
        ended, took = run_whole(forked, orders[number % 2])
        seconds = min(seconds, took)  # the first runs of a process take longer
        found.append((ended, target.read() == sums[number % 2]))

    assert found == [(0, True)] * KILLS
    assert set(seen) <= {*sums, None}
    assert killed.count(True) > KILLS / 4
    assert target.beside() == []
