"""What a run changes that somebody is to be told of: another champion, checks that fail, tables that have shrunk.

It is read from what lies in the data folder before and after a stage: what a run
before has told is not told again, whether tasks are retried or a run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefect.context import FlowRunContext
from prefect.events import emit_event

from tasks.config import AlertKind, Pipeline
from tasks.convert.checks.run import CheckOutcome
from tasks.convert.table.findings import read_outcomes
from tasks.convert.table.manifest import read_table_manifest
from tasks.convert.table.versions import Versions
from tasks.core.errors import TrainingError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.core.story import warn

if TYPE_CHECKING:
    from tasks.train.registry.champion import Champion
    from tasks.train.truth.scores import WeekOfVersion

CHAMPION_CHANGED = "tidemill.champion.changed"
CHECK_FAILED = "tidemill.check.failed"
ROWS_DOWN = "tidemill.rows.down"
SCORE_FELL = "tidemill.score.fell"
EVENTS: Mapping[AlertKind, str] = {
    "champion_changed": CHAMPION_CHANGED,
    "check_failed": CHECK_FAILED,
    "rows_down": ROWS_DOWN,
    "score_fell": SCORE_FELL,
}
"""What runs tell of themselves, by the kind of alert; of the other kinds Prefect's own events tell."""


def owner_of(pipeline: str) -> str:
    """Return the resource that a pipeline is: its events are about it, and it owns the automations of its alerts."""
    return f"tidemill.pipeline.{pipeline}"


def rows_down_resource(part: float) -> str:
    """Return the resource of a table's having lost this part of its rows: alerts differ in the part that they wait for."""
    return f"tidemill.rows-down.{part:g}"


@dataclass(frozen=True)
class Standing:
    """What stands in the data folder of a pipeline: rows by table, checks that did not pass by table, and what serves."""

    rows: Mapping[str, int] = field(default_factory=dict)
    failing: Mapping[str, Sequence[CheckOutcome]] = field(default_factory=dict)
    champion: Champion | None = None


@dataclass(frozen=True)
class Told:
    """An event of a run: what happened, as a person is told of it."""

    event: str
    subject: str
    what: str
    cure: str
    about: Sequence[str] = ()
    """Further resources, beside the pipeline, that it is about."""


class Watch:
    """Tells what changes of a pipeline, from its making on."""

    def __init__(self, pipeline: Pipeline, folder: DataFolder, kinds: frozenset[AlertKind]) -> None:
        self._pipeline, self._folder, self._kinds = pipeline, folder, kinds
        self._before = Standing()

    @classmethod
    async def begin(cls, pipeline: Pipeline, folder: DataFolder, *, of_stage: bool) -> Watch:
        """Watch what an alert of the pipeline waits for; a stage that is part of a run leaves that to the run."""
        context = FlowRunContext.get()
        is_part = context is not None and context.flow_run is not None and context.flow_run.parent_task_run_id
        told = frozenset(kind for alert in pipeline.alerts for kind in alert.when if kind in EVENTS)
        watch = cls(pipeline, folder, frozenset() if of_stage and is_part else told)
        await watch._look()
        return watch

    async def tell(self) -> None:
        """Emit an event for each thing that has changed since the last time."""
        before = self._before
        await self._look()
        for told in self._changes(before):
            _emit(told, self._pipeline.name)

    async def _look(self) -> None:
        if self._kinds:
            self._before = await asyncio.to_thread(self._read)

    def _read(self) -> Standing:
        names = self._pipeline.table_names
        manifests = {name: read_table_manifest(self._folder.table(name)) for name in names}
        reports = {name: read_outcomes(Versions.of(name, self._folder)).outcomes for name in names}
        champion = self._read_champion() if "champion_changed" in self._kinds else None
        return Standing(
            {name: each.total for name, each in manifests.items() if each.number},
            {name: [each for each in found if each.status != "passed"] for name, found in reports.items()},
            champion,
        )

    def _read_champion(self) -> Champion | None:
        from tasks.train.registry.champion import read_champion  # noqa: PLC0415 - pandas takes a moment to import

        try:
            return read_champion(self._folder.models(self._pipeline.name))
        except TrainingError:  # it ends the stage, and is the run's error
            return None

    def _changes(self, before: Standing) -> Iterator[Told]:
        if "champion_changed" in self._kinds:
            yield from self._of_champion(before.champion, self._before.champion)
        if "check_failed" in self._kinds:
            for name, failing in self._before.failing.items():
                known = {(each.check, each.columns, each.sentence) for each in before.failing.get(name, ())}
                new = [each for each in failing if (each.check, each.columns, each.sentence) not in known]
                yield from _of_checks(name, new)
        if "rows_down" in self._kinds:
            for name, rows in before.rows.items():
                yield from self._of_rows(name, rows, self._before.rows.get(name, 0))

    def _of_champion(self, before: Champion | None, now: Champion | None) -> Iterator[Told]:
        if before is None or now is None or before.version == now.version:
            return
        name = self._pipeline.name
        yield Told(
            CHAMPION_CHANGED,
            f"{name}: {now.version} serves instead of {before.version}",
            f"{now.candidate} of {now.version}, {now.metric} {now.score:.4f} on its hold-out, serves instead of "
            f"{before.candidate} of {before.version}, {before.score:.4f}: {now.decisions[-1].sentence}.",
            f"To have the one before again: python -m flows models rollback {name}",
        )

    def _of_rows(self, table: str, before: int, now: int) -> Iterator[Told]:
        lost = (before - now) / before if before else 0.0
        parts = {each.rows_down_by for each in self._pipeline.alerts if "rows_down" in each.when}
        reached = [part for part in sorted(parts) if lost >= part]
        if reached:
            yield Told(
                ROWS_DOWN,
                f"{self._pipeline.name}: table {table} is down by {lost:.0%}",
                f"Table {table} has {count(now, 'row')}, {lost:.0%} fewer than the {before:,} before this run.",
                "Look at what its source sent, and at its rejects; where it is right, nothing is to be done.",
                tuple(rows_down_resource(part) for part in reached),
            )


def tell_fallen(pipeline: Pipeline, weeks: Iterable[WeekOfVersion]) -> None:
    """Warn of weeks whose score is surely worse than that of the version's hold-out, and emit an event for each where an alert waits for it."""
    is_awaited = any("score_fell" in alert.when for alert in pipeline.alerts)
    for week in weeks:
        told = _of_score(pipeline.name, week)
        warn(f"{told.what} {told.cure}")
        if is_awaited:
            _emit(told, pipeline.name)


def _of_score(pipeline: str, week: WeekOfVersion) -> Told:
    score, holdout, bound = week.score, week.figures["hold-out"], week.figures["fell"]["high"]
    assert score is not None
    return Told(
        SCORE_FELL,
        f"{pipeline}: {week.metric} of {week.version} fell in the week of {week.week}",
        f"{week.metric} of what {week.version} predicted in the week of {week.week} is {score['value']:.4f}, surely below "
        f"{bound:.4f}, and was {holdout['value']:.4f} ({holdout['low']:.4f} to {holdout['high']:.4f}) on its hold-out, of "
        f"{count(week.number('scored'), 'row')} whose truth is known; {week.figures['drifted']['value']:.0%} of its features had drifted.",
        "Look at what has drifted, and train it anew on newer rows.",
    )


def _of_checks(table: str, failing: Sequence[CheckOutcome]) -> Iterator[Told]:
    if failing:
        stays = any(each.status == "failed" for each in failing)
        yield Told(
            CHECK_FAILED,
            f"table {table}: {count(len(failing), 'check')} failed",
            "\n".join(f"Table {table}: {each.sentence}" for each in failing),
            "The table stays as it was."
            if stays
            else "The table has taken the rows all the same, as on_fail: warn says.",
        )


def _emit(told: Told, pipeline: str) -> None:
    """Emit an event of the run under way, which is about a pipeline."""
    run = FlowRunContext.get()
    assert run is not None
    assert run.flow_run is not None
    related = [
        {
            "prefect.resource.id": owner_of(pipeline),
            "prefect.resource.role": "pipeline",
            "prefect.resource.name": pipeline,
        },
        *({"prefect.resource.id": each, "prefect.resource.role": "threshold"} for each in told.about),
    ]
    emit_event(
        told.event,
        {"prefect.resource.id": f"prefect.flow-run.{run.flow_run.id}", "prefect.resource.name": run.flow_run.name},
        related=related,
        payload={"subject": told.subject, "what": told.what, "cure": told.cure},
    )
