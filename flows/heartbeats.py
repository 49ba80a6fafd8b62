"""Runs that give no sign of life any longer: an automation of the Prefect server sets them to Crashed."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.automations import Changes, sync_automations
from flows.killed_runs import within

OWNER = "tidemill.recovery"
_BEAT = "prefect.flow-run.heartbeat"
_FLOWS = ["pipeline", "ingest", "convert", "tables", "train", "export", "predict"]
# By the names of states, of which a skipped run has its own.
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Skipped", "Paused", "Suspended", "AwaitingRetry", "Scheduled")


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
