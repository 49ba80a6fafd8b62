"""Runs that are killed, what Prefect shows of them afterwards, and how they are gone on with."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd
import pytest

from flows.cli.main import run_command
from tasks.core.runs import read_runs
from tasks.core.storage import DataFolder
from tests.convert.conftest import write_files
from tests.flows.conftest import Tidemill

pytestmark = pytest.mark.flow

_WAIT_S = 120
OPEN = ["RUNNING", "PENDING", "SCHEDULED", "CANCELLING"]
PIPELINE = """name: shop
sources:
  rows: {kind: files, path: inbox/rows.csv}
tables:
  made: {python: 'prepare:made', inputs: [rows]}
"""
SLOW = """import pathlib
import time

def made(rows):
    while pathlib.Path(HELD).exists():
        time.sleep(0.1)
    return rows.assign(b=rows["a"] * 2)
"""


def states(url: str, flow_run_id: str) -> dict[str, str]:
    """Return the states of a flow run, of its subflows and of all their task runs, by name."""
    of = {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run_id]}}}
    inner = httpx.post(f"{url}/flow_runs/filter", json=of).json()
    run = httpx.get(f"{url}/flow_runs/{flow_run_id}").json()
    ids = [flow_run_id, *(each["id"] for each in inner)]
    tasks = httpx.post(f"{url}/task_runs/filter", json={"flow_runs": {"id": {"any_": ids}}}).json()
    return {each["name"]: each["state_type"] for each in (run, *inner, *tasks)}


def wait_for(truth: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + _WAIT_S
    while not truth():
        assert time.monotonic() < end, "it has not come so far"
        time.sleep(0.1)


def test_a_killed_run_is_crashed_and_resumed(
    prefect_server: str, tidemill: Tidemill, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It, its subflow and its task are Crashed once `resume` has begun, which ends with what a run that nobody killed makes."""
    data, held = tmp_path / "data", tmp_path / "held"
    data.mkdir()
    write_files(data, rows_csv="id,a\n1,2\n2,3\n")
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "prepare.py").write_text(SLOW.replace("HELD", repr(str(held))))
    held.touch()
    process = tidemill.start("run", tmp_path / "pipeline.yaml", "--data", data)
    wait_for(
        lambda: (
            [*data.glob("runs/*/run.json")] != []
            and "RUNNING" in states(prefect_server, _id(data)).get("table made", "")
        )
    )
    killed = _id(data)
    goes_on = run_command(["resume", killed, "--data", str(data)])
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = states(prefect_server, killed)
    held.unlink()

    code = run_command(["resume", "--data", str(data)])

    told = capsys.readouterr()
    after = states(prefect_server, killed)
    assert (goes_on, code) == (2, 0)
    assert f"error: run {killed} of shop" in told.err
    assert "goes on; wait until it has ended" in told.err
    assert f"resume: run {killed} of shop" in told.out
    assert "resume: 1 of 2 tables are there" in told.out
    assert before["shop"] == before["shop tables"] == before["table made"] == "RUNNING"
    assert (after["shop"], after["shop tables"], after["table made"]) == ("CRASHED", "CRASHED", "CRASHED")
    assert not set(after.values()) & {*OPEN}
    assert after["shop convert"] == "COMPLETED"
    made = pd.read_parquet((data / "tables" / "made").resolve())
    assert made.to_dict("list") == {"id": [1, 2], "a": [2, 3], "b": [4, 6]}
    assert [run.end for run in read_runs(DataFolder.at(data))] == ["completed", "killed"]
    assert run_command(["resume", "--data", str(data)]) == 2
    assert "completed: nothing of it is left to do" in capsys.readouterr().err
    assert json.loads((data / "summary.json").read_text())["flow_run_id"] == _id(data)


def test_there_is_nothing_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence says so, and what to do."""
    assert run_command(["resume", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: --data: no run has left anything in {tmp_path}; begin one by run\n"


def _id(data: Path) -> str:
    return read_runs(DataFolder.at(data))[0].flow_run_id
