"""A run that is cancelled, in the UI or by a signal: it, its subflows and its task runs end Cancelled, where Prefect would crash them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect._internal import control_listener
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled

STILL_S = 1.2  # the recorder of task runs flushes every second: what has not come after that has come before
_HOOK_S = 10.0
_POLL_S = 0.1
_NOT_ENDED = [StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED, StateType.CANCELLING, StateType.CRASHED]
_MESSAGE = "The run was cancelled before this ended; the next run goes on from there."


@contextmanager
def signals_cancel() -> Iterator[None]:
    """Have Prefect take a signal that ends a flow in this process for a cancellation, and not for a crash.

    It is what its own runner tells a process before it sends the signal.
    """
    control_listener._set_intent("cancel")  # noqa: SLF001 - there is no other way to say so
    try:
        yield
    finally:
        control_listener.clear_intent()


async def cancel_parts(flow_run_id: UUID, limit_s: float) -> None:
    """Set to Cancelled what a cancelled flow run has left open or crashed of its subflows and task runs, as soon as Prefect has stored it.

    Raises:
        HTTPError, PrefectException: the Prefect API does not answer.

    """
    deadline = time.monotonic() + limit_s
    async with get_client() as client:
        await _cancel_found(client, flow_run_id)
        since = time.monotonic()
        while time.monotonic() < min(deadline, since + STILL_S):
            await asyncio.sleep(_POLL_S)
            if await _cancel_found(client, flow_run_id):
                since = time.monotonic()


async def _cancel_found(client: PrefectClient, flow_run_id: UUID) -> int:
    """Return how many subflows and task runs had not ended, or had crashed, and are Cancelled now."""
    of_run = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
    subflows = await client.read_flow_runs(flow_run_filter=of_run)
    task_runs = await client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id, *(each.id for each in subflows)])),
        task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_NOT_ENDED))),
    )
    found: list[Any] = [
        client.set_task_run_state(each.id, Cancelled(message=_MESSAGE), force=True) for each in task_runs
    ]
    found += [
        client.set_flow_run_state(each.id, Cancelled(message=_MESSAGE), force=True)
        for each in subflows
        if each.state_type in _NOT_ENDED
    ]
    await asyncio.gather(*found)
    return len(found)


async def end_parts(flow: Any, flow_run: FlowRun, state: Any) -> None:  # noqa: ARG001 - Prefect gives all three, by name
    """Cancel the parts of a flow run that is cancelled from outside its process; a subflow's are its parent's."""
    if flow_run.parent_task_run_id is None:
        await cancel_parts(flow_run.id, _HOOK_S)
