"""The tables stage killed at any moment: a table is the one before or the new one, and the next run completes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tasks.config import Pipeline
from tests.convert.conftest import files_source, write_files
from tests.convert.conftest import make_table as convert_table
from tests.convert.test_kill import LATE_S, SEED, run_killed, run_whole
from tests.killed import Order
from tests.tables.conftest import SOURCES, rows_of
from tests.thorough import KILLS
from tests.zygote import Zygote

_RANGE = 300_000


def pipeline_of_version(version: int) -> str:
    """Return the pipeline whose tables have the rows of a version, as JSON."""
    tables = {
        "numbers": {"query": f"SELECT range * {version} AS n, id FROM range({_RANGE}), rows", "sort_by": ["n"]},  # noqa: S608 - figures of ours
        "sums": {"query": "SELECT id, sum(n) AS total FROM numbers GROUP BY id ORDER BY id", "partition_by": ["id"]},
    }
    return Pipeline.model_validate({"name": "killed", "sources": SOURCES, "tables": tables}).model_dump_json()


@pytest.mark.flow
def test_a_table_that_is_killed_is_finished_by_the_next_run(forked: Zygote, tmp_path: Path) -> None:
    """After SIGKILL at any moment no half of a table is there, and the next run makes what is asked for."""
    write_files(tmp_path, a_csv="id,v\n1,1\n2,2\n")
    convert_table(tmp_path, files_source())
    sums = {v: [{"id": i, "total": v * _RANGE * (_RANGE - 1) // 2} for i in (1, 2)] for v in (1, 2)}
    draw, killed, seen, found = random.Random(SEED), [], [], []
    assert run_whole(forked, Order("tables", pipeline_of_version(1), str(tmp_path), 0))[0] == 0
    ended, seconds = run_whole(forked, Order("tables", pipeline_of_version(2), str(tmp_path), 0))
    assert ended == 0
    for number in range(KILLS):
        order = Order("tables", pipeline_of_version(1 + number % 2), str(tmp_path), 0)
        killed.append(run_killed(forked, order, draw.uniform(0, seconds + LATE_S)))
        seen.append(rows_of(tmp_path, "sums") in sums.values())
        found.append((run_whole(forked, order)[0], rows_of(tmp_path, "sums") == sums[1 + number % 2]))

    assert found == [(0, True)] * KILLS
    assert all(seen)
    assert killed.count(True) > KILLS / 4  # the first run, by which the others are timed, is the slowest
    assert sorted(path.name for path in (tmp_path / ".tables" / "sums").iterdir() if not path.name.isdigit()) == [
        ".lock",
        "current",
    ]
