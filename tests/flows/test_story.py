"""What a person reads of a run in its log and its states."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.base import PrefectHttpxSyncClient
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from flows.pipeline import pipeline
from flows.stage import in_words
from tasks.config import Pipeline, read_pipeline
from tasks.core.memory import Memory
from tests.flows.conftest import TOUR, ToldRun

pytestmark = pytest.mark.flow

_STORED_S = 90.0
_LEFT_BYTES = 80 * 1024  # in which a run notes that it goes on, and its summary, but no rows
ROWS = "id,x,y,late\n" + "".join(f"{number},{number % 7},{number % 5},{number % 2}\n" for number in range(2_000))
TRAINING = {
    "query": "SELECT x, y, late FROM rows",
    "target": "late",
    "candidates": {"logistic": {"estimator": "sklearn.linear_model.LogisticRegression"}},
}


def read_logs(address: str, flow_run: str) -> list[dict[str, Any]]:
    """Return the lines that the Logs tab of a run's page shows."""
    APILogWorker.drain_all()
    with PrefectHttpxSyncClient(base_url=address) as api:
        query = {"logs": {"flow_run_id": {"any_": [flow_run]}}, "sort": "TIMESTAMP_ASC"}
        lines: list[dict[str, Any]] = api.post("/logs/filter", json=query).json()
    return lines


def read_parts(address: str, flow_run: str) -> list[dict[str, Any]]:
    """Return the flow runs of a run's stages."""
    with PrefectHttpxSyncClient(base_url=address) as api:
        query = {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run]}}}
        runs: list[dict[str, Any]] = api.post("/flow_runs/filter", json=query).json()
    return runs


def files(tmp_path: Path, name: str, **sections: Any) -> Pipeline:
    """Return a pipeline of the files in an inbox, which is outside the data folder."""
    (tmp_path / "inbox").mkdir(exist_ok=True)
    (tmp_path / "inbox" / "rows.csv").write_text(ROWS)
    source = {"kind": "files", "path": str(tmp_path / "inbox" / "*.csv")}
    return Pipeline.model_validate({"name": name, "sources": {"rows": source}, **sections})


async def state_of(config: Pipeline, data: Path, **options: Any) -> State[Any]:
    """Return the state in which a run ends."""
    state: State[Any] = await pipeline(config, data, **options, return_state=True)
    return state


def test_the_log_of_a_run_is_its_story(prefect_server: str, tour_run: ToldRun) -> None:
    """Between 10 and 40 lines, none twice: what began, came, is held, was trained and serves; its stages log nothing beside it."""
    run = tour_run.flow_run

    lines = [line["message"] for line in read_logs(prefect_server, run)]
    others = [line for part in read_parts(prefect_server, run) for line in read_logs(prefect_server, part["id"])]

    assert 10 <= len(lines) <= 40
    assert len(set(lines)) == len(lines)
    assert others == []
    told = "\n".join(lines)
    for pattern in (
        r"^The pipeline tour begins, in .*: 3 sources: articles \(pages\), users \(api\), iris \(files\); 3 candidates",
        r"^ingest articles: 18 rows by \d+ requests, [\d,]+ bytes",
        r"^ingest users: 5 rows of 5 partitions by \d+ requests, [\d,]+ bytes",
        r"^convert iris: 150 rows \(a new table\) of \d+ columns, 3 files read in",
        r"^train: 150 rows of \d+ columns to learn species from$",
        r"^train svc: accuracy 0\.\d+ \(.*\), .* on the hold-out, fitted in",
        r"^train: v0001-\w+ \(\w+\) serves since .*: v0001-\w+ is the first version$",
        r"^Done in [\d.]+ s\. Completed without a warning: 173 rows in 3 tables, v0001-\w+ \(\w+\) serves$",
    ):
        assert re.search(pattern, told, re.MULTILINE), pattern


def test_a_run_of_the_command_line_stores_the_path_of_its_file(prefect_server: str, tour_run: ToldRun) -> None:
    """As a deployment's does: the pipeline in full takes as much of Prefect's database as ten lines of the log."""
    with PrefectHttpxSyncClient(base_url=prefect_server) as api:
        parameters = api.get(f"/flow_runs/{tour_run.flow_run}").json()["parameters"]

    assert parameters["config"] == str(TOUR)


async def test_a_failed_run_says_why_in_its_states_and_at_the_end_of_its_log(
    prefect_server: str, tmp_path: Path
) -> None:
    """The cause and the cure, once, and no traceback; the stage's state says the same, and the summary names the source."""
    config = files(tmp_path, "missing", training=TRAINING)
    (tmp_path / "inbox" / "rows.csv").unlink()

    state = await state_of(config, tmp_path / "data")

    run = str(state.state_details.flow_run_id)
    lines = await asyncio.to_thread(read_logs, prefect_server, run)
    cause = f"source rows: no file matches {tmp_path}/inbox/*.csv; put the files there, or correct path"
    assert (state.name, state.message) == ("Failed", cause)
    assert {part["state"]["message"] for part in read_parts(prefect_server, run) if part["state_type"] == "FAILED"} == {
        cause
    }
    assert [line["message"] for line in lines].count(cause) == 1
    assert re.fullmatch(r"Failed after .* s; what is finished is kept, .*", lines[-1]["message"])
    assert not any("Traceback" in line["message"] for line in lines)
    summary = json.loads((tmp_path / "data" / "summary.json").read_text())
    assert summary["sources"]["rows"]["error"] == cause


async def test_of_what_nobody_foresaw_the_traceback_comes_last(prefect_server: str, tmp_path: Path) -> None:
    """The state says what it was, and where in our own code."""

    async def fall() -> None:
        raise KeyError("nowhere")

    @flow
    async def odd() -> Any:
        return await in_words(fall(), tmp_path)

    state: State[Any] = await odd(return_state=True)

    lines = await asyncio.to_thread(read_logs, prefect_server, str(state.state_details.flow_run_id))
    assert re.match(
        r"KeyError: 'nowhere' \(tests/flows/test_story\.py, line \d+\); nobody foresaw this", state.message or ""
    )
    assert lines[0]["message"] == state.message
    assert ["Traceback" in line["message"] for line in lines] == [False, False, True]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder that is a disk of 2 MiB; skipped where none may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


@pytest.mark.usefixtures("prefect_server")
def test_a_full_disk_names_path_and_cure_in_every_stage(tmp_path: Path, small_disk: Path) -> None:
    """Tables made by SQL, the training set, an export, convert; and where there is no room for the run itself."""
    numbers = random.Random(7)
    rows = (f"{number},{numbers.random()},{numbers.random()},{number % 2}\n" for number in range(20_000))
    (tmp_path / "rows.csv").write_text("id,x,y,late\n" + "".join(rows))
    sections = {"tables": {"daily": {"query": "SELECT id, x FROM rows"}}, "training": TRAINING}
    source = {"kind": "files", "path": str(tmp_path / "rows.csv")}
    export = {"rows": {"to": str(small_disk / "rows.parquet")}}
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps({"name": "full", "sources": {"rows": source}, **sections, "export": export}))
    config, data = read_pipeline(path), small_disk / "data"
    assert asyncio.run(state_of(config, data, only="convert")).name == "Completed"
    with (small_disk / "fill").open("wb", buffering=0) as file:
        file.write(bytes(small_disk_room(small_disk) - _LEFT_BYTES))

    states = {stage: asyncio.run(state_of(config, data, only=stage)) for stage in ("tables", "train", "export")}
    states["convert"] = asyncio.run(state_of(config, data, only="convert", fresh=True))

    with (small_disk / "more").open("wb", buffering=0) as file:
        file.write(bytes(small_disk_room(small_disk)))
    states["whole"] = asyncio.run(state_of(config, data))

    for stage, state in states.items():
        assert state.name == "Failed", stage
        said = rf"^[^:]*(: )?{small_disk}/\S* cannot be written \(No space left on device\); make room there$"
        assert re.match(said, state.message or ""), (stage, state.message)


def small_disk_room(folder: Path) -> int:
    """Return the bytes that are free on a disk."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_bsize


async def test_a_run_that_changes_nothing_shows_its_report_alone(
    prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is as it was is not stored again, and told in a line; the report leads to it, and says what changed where something did."""
    config = files(tmp_path, "steady")
    monkeypatch.setattr("tasks.estimate.pipeline.find_memory", lambda: Memory(0, 0))

    first, second = await state_of(config, tmp_path / "data"), await state_of(config, tmp_path / "data")
    third = await state_of(config, tmp_path / "data")
    (tmp_path / "inbox" / "more.csv").write_text("id,x,y,late,note\n5000,1,1,0,new\n")
    fourth = await state_of(config, tmp_path / "data")

    told = [
        await asyncio.to_thread(read_logs, prefect_server, str(each.state_details.flow_run_id))
        for each in (first, third)
    ]
    needed = "convert rows: needs about 1.0 MB of memory, and about 0 B are there; "
    assert [[place for place, line in enumerate(run) if line["message"].startswith(needed)] for run in told] == [
        [1],
        [],
    ]
    shown = [_artifacts(prefect_server, each) for each in (first, second, third, fourth)]
    assert "steady-profile-rows" in shown[0]
    assert list(shown[2]) == ["steady-run"]
    assert "Nothing: 1 source had nothing new." in shown[2]["steady-run"]["data"]
    assert "Nothing: 1 table with 2,000 rows are as they were." in shown[2]["steady-run"]["data"]
    assert await asyncio.to_thread(_count_signs_of_life, prefect_server, third) == [1, 0, 0]
    (link,) = re.findall(r"\[steady-tables\]\(/artifacts/artifact/([0-9a-f-]+)\)", shown[2]["steady-run"]["data"])
    assert link == shown[1]["steady-tables"]["id"]
    report = shown[3]["steady-run"]["data"]
    assert "| rows | 2,000 | 2,001 | +1 | 0 | 0 |" in report
    assert "note (string) is new" in report


def _artifacts(address: str, state: State[Any]) -> dict[str, dict[str, Any]]:
    """Return what a run and its stages have stored, by key; progress aside."""
    run = str(state.state_details.flow_run_id)
    runs = [run, *(part["id"] for part in read_parts(address, run))]
    with PrefectHttpxSyncClient(base_url=address) as api:
        query = {"artifacts": {"flow_run_id": {"any_": runs}}}
        found = api.post("/artifacts/filter", json=query).json()
    return {each["key"]: each for each in found if each["key"] and each["type"] != "progress"}


def _count_signs_of_life(address: str, state: State[Any]) -> list[int]:
    """Return how many of them Prefect has stored of a run and of each of its stages, once it has stored that the run has one."""
    EventsWorker.drain_all(timeout=10)
    run = str(state.state_details.flow_run_id)
    deadline = time.monotonic() + _STORED_S
    with PrefectHttpxSyncClient(base_url=address) as api:
        while True:
            found = []
            for each in (run, *(part["id"] for part in read_parts(address, run))):
                asked = {
                    "event": {"name": ["prefect.flow-run.heartbeat"]},
                    "resource": {"id": [f"prefect.flow-run.{each}"]},
                }
                found.append(api.post("/events/filter", json={"filter": asked}).json()["total"])
            if found[0] or time.monotonic() > deadline:
                return found
            time.sleep(0.2)
