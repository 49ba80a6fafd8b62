"""How far a source has come, told every few seconds and whenever one of its partitions ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from tasks.core.escaping import count
from tasks.core.progress import ProgressEvent, emit, end_showing, is_over
from tasks.ingest.http.requests import RequestStats
from tasks.ingest.landing.plan import Landed
from tasks.ingest.results import FailedPartition
from tasks.ingest.throttle.limiter import HostThrottle

SHOWN_EVERY_S = 2.0
_TOLD_EVERY_S = 0.1  # of many partitions; to tell of each took a tenth of their time
_MANY = 100
_MEGABYTE = 1_000_000  # of a body; one that is smaller is there before it is told of

Show = Callable[[str, float, str], Coroutine[Any, Any, None]]
"""Shows a source's progress: its name, percent, and what there is to say."""
Result = TypeVar("Result")
PartitionResult = TypeVar("PartitionResult", Landed, FailedPartition)


class SourceProgress(AbstractAsyncContextManager["SourceProgress"]):
    """Counts what a source's partitions bring, and tells of it while the context is open.

    What is over before it was first shown is told, but not shown: showing takes longer.
    """

    def __init__(self, source: str, partitions: int, hosts: Sequence[HostThrottle], show: Show) -> None:
        self._source = source
        self._partitions = partitions
        self._hosts = hosts
        self._show = show
        self._under_way: dict[int, RequestStats] = {}
        """By their identity."""
        self._done = self._reused = self._failed = 0
        self._rows = self._pages = self._answers = 0
        self._began = time.monotonic()
        self._lately = (self._began, 0)
        self._told = -_TOLD_EVERY_S
        self._over = asyncio.Event()
        self._showing: asyncio.Task[None] | None = None
        self._is_shown = False

    async def __aenter__(self) -> Self:
        """Begin to tell."""
        self._showing = asyncio.create_task(self._show_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show how it ended."""
        assert self._showing is not None
        self._over.set()
        if error is None:
            await self._showing
            return
        await end_showing(self._showing)
        if self._is_shown:
            await self._show(self._source, self._percent(), f"{self._detail()}, and no further")

    def begin(self, stats: RequestStats) -> None:
        """Have what a partition brings count from now on until it ends, also between two attempts at it."""
        self._under_way[id(stats)] = stats

    def reused(self, landed: Sequence[Landed]) -> None:
        """Count the partitions that were landed before."""
        self._reused = len(landed)
        self._done += len(landed)
        self._rows += sum(partition.rows for partition in landed)
        if landed:
            self._emit()

    def landed(self, landed: Landed, stats: RequestStats) -> Landed:
        """Count a partition that is landed now."""
        self._leave(stats)
        self._rows += landed.rows
        self._pages += landed.pages
        return self._end(landed)

    def failed(self, failure: FailedPartition, stats: RequestStats | None = None) -> FailedPartition:
        """Count a partition that is not."""
        self._leave(stats)
        self._failed += 1
        return self._end(failure)

    def _leave(self, stats: RequestStats | None) -> None:
        self._under_way.pop(id(stats), None)

    def _end(self, outcome: PartitionResult) -> PartitionResult:
        self._answers += outcome.requests - outcome.retries
        self._done += 1
        now = time.monotonic()
        if self._partitions <= _MANY or self._done == self._partitions or now - self._told >= _TOLD_EVERY_S:
            self._told = now
            self._emit()
        return outcome

    def _emit(self) -> None:
        emit(ProgressEvent("ingest", self._source, self._done, self._partitions, self._detail()))

    async def _show_on(self) -> None:
        while not await is_over(self._over, SHOWN_EVERY_S):
            self._emit()
            await self._show(self._source, self._percent(), self._detail())
            self._is_shown = True
            self._lately = (time.monotonic(), self._answers_so_far())
        if self._is_shown:
            await self._show(self._source, self._percent(), self._detail())

    def _percent(self) -> float:
        return 100.0 * (self._done - self._failed) / self._partitions if self._partitions else 100.0

    def _detail(self) -> str:
        """Return what has come, how fast, what is in flight, and how long the hosts asked to be left alone."""
        if 0 < self._partitions == self._reused:
            return f"{count(self._rows, 'row')}, landed before"
        rows = self._rows + sum(stats.rows for stats in self._under_way.values())
        pages = self._pages + sum(stats.pages for stats in self._under_way.values())
        said = [f"{count(rows, 'row')}", *([f"{count(pages, 'page')} at {self._rate():,.0f}/s"] if pages else [])]
        counts = {
            "in flight": sum(stats.in_flight for stats in self._under_way.values()),
            "MB on their way": sum(stats.coming_bytes for stats in self._under_way.values()) // _MEGABYTE,
            "s paused": round(sum(host.paused_s for host in self._hosts)),
            "failed": self._failed,
            "landed before": self._reused,
        }
        return ", ".join([*said, *(f"{count:,} {what}" for what, count in counts.items() if count)])

    def _rate(self) -> float:
        """Return the answers a second, of late, or over all when all is done."""
        since, before = self._lately if self._done < self._partitions else (self._began, 0)
        return (self._answers_so_far() - before) / max(time.monotonic() - since, 0.001)

    def _answers_so_far(self) -> int:
        return self._answers + sum(stats.requests - stats.retries for stats in self._under_way.values())
