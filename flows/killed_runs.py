"""Runs that Prefect believes to be running, and whose process is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Crashed

_BEATS = 10 / 3  # so many signs of life may be missing: the last may have been on its way
_NEVER_S = 24 * 3600  # where runs are set to give none
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_PAGE = 200
KILLED = "The process was killed"


@dataclass(frozen=True)
class KilledRun:
    """A run of Prefect's whose process is gone, and by what that is known."""

    id: UUID
    name: str
    sign: str


def within() -> timedelta:
    """Return how long a run may give no sign of life: ten minutes, unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY is another than 180 s."""
    return timedelta(seconds=_BEATS * (get_current_settings().flows.heartbeat_frequency or _NEVER_S))


def find_killed_runs(client: SyncPrefectClient, silence: timedelta | None = None) -> list[KilledRun]:
    """Return the runs that are over, one way or another, without Prefect knowing of it; those within others come last."""
    patience = within() if silence is None else silence
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=_OPEN))
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=state), sort=FlowRunSort.START_TIME_ASC, limit=_PAGE
    )
    killed: dict[UUID, KilledRun] = {}
    for run in sorted(found, key=lambda run: run.parent_task_run_id is not None):
        sign = _over_with(client, run, killed) if run.parent_task_run_id else _silent(client, run, patience)
        if sign is not None:
            killed[run.id] = KilledRun(run.id, run.name, sign)
    return list(killed.values())


def crash_run(client: SyncPrefectClient, flow_run_id: UUID, sign: str, what: str = KILLED) -> bool:
    """Set a run that is over to Crashed, unless it has ended, and what it has left open; return whether the server knows it.

    This also gives back the slot of a concurrency limit.
    """
    try:
        run = client.read_flow_run(flow_run_id)
    except ObjectNotFound:
        return False
    crash_parts(client, flow_run_id, sign, what)
    if run.state_type in _OPEN:
        client.set_flow_run_state(flow_run_id, _crashed(sign, what), force=True)
    return True


def crash_parts(client: SyncPrefectClient, flow_run_id: UUID, sign: str, what: str = KILLED) -> None:
    """Set to Crashed what a run that is over has left open of its subflows and task runs."""
    inner = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
    subflows = client.read_flow_runs(flow_run_filter=inner, limit=_PAGE)
    whole = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id, *(each.id for each in subflows)]))
    open_tasks = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_OPEN)))
    while tasks := client.read_task_runs(flow_run_filter=whole, task_run_filter=open_tasks, limit=_PAGE):
        for task in tasks:
            client.set_task_run_state(task.id, _crashed(sign, what), force=True)
    for each in subflows:
        if each.state_type in _OPEN:
            client.set_flow_run_state(each.id, _crashed(sign, what), force=True)


def _crashed(sign: str, what: str) -> State[Any]:
    return Crashed(message=f"{what}: {sign}.")


def _over_with(client: SyncPrefectClient, run: FlowRun, killed: dict[UUID, KilledRun]) -> str | None:
    """Return by what a run within another is known to be over: the other is."""
    assert run.parent_task_run_id is not None
    task = client.read_task_run(run.parent_task_run_id)
    if task.flow_run_id is None:
        return None
    if task.flow_run_id in killed:
        return killed[task.flow_run_id].sign
    parent = client.read_flow_run(task.flow_run_id)
    if parent.state is None or not parent.state.is_final():
        return None
    return f"the run {parent.name} that it is part of is {parent.state.name}"


def _silent(client: SyncPrefectClient, run: FlowRun, silence: timedelta) -> str | None:
    """Return since when a run has given no sign of life, where that is too long."""
    now = datetime.now(UTC)
    began = run.start_time or (run.state.timestamp if run.state else now)
    last = max([began, *_heartbeats(client, run, now - silence)])
    return f"no sign of life since {last.astimezone():%d %b %H:%M}" if last < now - silence else None


def _heartbeats(client: SyncPrefectClient, run: FlowRun, since: datetime) -> Iterator[datetime]:
    beats = EventFilter(
        event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
        occurred=EventOccurredFilter(since=since),
    )
    yield from (event.occurred for event in client.read_events(filter=beats, limit=1).events)
