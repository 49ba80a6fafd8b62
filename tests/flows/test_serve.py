"""What `serve` tells, what it bears, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prefect import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule
from tenacity import AsyncRetrying, stop_after_delay, wait_fixed

from flows.cli.main import run_command
from flows.cli.prefect_api import PrefectApi
from flows.cli.runner import _Serving
from flows.deployments import Deployment
from tests.flows.conftest import Tidemill, group_is_gone, read_until
from tests.flows.scheduling import free_port, start_server, write_project
from tests.flows.test_run import copy_database
from tests.thorough import takes_minutes

FAST = {"name": "fast", "schedules": [{"interval": 15}]}


@pytest.fixture
def home(prefect_server: str, tmp_path: Path) -> Path:
    """Return a Prefect home with a migrated database, of this test alone."""
    assert prefect_server
    copy_database(Path(os.environ["PREFECT_HOME"]), tmp_path / "prefect")
    return tmp_path / "prefect"


@pytest.mark.flow
@takes_minutes("it starts two servers, and waits for schedules")
def test_serve_outlives_a_restart_of_its_server(home: Path, tmp_path: Path) -> None:
    """A server that is away is one line, and when it is back schedules go on firing; SIGTERM ends the command."""
    port = free_port()
    server = start_server(home, port)
    project = write_project(tmp_path / "project", FAST)
    environment = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_HOME": str(home)}
    process = Tidemill(environment, project).start("serve")
    try:
        first = read_until(process, r"fast +Completed after \d")
        server.kill()
        server.wait()
        away = read_until(process, "does not answer")
        server = start_server(home, port)
        again = read_until(process, "answers again")
        after = read_until(process, r"fast +Completed after \d")
        os.kill(process.pid, signal.SIGTERM)
        rest = process.stdout.read() if process.stdout else ""
    finally:
        gone = group_is_gone(process)
        server.terminate()
        server.wait()

    told = first + away + again + after + rest
    assert (gone, process.returncode) == (True, 0)
    assert "serving pipeline/fast: every 15 s" in first
    assert re.search(r"^\d\d:\d\d:\d\d  fast  next run \w{3} \d\d \w{3} \d{4} \d\d:\d\d:\d\d$", first, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d:\d\d  fast  started$", first, re.MULTILINE)
    assert told.count("does not answer") == told.count("answers again") == 1
    assert "Traceback" not in told


@pytest.mark.flow
async def test_runs_that_are_added_after_the_pause_are_taken_away(prefect_server: str) -> None:
    """A scheduler that is making them when `serve` ends adds them to what is paused already, and workers run them."""
    async with get_client() as client, httpx.AsyncClient(base_url=prefect_server) as api:
        flow = await client.create_flow_from_name("paused")
        schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=1)))
        paused = await client.create_deployment(flow, "paused", schedules=[schedule])
        serving = await asyncio.to_thread(_Serving, PrefectApi(url=prefect_server), client, api, [])
        serving._served = {paused: Deployment(name="paused", entrypoint="flows.clean:clean")}
        query = {"deployments": {"id": {"any_": [str(paused)]}}}

        async def add() -> int:
            async for attempt in AsyncRetrying(stop=stop_after_delay(60), wait=wait_fixed(0.01)):
                with attempt:
                    assert (await client.read_deployment(paused)).paused
            await api.post(f"/deployments/{paused}/schedule", json={})
            return int((await api.post("/flow_runs/count", json=query)).json())

        async with serving._runner:
            adding = asyncio.create_task(add())
            await serving._end()
        added = await adding

        assert added > 0
        assert (await api.post("/flow_runs/count", json=query)).json() == 0
        await client.delete_deployment(paused)


@pytest.mark.parametrize(
    ("deployment", "sentence"),
    [
        ({"schedules": [{"cron": "61 5 * * *"}]}, 'schedules: cron "61 5 * * *": Invalid cron string: "61 5 * * *"; correct it'),
        (
            {"schedules": [{"cron": "0 5 * * *", "timezone": "America/New_Yrok"}]},
            'schedules: cron "0 5 * * *" America/New_Yrok: Invalid timezone: "America/New_Yrok" (specify in IANA tzdata '
            "format, for example, America/New_York); correct it",
        ),
        ({"schedules": [{"interval": -5}]}, "schedules: every -5 s: Input should be greater than 0 seconds; correct it"),
        ({"schedules": [{"rrule": "FREQ=DALY"}]}, "schedules: rrule \"FREQ=DALY\": Invalid RRule string \"FREQ=DALY\": invalid 'FREQ': DALY; correct it"),
        ({"schedules": [{"timezone": "UTC"}]}, "schedules.0: needs exactly one of cron, interval and rrule, and this is {'timezone': 'UTC'}; correct it"),
        ({"schedules": [{"chron": "0 5 * * *"}]}, "schedules.0.chron: unknown key; did you mean cron?"),
        ({"schedulse": []}, "schedulse: unknown key; did you mean schedules?"),
        ({"entrypoint": "flows.pipelin:pipeline"}, "entrypoint: 'flows.pipelin:pipeline' is no flow (No module named 'flows.pipelin'); write module:function, e.g. flows.pipeline:pipeline"),
        ({"entrypoint": "flows.stage:name_run"}, "entrypoint: 'flows.stage:name_run' is no flow (Function with name 'name_run' is not a flow. Make sure that it is decorated with '@flow'.); write module:function, e.g. flows.pipeline:pipeline"),
        ({"entrypoint": 5}, "entrypoint: Input should be a valid string, and this is 5; correct it"),
        ({"parameters": {"config": "gone.yaml"}}, "gone.yaml: there is no such pipeline file; check the path, or propose one with the command new"),
    ],
)  # fmt: skip
def test_a_wrong_deployment_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    deployment: dict[str, object],
    sentence: str,
) -> None:
    """It names the deployment, the key, the value and the cure, and nothing is served."""
    monkeypatch.chdir(write_project(tmp_path / "project", {"name": "wrong"} | deployment))

    code = run_command(["serve"])

    said = capsys.readouterr()
    place = "deployments.wrong: " if "config" in str(deployment) else "deployments.wrong."
    assert (code, said.out) == (2, "")
    assert said.err == f"error: prefect.yaml: {place}{sentence}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, r"there is none in .*; run the command where it is, or write one"),
        ("deployments: [", r"cannot be read: .*; mend the file"),
        ("[]", "deployments: is empty; add one"),
        ("deployments: []", "deployments: is empty; add one"),
        ("deployments: [5]", r"deployments\.1: .* and this is 5; correct it"),
        (
            "deployments: [{name: a, entrypoint: 'm:f'}, {name: a, entrypoint: 'm:f'}]",
            "deployments: two are named 'a'; give each a name of its own",
        ),
        (
            "deployments: [{name: a, entrypoint: 'm:f', work_pool: {job_variables: {env: {X: 1}}}},"
            " {name: b, entrypoint: 'm:f', work_pool: {job_variables: {env: {X: 2}}}}]",
            "deployments.b: another deployment gives X another value, .*; give it the same value, or run them by a worker",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str | None, sentence: str
) -> None:
    """It is told what is wrong with prefect.yaml, and nothing is served."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "prefect.yaml").write_text(text)

    code = run_command(["serve"])

    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1)
    assert re.fullmatch(f"error: prefect.yaml: {sentence}\n", said.err)
