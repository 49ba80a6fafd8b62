"""What Prefect shows of a run and of its parts, and a data folder in which there is nothing to go on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from flows.cli.main import run_command
from tasks.core.runs import Asked, BegunRun, keep_run
from tasks.core.storage import DataFolder

pytestmark = pytest.mark.flow

_WAIT_S = 120
OPEN = ["RUNNING", "PENDING", "SCHEDULED", "CANCELLING"]


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


def test_a_run_of_one_stage_leaves_the_others_to_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It completed: what it was asked for is told beside that nothing of it is left."""
    run = BegunRun.here("11111111-0000-0000-0000-000000000000", "shop", Asked("shop.yaml", only="ingest"))
    keep_run(DataFolder.at(tmp_path), replace(run, end="completed"))

    assert run_command(["resume", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith(
        "completed: nothing of it is left to do, as ingest alone was asked for; the other stages take another by run\n"
    )


def test_there_is_nothing_to_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence says so, and what to do."""
    assert run_command(["resume", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: --data: no run has left anything in {tmp_path}; begin one by run\n"
