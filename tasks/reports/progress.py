"""What the Prefect UI shows of a stage while it runs: how far it has come, as artifacts that change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, ExitStack
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.exceptions import PrefectException

from tasks.core.escaping import count
from tasks.core.progress import ProgressEvent, end_showing, is_over, subscribed
from tasks.reports.artifacts import key_of

SHOWN_EVERY_S = 2.0

Measure = Callable[[Collection[ProgressEvent]], tuple[float, str]]
"""Returns percent, and what there is to say, of what was told last of each part of a stage."""


class ProgressArtifacts:
    """How far the parts of a stage have come, as an artifact each that changes."""

    def __init__(self, pipeline: str, stage: str) -> None:
        self._key = f"{pipeline}-{stage}"
        self._ids: dict[str, UUID] = {}
        self._one_at_a_time = asyncio.Lock()  # so that many parts do not crowd Prefect's API

    async def show(self, part: str, percent: float, detail: str) -> None:
        """Show how far a part has come; where Prefect does not take it, the part goes on without."""
        async with self._one_at_a_time:
            try:
                await self._show(part, percent, f"{part}: {detail}")
            except (httpx.HTTPError, PrefectException):
                self._ids.pop(part, None)

    async def _show(self, part: str, percent: float, description: str) -> None:
        if part in self._ids:
            await aupdate_progress_artifact(self._ids[part], percent, description)
        else:
            self._ids[part] = await acreate_progress_artifact(percent, key_of(f"{self._key}-{part}"), description)


class StageProgress(AbstractAsyncContextManager["StageProgress"]):
    """Shows how far a stage has come while the context is open, every two seconds, and how it ended.

    What is over before it was first shown is not shown: showing takes longer.
    """

    def __init__(self, pipeline: str, stage: str, part: str, measure: Measure) -> None:
        self._artifacts = ProgressArtifacts(pipeline, stage)
        self._part = part
        self._measure = measure
        self._events: dict[tuple[str, str], ProgressEvent] = {}
        self._subscribed = ExitStack()
        self._is_shown = False
        self._over = asyncio.Event()
        self._showing: asyncio.Task[None] | None = None
        self.failed = 0
        """How many parts have failed, of a stage that came to its end."""

    async def __aenter__(self) -> Self:
        """Begin to listen, and to show."""
        self._subscribed.enter_context(subscribed(self._take))
        self._showing = asyncio.create_task(self._show_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show how it ended: at its whole, or how far it came."""
        assert self._showing is not None
        self._subscribed.close()
        self._over.set()
        await end_showing(self._showing)
        if not self._is_shown:
            return
        percent, detail = self._measure(list(self._events.values()))
        if error is not None:
            detail += ", and no further: " + ("it failed" if isinstance(error, Exception) else "it was cancelled")
        elif self.failed:
            detail += f", {self.failed:,} failed"
        else:
            percent = 100.0
        await self._artifacts.show(self._part, percent, detail)

    def _take(self, event: ProgressEvent) -> None:
        self._events[event.stage, event.name] = event

    async def _show_on(self) -> None:
        while not await is_over(self._over, SHOWN_EVERY_S):
            self._is_shown = True
            await self._artifacts.show(self._part, *self._measure(list(self._events.values())))


def measure_tables(stage: str, tables: int, events: Collection[ProgressEvent]) -> tuple[float, str]:
    """Measure a stage that makes tables, each of which counts alike, by the share of its files that are done."""
    told = [event for event in events if event.stage == stage]
    share = sum(event.done / event.total if event.total else 1.0 for event in told)
    whole = sum(event.done == event.total for event in told)
    said = f"{whole:,} of {tables:,} done, {count(sum(event.done for event in told), 'file')}"
    rows = sum(event.value or 0 for event in told)
    return 100.0 * share / tables if tables else 100.0, f"{said}, {count(int(rows), 'row')}" if rows else said


def measure_candidates(candidates: int, events: Collection[ProgressEvent]) -> tuple[float, str]:
    """Measure a training: its candidates on their folds, then the finalists, of whom there may be as many, on the hold-out."""
    trained = [event for event in events if event.stage == "train"]
    judged = [event for event in events if event.stage == "judge"]
    finalists = judged[-1].total if judged else candidates
    said = f"{len(trained):,} of {candidates:,} done"
    if scored := [event for event in trained if event.value is not None]:
        best = max(scored, key=lambda event: event.value or 0.0)
        said += f", best so far {best.name} with {best.value:.4f}"
    if judged:
        said += f", {len(judged):,} of {count(finalists, 'finalist')} judged on the hold-out"
    return 100.0 * (len(trained) + len(judged)) / (candidates + finalists), said
