"""A run that is killed in each of its stages, one after the other, and gone on with each time: what Prefect shows, and what it comes to."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flows.cli.main import run_command
from tasks.core.runs import BegunRun, read_runs
from tasks.core.storage import DataFolder
from tests.convert.conftest import write_files
from tests.flows.conftest import Tidemill
from tests.flows.test_resume import OPEN, states, wait_for
from tests.hosting import hosting
from tests.thorough import takes_minutes

pytestmark = pytest.mark.flow

STAGES = ("ingest", "convert", "tables", "train")
SEEDS = (1, 2, 3)
"""By which the moment of each kill is drawn."""
PARTITIONS, ROWS = 6, 2_000
GROWN, NEWEST = 50, 6
"""Rows of a source that grows, and how many of them a run is given again that asks for what is new: they are as new as the newest."""
_WAIT_S, _LATER_S = 120.0, 0.5
PIPELINE = """name: shop
sources:
  items: {{kind: api, url: "{site}/items", partitions: {{n: {{range: [1, {partitions}]}}}}, params: {{n: "{{n}}"}}}}
  grown: {{kind: api, url: "{site}/since", incremental: {{field: at, param: since, start: 0}}, key: [id]}}
  rows: {{kind: files, path: inbox/rows.csv}}
tables:
  made: {{python: 'prepare:made', inputs: [rows]}}
training:
  query: SELECT a, c, late FROM made
  target: late
  split: {{by: random, test_fraction: 0.2, folds: 3}}
  metric: roc_auc
  learning_curve: false
  candidates:
    logistic: {{estimator: sklearn.linear_model.LogisticRegression}}
"""
PREPARE = """import time

def made(rows):
    time.sleep(1)
    return rows.assign(b=rows["a"] * 2)
"""


def _items(request: Request) -> JSONResponse:
    number = int(request.query_params["n"])
    time.sleep(0.2)
    return JSONResponse([{"id": number * 10 + each, "v": (number * 7 + each) % 5} for each in range(10)])


def _since(request: Request) -> JSONResponse:
    rows = [{"id": number, "at": min(number, GROWN - NEWEST)} for number in range(GROWN)]
    return JSONResponse([row for row in rows if row["at"] >= int(request.query_params["since"])])


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a pipeline file with something for each of the stages to do."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "prepare.py").write_text(PREPARE)
    listener = socket.create_server(("127.0.0.1", 0))
    with hosting(Starlette(routes=[Route("/items", _items), Route("/since", _since)]), listener):
        site = f"http://127.0.0.1:{listener.getsockname()[1]}"
        (folder / "pipeline.yaml").write_text(PIPELINE.format(site=site, partitions=PARTITIONS))
        yield folder / "pipeline.yaml"


def inbox(data: Path) -> Path:
    """Write the file that is converted."""
    data.mkdir()
    rows = (f"{n},{n * 37 % 101},{n * 53 % 89},{n * 37 % 101 + n % 5 > 60}" for n in range(ROWS))
    write_files(data, rows_csv="\n".join(["id,a,c,late", *rows, ""]))
    return data


@pytest.fixture(scope="module")
def undisturbed(prefect_server: str, pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what a run comes to that nobody kills."""
    assert prefect_server
    data = inbox(tmp_path_factory.mktemp("reference") / "data")
    assert run_command(["run", str(pipeline), "--data", str(data)]) == 0
    return outcome(data)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder with the file that is converted, beside a folder of temporary files of its own."""
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return inbox(tmp_path / "data")


@pytest.mark.parametrize("seed", SEEDS)
@takes_minutes("it runs a pipeline six times")
def test_a_run_is_killed_in_each_stage(
    seed: int,
    pipeline: Path,
    undisturbed: Any,
    tidemill: Tidemill,
    kept: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each that was killed is Crashed with all of its parts once the next has begun, and the last one ends as one that nobody kills, with nothing left in the folder of temporary files."""
    data, moments, prefect_server = kept, random.Random(seed), os.environ["PREFECT_API_URL"]
    asked: tuple[object, ...] = ("run", pipeline)
    for number, stage in enumerate(STAGES, 1):
        process = tidemill.start(*asked, "--data", data)
        run = wait_for_stage(stage, number, data, prefect_server)
        time.sleep(moments.random() * _LATER_S)
        if stage == STAGES[-1]:
            assert run_command(["resume", run.flow_run_id, "--data", str(data)]) == 2
            assert "goes on; wait until it has ended" in capsys.readouterr().err
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = states(prefect_server, run.flow_run_id)
        asked = ("resume",)

    with (data / "inbox" / "rows.csv").open("a") as file:
        file.write("no row\n")  # so that the last one reads the file again
    assert run_command(["resume", "--data", str(data)]) == 0
    told = capsys.readouterr().out
    assert run_command(["resume", "--data", str(data)]) == 2

    assert f"resume: run {run.flow_run_id} of shop" in told
    assert "4 of 4 tables are there" in told
    assert "completed: nothing of it is left to do" in capsys.readouterr().err
    assert (before["shop"], before["shop tables"], before["shop train"]) == ("RUNNING", "COMPLETED", "RUNNING")
    assert [*Path(tempfile.gettempdir()).iterdir()] == []
    runs = read_runs(DataFolder.at(data))
    wait_for(lambda: not {*states(prefect_server, runs[0].flow_run_id).values()} & {*OPEN})  # Prefect stores them late
    seen = [states(prefect_server, run.flow_run_id) for run in runs]
    assert [run.end for run in runs] == ["completed", *["killed"] * len(STAGES)]
    assert [each["shop"] for each in seen] == ["COMPLETED", *["CRASHED"] * len(STAGES)]
    assert [{*each.values()} & {*OPEN} for each in seen] == [set()] * len(seen)
    assert outcome(data) == undisturbed
    summary = json.loads((data / "summary.json").read_text())
    assert summary["flow_run_id"] == runs[0].flow_run_id
    grown = summary["sources"]["grown"]
    assert {name: grown[name] for name in ("rows_received", "rows_table", "rows_duplicate", "rows_new")} == {
        "rows_received": GROWN + NEWEST,
        "rows_table": GROWN,
        "rows_duplicate": NEWEST,
        "rows_new": 0,
    }
    rows = summary["sources"]["rows"]
    assert {name: rows[name] for name in ("rows_received", "rows_table", "rows_rejected", "rows_new")} == {
        "rows_received": ROWS + 1,
        "rows_table": ROWS,
        "rows_rejected": 1,
        "rows_new": ROWS + 1,
    }


def wait_for_stage(stage: str, number: int, data: Path, url: str) -> BegunRun:
    """Return the last of so many runs when it has come to a stage."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        runs = read_runs(DataFolder.at(data))
        if len(runs) == number and f"shop {stage}" in states(url, runs[0].flow_run_id):
            return runs[0]
        time.sleep(0.05)
    raise AssertionError(f"it has not come to {stage}")


def outcome(data: Path) -> Any:
    """Return the rows of each table, the candidates with their scores, and how the last run ended."""
    tables = {
        name: pd.read_parquet((data / "tables" / name).resolve()).sort_values("id").to_dict("list")
        for name in ("items", "grown", "rows", "made")
    }
    summary = json.loads((data / "summary.json").read_text())
    return tables, [(line["name"], line["score"]) for line in summary["leaderboard"]], summary["status"]
