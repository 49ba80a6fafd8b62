"""Runs that give no sign of life any longer: an automation of the Prefect server sets them to Crashed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.flow_engine import BaseFlowRunEngine

from flows.automations import Changes, sync_automations
from flows.killed_runs import within

OWNER = "tidemill.recovery"
_BEAT = "prefect.flow-run.heartbeat"
_SHORT_S = 10.0  # each sign of life takes 3 kB of Prefect's database, and a stage in which nothing is new a second
_LOOK_S = 0.5
_FLOWS = ["pipeline", "ingest", "convert", "tables", "train", "export", "predict", "truth"]
# By the names of states, of which a skipped run has its own.
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Skipped", "Paused", "Suspended", "AwaitingRetry", "Scheduled")


_give_sign = BaseFlowRunEngine._emit_flow_run_heartbeat  # noqa: SLF001 - that it gives one at once, no setting says otherwise


def spare_short_stages() -> None:
    """Have a run within another give its first sign of life once it has gone on for ten seconds, which the other gives at once.

    Holds for this process, and may be called again.
    """
    BaseFlowRunEngine._emit_flow_run_heartbeat = _give_sign_unless_short  # type: ignore[assignment]  # noqa: SLF001 - as above


def _give_sign_unless_short(engine: BaseFlowRunEngine[Any, Any], *event: Any) -> None:
    """Give a sign of life; Prefect has a thread of its own for it, which may wait."""
    until = time.monotonic() + _SHORT_S  # whatever the server's clock says
    while _has_just_begun(engine.flow_run) and time.monotonic() < until:
        time.sleep(_LOOK_S)
    if not _is_over(engine.flow_run):
        _give_sign(engine, *event)


def _has_just_begun(run: FlowRun | None) -> bool:
    if run is None or run.state is None or run.parent_task_run_id is None or _is_over(run):
        return False
    return (datetime.now(UTC) - run.state.timestamp).total_seconds() < _SHORT_S


def _is_over(run: FlowRun | None) -> bool:
    return run is not None and run.state is not None and run.state.is_final()


async def sync_recovery(client: PrefectClient) -> Changes:
    """Have the server set runs of Tidemill to Crashed that give no sign of life any longer."""
    return await sync_automations(client, OWNER, [crash_silent_runs(within())])


def crash_silent_runs(silence: timedelta) -> AutomationCore:
    """Return the automation: a run that has given a sign of life, and within a time neither another nor an end, is Crashed."""
    return AutomationCore(
        name="tidemill: runs without a sign of life",
        description="Sets a run to Crashed whose process gives no sign of life any longer: it was killed, or its machine is gone.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": _FLOWS}),
            after={_BEAT},
            expect={_BEAT, *(f"prefect.flow-run.{name}" for name in _ENDS)},
            for_each={"prefect.resource.id"},
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"No sign of life for {silence.total_seconds():g} s: its process was killed, or its machine is gone. "
                "The next run, or python -m flows resume, goes on from there.",
            )
        ],
    )
