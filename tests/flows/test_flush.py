"""Waiting until a run is stored, by a server that is busy with its database."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import httpx
import pytest
from prefect import flow, get_client, task
from prefect.client.schemas.objects import StateType
from prefect.states import Running
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.sample.server import listen
from flows.cli.flush import TaskRunsNoted, flush
from flows.cli.prefect_api import PrefectApi
from tests.hosting import hosting

pytestmark = pytest.mark.flow


@contextmanager
def busy(prefect_server: str, refusals: int) -> Iterator[PrefectApi]:
    """Stand before the real server and answer so many requests to each path with its 503 before they are passed on."""
    left: dict[str, int] = {}

    async def pass_on(request: Request) -> Response:
        path = request.url.path
        left[path] = left.get(path, refusals) - 1
        if left[path] >= 0:
            return Response('{"exception_message": "Service Unavailable"}', 503)
        async with httpx.AsyncClient() as http:
            url = f"{prefect_server}{path.removeprefix('/api')}"
            answer = await http.post(url, content=await request.body(), headers={"Content-Type": "application/json"})
        return Response(answer.content, answer.status_code, media_type="application/json")

    listener = listen(0)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with hosting(Starlette(routes=[Route("/{path:path}", pass_on, methods=["POST"])]), listener):
            yield PrefectApi(child, f"http://127.0.0.1:{listener.getsockname()[1]}/api")
    finally:
        child.communicate(b"\n")


@flow
def left_open() -> None:
    """Be a flow of which a task run is left open."""


@flow
def at_work() -> None:
    """Be a flow of one task."""
    task(lambda: None)()


def open_task_run() -> tuple[UUID, UUID]:
    """Make a flow run and a task run of it that is running; return their ids."""
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(left_open)
        made = {"flow_run_id": str(flow_run.id), "task_key": "left-open", "dynamic_key": "0", "name": "left-open"}
        state = Running().model_dump(mode="json", include={"type", "name"})
        answer = client.request("POST", "/task_runs/", json={**made, "state": state})
    return flow_run.id, UUID(answer.json()["id"])


@pytest.mark.parametrize("refusals", [0, 1, 2])
def test_a_busy_server_is_asked_again(prefect_server: str, refusals: int) -> None:
    """The task run that was left open is Crashed also where the database was locked at first."""
    flow_run, task_run = open_task_run()

    with busy(prefect_server, refusals) as api:
        flush(api, flow_run)

    with get_client(sync_client=True) as client:
        state = client.read_task_run(task_run).state
    assert state
    assert state.type == StateType.CRASHED


def test_a_run_that_succeeded_without_a_task_run_is_not_waited_for(
    prefect_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server has nothing of it to store later; of one with a task run it is asked."""
    for flow_to_run, asked in ((left_open, 0), (at_work, 1)):
        with TaskRunsNoted() as noted:
            flow_to_run()
        with busy(prefect_server, 999) as api:
            flush(api, uuid4(), limit_s=1.0, has_task_runs=noted.has_some)

        assert capsys.readouterr().err.count("does not say whether it has stored") == asked


def test_a_server_that_stays_busy_is_warned_of(prefect_server: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run whose tables are there has not failed because of it."""
    flow_run, _ = open_task_run()

    with busy(prefect_server, 999) as api:
        flush(api, flow_run, limit_s=1.5)

    told = capsys.readouterr().err
    assert told.startswith(f"warning: the temporary Prefect server at {api.url} does not say whether it has stored")
    assert "503" in told
    assert told.count("\n") == 1


def test_a_server_that_is_gone_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """It may have ended since it was last looked at."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with listen(0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/api"

    flush(PrefectApi(child, address), uuid4(), limit_s=1.5)

    assert re.search(r"does not say whether it has stored .* \(.*refused.*\)", capsys.readouterr().err)
