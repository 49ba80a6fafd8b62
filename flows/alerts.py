"""The alerts of pipeline files as automations of Prefect: which events tell of each kind, and what a person is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.events import EventTrigger, ResourceSpecification
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.settings import get_current_settings

from flows.automations import Changes, sync_automations, ui_address
from flows.deployments import Deployment, read_deployments
from flows.heartbeats import sync_recovery
from flows.watch import EVENTS, owner_of, rows_down_resource
from tasks.config import Alert, AlertKind, write_duration
from tasks.core.errors import ConfigError

_STATE = "prefect.flow-run."
_ROLE, _NAME = "prefect.resource.role", "prefect.resource.name"
_MADE_OF = "Made of alerts in the file of pipeline "
_BEGUN = {"Pending", "Submitting", "InfrastructurePending", "Running"}
_ENDED = {"Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Skipped"}
_RUN = "{{ event.resource['prefect.resource.name'] }}"
_RUN_ID = "{{ event.resource['prefect.resource.id'] | replace('prefect.flow-run.', '') }}"
_MESSAGE = "{{ event.resource['prefect.state-message'] }}"
_DEPLOYMENT = (
    "{% for each in event.related if each.role == 'deployment' %}{{ each['prefect.resource.name'] }}{% endfor %}"
)

_CLASSES = {
    "custom-webhook": ("CustomWebhookNotificationBlock", "name='{name}', url='https://…', json_data={{'text': '{{{{subject}}}}: {{{{body}}}}'}}"),
    "slack-webhook": ("SlackWebhook", "url='https://hooks.slack.com/services/…'"),
    "ms-teams-webhook": ("MicrosoftTeamsWebhook", "url='https://…'"),
}  # fmt: skip


@dataclass
class AlertedPipeline:
    """What is told of a pipeline, and the names of the deployments and flows whose runs are watched."""

    alerts: list[Alert] = field(default_factory=list)
    deployments: list[str] = field(default_factory=list)
    flows: list[str] = field(default_factory=list)

    def add(self, deployment: Deployment, alerts: Iterable[Alert]) -> None:
        """Watch the runs of a deployment too."""
        self.alerts += [alert for alert in alerts if alert not in self.alerts]
        self.deployments.append(deployment.name)
        named = (deployment.flow, deployment.flow.replace("_", "-"))  # as Prefect names the flow of a function
        self.flows += [name for name in dict.fromkeys(named) if name not in self.flows]


def alerted_pipelines(deployments: Iterable[Deployment]) -> dict[str, AlertedPipeline]:
    """Return every pipeline that deployments run, by its name, with its alerts.

    Raises:
        ConfigError: a pipeline is missing or wrong.

    """
    found: dict[str, AlertedPipeline] = {}
    for deployment in deployments:
        for variable, value in deployment.environment.items():
            os.environ.setdefault(variable, value)  # which its pipeline file may need
        if (pipeline := deployment.read_pipeline()) is not None:
            found.setdefault(pipeline.name, AlertedPipeline()).add(deployment, pipeline.alerts)
    return found


async def register_alerts() -> None:
    """Have the server tell what the pipeline files of this folder's prefect.yaml say, and end silent runs; the step of `prefect deploy` for it.

    Raises:
        ConfigError: prefect.yaml or a pipeline file is wrong, or a block that it names is not there.

    """
    async with get_client() as client:
        for line in await sync_alerts(client, alerted_pipelines(read_deployments())):
            print(line)
        await sync_recovery(client)


async def sync_alerts(client: PrefectClient, pipelines: Mapping[str, AlertedPipeline]) -> list[str]:
    """Make the automations of alerts, bring them up to date, and take away those that are no more; return a line for each.

    Raises:
        ConfigError: a block is not there; nothing has changed.

    """
    blocks = await find_blocks(client, pipelines)
    lines: list[str] = []
    for name, pipeline in pipelines.items():
        changes = await sync_automations(client, owner_of(name), list(_automations(name, pipeline, blocks)))
        lines += _lines(changes)
    for name in await _find_former(client, pipelines):
        lines += _lines(await sync_automations(client, owner_of(name), []))
    return lines


async def _find_former(client: PrefectClient, pipelines: Mapping[str, AlertedPipeline]) -> list[str]:
    """Return the former names of pipelines: under them alerts are told of just the deployments that one of these has now."""
    deployed = [set(product(each.flows, each.deployments)) for each in pipelines.values()]
    former: set[str] = set()
    for automation in await client.read_automations():
        made, _, name = automation.description.partition(_MADE_OF)
        watched = _watched(automation.trigger) if name and not made else set()
        if watched and watched in deployed:
            former.add(name.partition(":")[0])
    return sorted(former - pipelines.keys())


def _watched(trigger: object) -> set[tuple[str, str]]:
    """Return the deployments whose runs a trigger waits for, each with its flow."""
    if not isinstance(trigger, EventTrigger):
        return set()
    related = trigger.match_related if isinstance(trigger.match_related, list) else [trigger.match_related]
    of_role = {role: each for each in related if _ROLE in each for role in each[_ROLE]}
    if not {"flow", "deployment"} <= of_role.keys():
        return set()
    return set(product(of_role["flow"][_NAME], of_role["deployment"][_NAME]))


def _lines(changes: Changes) -> Iterator[str]:
    for did, names in (("made", changes.made), ("updated", changes.updated), ("removed", changes.removed)):
        for name in names:
            yield f"alert {did}: {name}"


async def find_blocks(client: PrefectClient, pipelines: Mapping[str, AlertedPipeline]) -> dict[str, UUID]:
    """Return the notification blocks of all alerts, by what the alerts call them.

    Raises:
        ConfigError: one is not there, or several have its name.

    """
    names = list(dict.fromkeys(alert.to for each in pipelines.values() for alert in each.alerts))
    if not names:
        return {}
    query: dict[str, Any] = {
        "block_documents": {"name": {"any_": [name.rpartition("/")[2] for name in names]}},
        "block_schemas": {"block_capabilities": {"all_": ["notify"]}},
    }
    answer = await client.request("POST", "/block_documents/filter", json=query)
    known = {f"{each['block_type']['slug']}/{each['name']}": UUID(each["id"]) for each in answer.json()}
    found: dict[str, UUID] = {}
    mistakes: list[str] = []
    for name in names:
        meant = [full for full in known if name in (full, full.partition("/")[2])]
        if len(meant) == 1:
            found[name] = known[meant[0]]
        elif meant:
            mistakes.append(f"alerts: to: {' and '.join(sorted(meant))} are both called {name}; name one with its kind")
        else:
            mistakes.append(_missing(name))
    if mistakes:
        raise ConfigError(mistakes)
    return found


def _missing(block: str) -> str:
    """Return that a block is not there, and the command that makes it."""
    kind, _, name = block.rpartition("/")
    said = f"alerts: to: the Prefect server at {get_current_settings().api.url} has no notification block {block!r}"
    if kind and kind not in _CLASSES:
        return f"{said}; make one of the kind {kind} in its UI, under Blocks"
    class_name, arguments = _CLASSES[kind or "custom-webhook"]
    command = (
        f'python -c "from prefect.blocks.notifications import {class_name} as Block; '
        f"Block({arguments.format(name=name)}).save('{name}')\""
    )
    return f"{said}; make it, with the address that is to be told: {command}"


def _automations(name: str, pipeline: AlertedPipeline, blocks: Mapping[str, UUID]) -> Iterator[AutomationCore]:
    for alert in pipeline.alerts:
        for kind in dict.fromkeys(alert.when):
            subject, body = _write_message(name, kind, alert)
            action = SendNotification(
                type="send-notification", block_document_id=blocks[alert.to], subject=subject, body=body
            )
            yield AutomationCore(
                name=f"{name}: {kind.replace('_', ' ')}{_threshold(kind, alert)} -> {alert.to}",
                description=f"{_MADE_OF}{name}: change it there, and deploy.",
                trigger=_make_trigger(name, kind, alert, pipeline),
                actions=[action],
            )


def _threshold(kind: AlertKind, alert: Alert) -> str:
    match kind:
        case "late":
            return f" {write_duration(alert.late_after)}"
        case "stuck":
            return f" {write_duration(alert.stuck_after)}"
        case "rows_down":
            return f" {100 * alert.rows_down_by:g}%"
        case _:
            return ""


def _make_trigger(name: str, kind: AlertKind, alert: Alert, pipeline: AlertedPipeline) -> EventTrigger:
    """Return what an alert waits for: an event of a run, or, of what is late or stuck, that none comes in time."""
    if kind in EVENTS:
        related: list[dict[str, str | list[str]]] = [{"prefect.resource.id": owner_of(name)}]
        if kind == "rows_down":
            related.append({"prefect.resource.id": rows_down_resource(alert.rows_down_by)})
        return _trigger(related, expect={EVENTS[kind]})
    related = [
        {_ROLE: "deployment", _NAME: pipeline.deployments},
        {_ROLE: "flow", _NAME: pipeline.flows},
    ]
    if kind == "failed":
        return _trigger(related, expect=_states("Failed", "Crashed", "TimedOut"))
    if kind == "late":
        return _trigger(related, after=_states("Late"), expect=_states(*_BEGUN, *_ENDED), within=alert.late_after)
    begins = _states("Running", "Retrying")
    return _trigger(related, after=begins, expect=_states("AwaitingRetry", *_ENDED), within=alert.stuck_after)


def _trigger(
    related: list[dict[str, str | list[str]]],
    expect: set[str],
    after: set[str] | None = None,
    within: timedelta = timedelta(),
) -> EventTrigger:
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": f"{_STATE}*"}),
        match_related=[ResourceSpecification(each) for each in related],
        after=after or set(),
        expect=expect,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive if after else Posture.Reactive,
        threshold=1,
        within=within,
    )


def _states(*names: str) -> set[str]:
    return {f"{_STATE}{name}" for name in names}


def _write_message(name: str, kind: AlertKind, alert: Alert) -> tuple[str, str]:
    """Return the subject and the text of a message, as templates: what happened, figures, the run with its link, and the cure."""
    run = f"Run {_RUN} of pipeline {name}, deployment {_DEPLOYMENT}: {ui_address()}/runs/flow-run/{_RUN_ID}"
    match kind:
        case "failed":
            what = _MESSAGE
            cure = "Mend the cause, and run it again: what is finished is kept, and the run goes on from there."
            return f"{name} failed", f"{what}\n{run}\n{cure}"
        case "late":
            what = f"It was due, and {write_duration(alert.late_after)} after Prefect marked it late it has not begun."
            cure = (
                "Start who runs it (prefect worker start --pool …, or python -m flows serve), or end the run that it "
                "waits for; python -m flows doctor tells which."
            )
            return f"{name} is late", f"{what}\n{run}\n{cure}"
        case "stuck":
            what = f"It has been running for {write_duration(alert.stuck_after)}, and has not ended."
            cure = "Look at its log for what it waits for; cancel it there, and run it again: what is finished is kept."
            return f"{name} is stuck", f"{what}\n{run}\n{cure}"
        case _:
            told = f"Run {_RUN} of pipeline {name}: {ui_address()}/runs/flow-run/{_RUN_ID}"
            return "{{ event.payload.subject }}", f"{{{{ event.payload.what }}}}\n{told}\n{{{{ event.payload.cure }}}}"
