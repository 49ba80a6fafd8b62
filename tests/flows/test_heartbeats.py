"""The automation that sets runs to Crashed that give no sign of life any longer."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from prefect import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.states import Running

from flows.automations import sync_automations
from flows.heartbeats import OWNER, crash_silent_runs, sync_recovery
from flows.pipeline import pipeline

pytestmark = pytest.mark.flow

_SILENCE_S = 10.0  # the least that Prefect takes
_WAIT_S = 90.0


async def test_serve_makes_it_once(prefect_server: str) -> None:
    """A second time it stands as it is."""
    assert prefect_server
    async with get_client() as client:
        await sync_automations(client, OWNER, [])  # which `deploy` makes, too
        first, again = await sync_recovery(client), await sync_recovery(client)
        await sync_automations(client, OWNER, [])

    assert (len(first.made), again.made, again.updated) == (1, (), ())


async def _own(*seconds: float) -> None:
    async with get_client() as client:
        await sync_automations(client, OWNER, [crash_silent_runs(timedelta(seconds=each)) for each in seconds])


async def test_a_silent_run_is_crashed(prefect_server: str) -> None:
    """A run that has given a sign of life and then none; another flow's is left as it is."""
    assert prefect_server
    await _own(_SILENCE_S)
    try:
        await asyncio.to_thread(_silence_two_runs)
    finally:
        await _own()


def _silence_two_runs() -> None:
    EventsWorker.drain_all(timeout=10)  # one that a run has begun says of each later event that it is of that run
    with get_client(sync_client=True) as client:
        ours, other = (
            client.create_flow_run(flow, parameters={"config": "x"}, name=name, state=Running())
            for name, flow in (("shop", pipeline), ("other", pipeline.with_options(name="other")))
        )
        for run, name in ((ours, "pipeline"), (other, "other")):
            emit_event(
                "prefect.flow-run.heartbeat",
                {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name},
                related=[
                    {
                        "prefect.resource.id": f"prefect.flow.{run.flow_id}",
                        "prefect.resource.role": "flow",
                        "prefect.resource.name": name,
                    }
                ],
            )
        EventsWorker.drain_all(timeout=10)
        deadline = time.monotonic() + _WAIT_S
        while client.read_flow_run(ours.id).state_type == StateType.RUNNING:
            assert time.monotonic() < deadline, "it is Running for ever"
            time.sleep(0.5)
        state = client.read_flow_run(ours.id).state

        assert state is not None
        assert (state.name, (state.message or "").split(":")[0]) == ("Crashed", "No sign of life for 10 s")
        kept = client.read_flow_run(other.id).state
        assert kept is not None
        assert (kept.type, kept.message) == (StateType.RUNNING, None)
        client.delete_flow_run(ours.id)
        client.delete_flow_run(other.id)
