"""How far a source has come, told every few seconds and whenever one of its partitions ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, TypeVar

from tasks.ingest.landed import Landed
from tasks.ingest.outcome import Failure
from tasks.ingest.tally import Tally
from tasks.ingest.throttle import HostThrottle
from tasks.progress import Step, tell

TOLD_EVERY_S = 2.0

Show = Callable[[str, float, str], Coroutine[Any, Any, None]]
"""Shows a source's progress: its name, percent, and what there is to say."""
Result = TypeVar("Result")


class SourceProgress(AbstractAsyncContextManager["SourceProgress"]):
    """Counts what a source's partitions bring, and tells of it while the context is open."""

    def __init__(self, source: str, partitions: int, hosts: Sequence[HostThrottle], show: Show) -> None:
        self._source = source
        self._partitions = partitions
        self._hosts = hosts
        self._show = show
        self._tallies: list[Tally] = []
        self._done = self._rows = self._pages = 0
        self._began = time.monotonic()
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SourceProgress:
        """Begin to tell."""
        self._telling = asyncio.create_task(self._tell_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show how it ended."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
        if error is None:
            await self._show(self._source, self._percent(), self._detail())

    async def counting(self, tally: Tally, landing: Awaitable[Result]) -> Result:
        """Return what a landing gives; what it has brought so far counts meanwhile."""
        self._tallies.append(tally)
        try:
            return await landing
        finally:
            self._tallies.remove(tally)

    def landed(self, landed: Landed) -> Landed:
        """Count a partition that is landed."""
        self._rows += landed.rows
        self._pages += landed.pages
        self._tell_end(f"{self._rows:,} rows")
        return landed

    def failed(self, failure: Failure) -> Failure:
        """Count a partition that is not."""
        self._tell_end(f"{failure.partition} failed")
        return failure

    def _tell_end(self, detail: str) -> None:
        self._done += 1
        tell(Step("ingest", self._source, self._done, self._partitions, detail))

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            detail = self._detail()
            tell(Step("ingest", self._source, self._done, self._partitions, detail))
            await self._show(self._source, self._percent(), detail)

    def _percent(self) -> float:
        return 100.0 * self._done / self._partitions

    def _detail(self) -> str:
        """Return rows, pages, rate, what is in flight, and how long the hosts asked to be left alone."""
        rows = self._rows + sum(tally.rows for tally in self._tallies)
        pages = self._pages + sum(tally.pages for tally in self._tallies)
        rate = pages / max(time.monotonic() - self._began, 1e-9)
        in_flight = sum(tally.in_flight for tally in self._tallies)
        said = f"{rows:,} rows, {pages:,} pages, {rate:,.0f} pages/s, {in_flight} in flight"
        paused_s = sum(host.paused_s for host in self._hosts)
        return f"{said}, paused {paused_s:.0f} s" if paused_s else said
