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
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.states import Crashed

# A run gives a sign of life every three minutes, unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY says otherwise.
SILENCE = timedelta(minutes=10)
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_PAGE = 200


@dataclass(frozen=True)
class KilledRun:
    """A run of Prefect's whose process is gone, and by what that is known."""

    id: UUID
    name: str
    sign: str


def find_killed_runs(client: SyncPrefectClient, silence: timedelta = SILENCE) -> list[KilledRun]:
    """Return the runs that are over, one way or another, without Prefect knowing of it; those within others come last."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=_OPEN))
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=state), sort=FlowRunSort.START_TIME_ASC, limit=_PAGE
    )
    killed: dict[UUID, KilledRun] = {}
    for run in sorted(found, key=lambda run: run.parent_task_run_id is not None):
        sign = _over_with(client, run, killed) if run.parent_task_run_id else _silent(client, run, silence)
        if sign is not None:
            killed[run.id] = KilledRun(run.id, run.name, sign)
    return list(killed.values())


def mark_crashed(client: SyncPrefectClient, run: KilledRun) -> None:
    """Set a killed run, and what is open of its tasks, to Crashed: this also gives back the slot of a concurrency limit."""
    crashed: State[Any] = Crashed(message=f"The process was killed: {run.sign}.")
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    state = TaskRunFilterState(type=TaskRunFilterStateType(any_=_OPEN))
    for task in client.read_task_runs(flow_run_filter=mine, task_run_filter=TaskRunFilter(state=state), limit=_PAGE):
        client.set_task_run_state(task.id, crashed, force=True)
    client.set_flow_run_state(run.id, crashed, force=True)


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
