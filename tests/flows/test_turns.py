"""Runs of one pipeline that meet, and what was killed before one begins."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow, get_client, task
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.exceptions import CancelledRun
from prefect.states import Completed, Running

from flows.cli.main import EXIT_SKIPPED, run_command
from flows.pipeline import pipeline
from flows.turns import in_turn
from tasks.config import Pipeline
from tasks.core.errors import OverlapError
from tasks.core.runs import Asked, BegunRun, Turn, keep_run, read_runs
from tasks.core.storage import DataFolder
from tests.convert.conftest import write_files

pytestmark = pytest.mark.flow

SHOP = "name: shop\nsources:\n  rows: {kind: files, path: inbox/rows.csv}\n"


@pytest.fixture
def shop(prefect_server: str, tmp_path: Path) -> DataFolder:
    """Return a data folder with a file to convert."""
    assert prefect_server
    write_files(tmp_path, rows_csv="id,a\n1,2\n2,3\n")
    return DataFolder.at(tmp_path)


@pytest.fixture
def other(shop: DataFolder) -> Turn:
    """Return the turn of another run of the pipeline, which it has taken."""
    turn = Turn(shop, BegunRun.here("11111111-0000-0000-0000-000000000000", "shop", Asked(None)))
    (shop.root / "runs").mkdir()
    assert turn.take()
    return turn


def made(overlap: str) -> Pipeline:
    """Return the pipeline with what it does where another run goes on."""
    return Pipeline.model_validate(
        {"name": "shop", "overlap": overlap, "sources": {"rows": {"kind": "files", "path": "inbox/rows.csv"}}}
    )


def run_of(folder: DataFolder) -> FlowRun:
    """Return the last begun run of a data folder as the Prefect server has it."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(read_runs(folder)[0].flow_run_id)  # type: ignore[arg-type]


def test_a_run_is_skipped(shop: DataFolder, other: Turn) -> None:
    """It ends Cancelled, by the name Skipped, with whose turn it is; nothing is made."""
    with pytest.raises(CancelledRun, match="11111111-0000"):
        asyncio.run(pipeline(made("skip"), shop.root))

    state = run_of(shop).state
    assert state is not None
    assert (state.type.value, state.name) == ("CANCELLED", "Skipped")
    assert (state.message or "").startswith("skipped: another run goes on, 11111111-0000")
    assert (read_runs(shop)[0].end, shop.tables()) == ("skipped", {})
    other.give_back()


def test_a_skipped_command_has_an_exit_code_of_its_own(
    shop: DataFolder, other: Turn, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who schedules it tells it from one that failed."""
    file = shop.root / "pipeline.yaml"
    file.write_text(f"{SHOP}overlap: skip\n")

    code = run_command(["run", str(file), "--data", str(shop.root)])

    assert (code, EXIT_SKIPPED) == (3, 3)
    assert capsys.readouterr().err.startswith("error: skipped: another run goes on, 11111111-0000")
    assert read_runs(shop)[0].asked.file == str(file)
    other.give_back()


def test_a_run_fails(shop: DataFolder, other: Turn) -> None:
    """One sentence tells whose turn it is, and the cure."""
    with pytest.raises(OverlapError, match=r"another run goes on, 11111111-0000.*; wait until it has ended"):
        asyncio.run(pipeline(made("fail"), shop.root))

    assert read_runs(shop)[0].end == "failed"
    other.give_back()


def test_a_run_waits(shop: DataFolder, other: Turn) -> None:
    """Its state says for whom, and it completes when its turn has come; what was killed while it waited is Crashed then."""
    said = ""
    with get_client(sync_client=True) as client:
        killed = str(client.create_flow_run(pipeline, parameters={"config": "x"}, state=Running()).id)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(pipeline(made("wait"), shop.root)))
        while not said.startswith("The run waits") and not running.done():
            time.sleep(0.2)
            state = run_of(shop).state if read_runs(shop) else None
            said = (state.message if state else None) or ""
        waiting = read_runs(shop)[0].flow_run_id
        keep_run(shop, replace(BegunRun.here(killed, "shop", Asked(None)), began="2000-01-01T00:00:00+00:00"))
        other.give_back()

        assert running.result().status == "completed"
    assert said.startswith("The run waits for run 11111111-0000")
    assert [(run.flow_run_id, run.end) for run in read_runs(shop)] == [(waiting, "completed"), (killed, "killed")]
    assert list(shop.tables()) == ["rows"]
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(killed).state_name == "Crashed"  # type: ignore[arg-type]


def test_what_the_server_stores_late_of_a_killed_run_is_crashed(shop: DataFolder) -> None:
    """It stores task runs a second or more after it was told of them: as Running, when the run is Crashed already."""
    with get_client(sync_client=True) as client:
        killed = client.create_flow_run(pipeline, parameters={"config": "x"}, state=Running()).id
        keep_run(
            shop, replace(BegunRun.here(str(killed), "shop", Asked(None)), pid=0, began="2000-01-01T00:00:00+00:00")
        )
        late: list[TaskRun] = []

        async def work() -> Any:
            assert client.read_flow_run(killed).state_name == "Crashed"
            late.append(client.create_task_run(task(run_of), killed, "0", state=Running()))
            return Completed(data=SimpleNamespace(status="completed"))

        @flow(name="next")
        async def following() -> None:
            await in_turn(made("wait"), shop, Asked(None), work())

        asyncio.run(following())
        assert client.read_task_run(late[0].id).state_name == "Crashed"


def test_the_next_run_tells_of_one_that_had_lost_its_server(shop: DataFolder) -> None:
    """Prefect has it as Running, as nobody told how it ended; where its process lives it is left alone."""
    with get_client(sync_client=True) as client, subprocess.Popen([sys.executable, "-c", ""]) as gone:
        made_runs = [client.create_flow_run(pipeline, parameters={"config": "x"}, state=Running()).id for _ in range(2)]
        gone.wait()
        for run, pid, began in zip(made_runs, (gone.pid, os.getpid()), ("2000", "2001"), strict=True):
            begun = BegunRun.here(str(run), "shop", Asked(None))
            keep_run(shop, replace(begun, pid=pid, began=f"{began}-01-01T00:00:00+00:00", end="failed"))
            assert asyncio.run(pipeline(made("wait"), shop.root)).status == "completed"
            (shop.root / "runs" / read_runs(shop)[0].flow_run_id / "run.json").unlink()
        states = [client.read_flow_run(run).state for run in made_runs]

    assert [state.name for state in states if state] == ["Crashed", "Running"]
    assert states[0]
    assert (states[0].message or "").startswith("The run failed while the server did not answer: process ")
