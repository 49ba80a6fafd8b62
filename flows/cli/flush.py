"""Wait until all that a run told Prefect is stored."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
from prefect.client.base import PrefectHttpxSyncClient
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from flows.cli.prefect_api import PrefectApi

QUEUES_S = 10.0
STORED_S = 15.0
_STILL_S = 1.2  # the recorder flushes every second: counts that stay the same for longer are the last word
_POLL_S = 0.1
_OPEN_STATES = ["PENDING", "RUNNING", "SCHEDULED"]


def flush(api: PrefectApi, flow_run_id: UUID | None, limit_s: float = STORED_S) -> None:
    """Send what is queued, and wait until the temporary server has stored every task run of a flow run.

    Task runs that a killed process left open are then set to Crashed. A server that is busy with its database, for which
    it answers 503, is asked again; one that stays so is warned of, as what the run has made is there all the same.
    """
    EventsWorker.drain_all(timeout=min(QUEUES_S, limit_s))
    APILogWorker.drain_all(timeout=min(QUEUES_S, limit_s))
    if api.server is None or flow_run_id is None:
        return
    try:
        with PrefectHttpxSyncClient(base_url=api.url, headers=api.headers, timeout=QUEUES_S) as http:
            _settle(http, flow_run_id, limit_s)
    except httpx.HTTPError as error:
        print(
            f"warning: the temporary Prefect server at {api.url} does not say whether it has stored the run's tasks "
            f"({str(error).splitlines()[0]}); its UI may show some of them as running",
            file=sys.stderr,
        )


def _settle(http: httpx.Client, flow_run_id: UUID, limit_s: float) -> None:
    """Wait until every task run of a flow run is stored, and set those that are still open to Crashed."""
    flow_runs = [str(flow_run_id), *_children(http, flow_run_id)]
    _wait_until_still(lambda: (_count(http, flow_runs), _count(http, flow_runs, _OPEN_STATES)), limit_s)
    for task_run in _open_task_runs(http, flow_runs):
        state = {"type": "CRASHED", "message": "The run ended before this task did."}
        http.post(f"/task_runs/{task_run}/set_state", json={"state": state, "force": True})


def _wait_until_still(counts: Callable[[], tuple[int, int]], limit_s: float) -> None:
    """Wait until counts have not changed for as long as what was sent before may lie with the recorder."""
    since = time.monotonic()
    deadline, before = since + limit_s, counts()
    while time.monotonic() < min(deadline, since + _STILL_S):
        time.sleep(_POLL_S)
        now = counts()
        if now != before:
            before, since = now, time.monotonic()


def _children(http: httpx.Client, flow_run_id: UUID) -> list[str]:
    query = {"flow_runs": {"parent_flow_run_id": {"any_": [str(flow_run_id)]}}}
    return [run["id"] for run in http.post("/flow_runs/filter", json=query).raise_for_status().json()]


def _count(http: httpx.Client, flow_runs: list[str], states: list[str] | None = None) -> int:
    return int(http.post("/task_runs/count", json=_query(flow_runs, states)).raise_for_status().json())


def _open_task_runs(http: httpx.Client, flow_runs: list[str]) -> list[str]:
    found = http.post("/task_runs/filter", json=_query(flow_runs, _OPEN_STATES)).raise_for_status()
    return [run["id"] for run in found.json()]


def _query(flow_runs: list[str], states: list[str] | None) -> dict[str, Any]:
    query: dict[str, Any] = {"flow_runs": {"id": {"any_": flow_runs}}}
    return query | ({"task_runs": {"state": {"type": {"any_": states}}}} if states else {})
