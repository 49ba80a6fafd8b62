"""Automations that something owns: made once, brought up to date, and taken away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prefect import get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient
from prefect.events import EventTrigger
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import Automation, AutomationCore, Posture

from flows.alerts import AlertedPipeline, sync_alerts
from flows.automations import Changes, sync_automations
from flows.watch import owner_of
from tasks.config import Alert

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

OWNER = "tidemill.pipeline.owned"


def make_automation(name: str, within_s: int = 60) -> AutomationCore:
    """Return an automation on runs that do not end."""
    trigger = EventTrigger(
        after={"prefect.flow-run.Running"},
        expect={"prefect.flow-run.Completed", "prefect.flow-run.Failed"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        within=timedelta(seconds=within_s),
    )
    return AutomationCore(name=name, trigger=trigger, actions=[DoNothing()])


async def read_owned(client: PrefectClient) -> dict[str, Automation]:
    """Return the automations that stand, by name."""
    return {each.name: each for each in await client.read_resource_related_automations(OWNER)}


async def test_an_owner_has_the_automations_that_are_wanted_and_no_others() -> None:
    """The second time changes nothing; what differs is brought up to date, stays switched off, and the rest goes."""
    first, second = make_automation("owned: first"), make_automation("owned: second")
    async with get_client() as client:
        made = await sync_automations(client, OWNER, [first, second])
        before = await read_owned(client)
        again = await sync_automations(client, OWNER, [first, second])
        await client.pause_automation(before["owned: first"].id)
        changed = await sync_automations(client, OWNER, [make_automation("owned: first", within_s=120)])
        after = await read_owned(client)
        gone = await sync_automations(client, OWNER, [])

        assert await read_owned(client) == {}

    assert made == Changes(made=("owned: first", "owned: second"))
    assert again == Changes()
    assert changed == Changes(updated=("owned: first",), removed=("owned: second",))
    assert [(name, each.enabled, getattr(each.trigger, "within", None)) for name, each in after.items()] == [
        ("owned: first", False, timedelta(seconds=120))
    ]
    assert gone == Changes(removed=("owned: first",))


async def test_a_pipeline_that_has_another_name_leaves_no_alerts() -> None:
    """Those of its former name go, which would be told of the same runs; those of another project stay."""
    hook = CustomWebhookNotificationBlock(name="ops", url="http://127.0.0.1:1", json_data={"text": "{{body}}"})
    await hook.save("renamed-ops")
    alerts = [Alert.model_validate({"to": "renamed-ops", "when": ["failed", "check_failed"]})]
    async with get_client() as client:
        for name, deployment in (("former", "shop"), ("theirs", "others"), ("latter", "shop")):
            lines = await sync_alerts(client, {name: AlertedPipeline(alerts, [deployment], ["pipeline"])})
        names = ("former", "theirs", "latter")
        standing = [len(await client.read_resource_related_automations(owner_of(name))) for name in names]
        for name in names:
            await sync_automations(client, owner_of(name), [])

    assert standing == [0, 2, 2]
    assert lines == [
        "alert made: latter: failed -> renamed-ops",
        "alert made: latter: check failed -> renamed-ops",
        "alert removed: former: failed -> renamed-ops",
        "alert removed: former: check failed -> renamed-ops",
    ]
