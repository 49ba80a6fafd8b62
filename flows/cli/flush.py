"""Wait until all that a run told Prefect is stored."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any, Self
from uuid import UUID

import httpx
from prefect.events import Event
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectException
from prefect.logging.handlers import APILogWorker

from flows.cancellation import STILL_S, cancel_parts
from flows.cli.prefect_api import PrefectApi

QUEUES_S = 10.0
STORED_S = 15.0
_POLL_S = 0.1
_OPEN_STATES = ["PENDING", "RUNNING", "SCHEDULED"]


class TaskRunsNoted:
    """Notes in its block whether this process has task runs; where a flow succeeds, other processes have none without."""

    def __init__(self) -> None:
        self.has_some = False
        self._take = EventsWorker._prepare_item  # noqa: SLF001 - of a client of ours Prefect would send nothing

    def __enter__(self) -> Self:
        """Look at each event that is queued to be sent."""

        def take(worker: EventsWorker, event: Event) -> Event:
            self.has_some |= event.event.startswith("prefect.task-run.")
            return self._take(worker, event)

        EventsWorker._prepare_item = take  # type: ignore[assignment, method-assign]  # noqa: SLF001 - as above
        return self

    def __exit__(self, *_: object) -> None:
        """Look no longer."""
        EventsWorker._prepare_item = self._take  # type: ignore[method-assign]  # noqa: SLF001 - as above


def flush(
    api: PrefectApi,
    flow_run_id: UUID | None,
    limit_s: float = STORED_S,
    *,
    interrupted: bool = False,
    has_task_runs: bool = True,
) -> None:
    """Send what is queued, and wait until the temporary server has stored every task run of a flow run, where it has some.

    Task runs that a killed process left open are then set to Crashed; of a run that was interrupted, by any server, what
    did not end is set to Cancelled. A server that is busy with its database, for which
    it answers 503, is asked again within the limit; one that stays so, or is gone, is warned of, as what the run has made
    is there all the same.
    """
    EventsWorker.drain_all(timeout=min(QUEUES_S, limit_s))
    APILogWorker.drain_all(timeout=min(QUEUES_S, limit_s))
    if flow_run_id is None or not has_task_runs or (api.server is None and not interrupted):
        return
    try:
        if interrupted:
            asyncio.run(cancel_parts(flow_run_id, limit_s))
            return
        with httpx.Client(base_url=api.url, headers=api.headers, timeout=QUEUES_S) as http:
            _settle(_Server(http, time.monotonic() + limit_s), flow_run_id, limit_s)
    except (httpx.HTTPError, PrefectException) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        print(
            f"warning: the {'temporary ' if api.server else ''}Prefect server at {api.url} does not say whether it has stored the run's tasks "
            f"({told}); its UI may show some of them as running",
            file=sys.stderr,
        )


class _Server:
    """What is asked of the server, and until when it is asked again where its database is locked."""

    def __init__(self, http: httpx.Client, deadline: float) -> None:
        self._http, self._deadline = http, deadline

    def post(self, path: str, query: dict[str, Any]) -> httpx.Response:
        """Return the answer, as it is."""
        while True:
            answer = self._http.post(path, json=query)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() >= self._deadline:
                return answer
            time.sleep(_POLL_S)

    def ask(self, path: str, query: dict[str, Any]) -> Any:
        """Return the answer's value; raise HTTPStatusError where it is an error."""
        return self.post(path, query).raise_for_status().json()


def _settle(server: _Server, flow_run_id: UUID, limit_s: float) -> None:
    """Wait until every task run of a flow run is stored, and set those that are still open to Crashed."""
    children = {"flow_runs": {"parent_flow_run_id": {"any_": [str(flow_run_id)]}}}
    flow_runs = [str(flow_run_id), *(run["id"] for run in server.ask("/flow_runs/filter", children))]
    every, still_open = _query(flow_runs, None), _query(flow_runs, _OPEN_STATES)
    _wait_until_still(
        lambda: (server.ask("/task_runs/count", every), server.ask("/task_runs/count", still_open)), limit_s
    )
    for task_run in server.ask("/task_runs/filter", still_open):
        state = {"type": "CRASHED", "message": "The run ended before this task did."}
        server.post(f"/task_runs/{task_run['id']}/set_state", {"state": state, "force": True})


def _wait_until_still(counts: Callable[[], tuple[int, int]], limit_s: float) -> None:
    """Wait until counts have not changed for as long as what was sent before may lie with the recorder."""
    since = time.monotonic()
    deadline, before = since + limit_s, counts()
    while time.monotonic() < min(deadline, since + STILL_S):
        time.sleep(_POLL_S)
        now = counts()
        if now != before:
            before, since = now, time.monotonic()


def _query(flow_runs: list[str], states: list[str] | None) -> dict[str, Any]:
    query: dict[str, Any] = {"flow_runs": {"id": {"any_": flow_runs}}}
    return query | ({"task_runs": {"state": {"type": {"any_": states}}}} if states else {})
