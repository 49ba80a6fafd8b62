"""Automations of the Prefect server that are Tidemill's own: made, brought up to date and taken away by what owns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.settings import get_current_settings

_COMPARED = {"description", "trigger", "actions"}
"""What is brought up to date; that one is switched off in the UI is left so."""


@dataclass(frozen=True)
class Changes:
    """The names of the automations that were made, brought up to date and removed; nothing where all stood as wanted."""

    made: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def ui_address() -> str:
    """Return the address of the UI of the configured Prefect API."""
    settings = get_current_settings()
    return settings.ui_url or str(settings.api.url).removesuffix("/api")


async def sync_automations(client: PrefectClient, owner: str, wanted: Sequence[AutomationCore]) -> Changes:
    """Have `owner`, e.g. tidemill.pipeline.flights, own the automations that are wanted, and no other.

    Automations are told apart by their names; what stands as it is wanted is left as it is.
    """
    standing: dict[str, Automation] = {}
    surplus: list[Automation] = []
    for automation in await client.read_resource_related_automations(owner):
        if automation.name in standing:
            surplus.append(automation)
        standing.setdefault(automation.name, automation)
    made, updated = [], []
    for each in wanted:
        before = standing.pop(each.name, None)
        if before is not None and _is_as(before, each):
            continue
        enabled = before is None or before.enabled
        await client.create_automation(each.model_copy(update={"owner_resource": owner, "enabled": enabled}))
        if before is None:
            made.append(each.name)
        else:  # another takes its place: what Prefect's client sends to change one lacks the kind of its actions
            updated.append(each.name)
            await client.delete_automation(before.id)
    for former in (*standing.values(), *surplus):
        await client.delete_automation(former.id)
    return Changes(tuple(made), tuple(updated), tuple(each.name for each in (*standing.values(), *surplus)))


def _is_as(standing: Automation, wanted: AutomationCore) -> bool:
    return standing.model_dump(include=_COMPARED) == wanted.model_dump(include=_COMPARED)
