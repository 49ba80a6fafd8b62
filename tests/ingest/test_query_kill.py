"""Queries killed at any moment: the next run ends with every row of every partition, once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.config import Pipeline
from tests.convert.test_kill import run_killed, run_whole
from tests.ingest.databases import empty, query_of
from tests.killed import Order
from tests.postgresql import Postgresql, needs_postgresql
from tests.thorough import KILLS
from tests.zygote import Zygote

SEED = 7
ROWS = 4_000
EVERY = 1_000
PARTITIONS = ROWS // EVERY + 1
"""Of both sources: one has its rows in one."""
_BEGINS = 0.3
"""The share of a run before which nothing is asked."""


def read_ids(path: Path) -> list[int]:
    """Return the ids in a raw file, sorted."""
    ids: list[int] = []
    with pa.OSFile(str(path)) as file:
        while file.tell() < file.size():
            with pa.ipc.open_stream(file) as stream:
                ids += stream.read_all()["id"].to_pylist()
    return sorted(ids)


def landed_files(raw: Path) -> dict[str, list[int]]:
    """Return the ids in every file below the raw folder, hidden ones too; a manifest has none."""
    files = [path for path in raw.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(raw)): read_ids(path) if path.suffix == ".arrows" else [] for path in files}


def queries_of(postgresql: Postgresql) -> int:
    """Return how many queries for rows the server has been sent so far."""
    return postgresql.log.read_text().count("COPY (SELECT * FROM (")


@pytest.mark.flow
@needs_postgresql
def test_an_ingest_of_queries_that_is_killed_is_finished_by_the_next(
    forked: Zygote, postgresql: Postgresql, tmp_path: Path
) -> None:
    """After SIGKILL to the whole process group, at any moment, all partitions and increments are there, and nothing else.

    What is new is asked for from what the last whole run has landed; what was landed before the kill is not read again.
    """
    empty(postgresql)
    postgresql.query(f"CREATE TABLE t AS SELECT x AS id, md5(x::text) AS text FROM generate_series(1, {ROWS}) AS x")  # noqa: S608 - ours
    parts: dict[str, Any] = {"partitions": {"id": {"range": [1, ROWS], "every": EVERY}}}
    grows: dict[str, Any] = {"key": ["id"], "incremental": {"column": "id"}}
    sources = {
        "parts": query_of(postgresql, "SELECT * FROM t", **parts),
        "grows": query_of(postgresql, "SELECT * FROM t", **grows),
    }
    config = Pipeline(name="killed", sources=sources).model_dump_json()
    everything = list(range(1, ROWS + 1))
    expected = {f"parts/id={i}.arrows": everything[i - 1 : i - 1 + EVERY] for i in range(1, ROWS, EVERY)}
    expected |= {"grows/all.arrows": everything}
    expected |= {name.replace(".arrows", ".json"): [] for name in expected}
    newest = {
        "grows/all+000001.arrows": [ROWS],
        "grows/all+000001.json": [],
    }  # where the killed run had landed the rest
    draw, found, killed = random.Random(SEED), [], []
    reference = Order("ingest", config, str(tmp_path / "reference"), 1)
    assert run_whole(forked, reference)[0] == 0
    assert landed_files(tmp_path / "reference" / "raw") == expected
    ended, seconds = run_whole(forked, reference)
    assert (ended, landed_files(tmp_path / "reference" / "raw")) == (0, expected | newest)
    for number in range(KILLS):
        order = Order("ingest", config, str(tmp_path / str(number)), 1)
        raw, before = tmp_path / str(number) / "raw", queries_of(postgresql)
        killed.append(run_killed(forked, order, draw.uniform(_BEGINS * seconds, seconds)))
        landed = {path.stem for path in raw.rglob("*.json")}
        ended, _ = run_whole(forked, order)
        asked = queries_of(postgresql) - before
        most = PARTITIONS + (PARTITIONS - len(landed)) + ("all" in landed)
        found.append((ended, landed_files(raw) in (expected, expected | newest), PARTITIONS <= asked <= most))

    assert found == [(0, True, True)] * KILLS
    assert killed.count(True) > KILLS / 4
