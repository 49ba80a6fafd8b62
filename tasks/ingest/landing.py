"""Landing: one partition fetched whole, its page groups committed as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar, TypeVarTuple

from tasks.errors import PermanentSourceError, SourceError
from tasks.ingest.asking import Fetch, PageGroup
from tasks.ingest.asks import first_ask
from tasks.ingest.conditional import Conditional, NotModifiedError
from tasks.ingest.crawl import crawl
from tasks.ingest.landed import Landed, Plan, describe, keep_unchanged
from tasks.ingest.pagination import read_pages
from tasks.ingest.raw_writer import Checkpoint, RawWriter
from tasks.ingest.robots import Robots
from tasks.ingest.tally import Tally
from tasks.ingest.watermark import Watermark
from tasks.raw import sweep_increments
from tasks.spec import ApiSource, PagesSource

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

GROUP_PAGES = 256
GROUP_BYTES = 4 * 2**20
GROUP_S = 5.0
"""A page group is committed when it has so many pages or bytes, or is so old: what a kill can lose."""


@dataclass(frozen=True)
class Access:
    """What a partition's requests go through, and where they are counted."""

    fetch: Fetch
    tally: Tally
    robots: Robots


async def land(plan: Plan, access: Access) -> Landed:
    """Fetch what a partition lacks, and commit it.

    Raises:
        SourceError: a request failed for good, or an answer is not what the source says;
            what was landed before is as it was, and what has come since is gone on from by the next run.

    """
    began = time.monotonic()
    landing = _Landing(plan, access)
    limit_s = plan.job.source.requests.partition_deadline_s
    try:
        async with asyncio.timeout(limit_s):
            await landing.run()
    except NotModifiedError:
        await in_thread(keep_unchanged, plan)
    except TimeoutError:
        raise SourceError(
            f"not landed within requests.partition_deadline_s ({limit_s:g}); run again to go on from page {access.tally.pages}, or raise it"
        ) from None
    await in_thread(sweep_increments, plan.job.folder, plan.job.partition.name)
    return await in_thread(describe, plan.job, access.tally, landing.resumed_from, time.monotonic() - began)


async def in_thread(call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call in a thread; when cancelled, wait for the call's end first: the file is the thread's until then."""
    work = asyncio.create_task(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class _Landing:
    """One partition on its way into its raw file."""

    def __init__(self, plan: Plan, access: Access) -> None:
        self._plan = plan
        self._access = access
        self._conditional = Conditional(access.fetch, plan.landed)
        self._writer = RawWriter(plan.raw, plan.fingerprint)
        self._lines: list[bytes] = []
        self._bytes = self._pages = 0
        self._since_s = time.monotonic()
        self._committing: asyncio.Task[None] | None = None
        self.resumed_from = 0

    async def run(self) -> None:
        await in_thread(lambda: self._writer.open(resume=self._plan.resume))
        try:
            self._begin()
            if not self._writer.checkpoint.complete:
                await self._read()
                await self._finish()
            else:
                await in_thread(self._writer.commit, self._plan.manifest)
        except BaseException:
            if self._committing is not None:
                await asyncio.wait([self._committing])
            await in_thread(self._keep)
            raise

    def _begin(self) -> None:
        """Take up what the writer found of a run before."""
        self._checkpoint = self._writer.checkpoint
        self.resumed_from = self._checkpoint.pages
        tally = self._access.tally
        tally.rows, tally.pages = self._checkpoint.rows, self._checkpoint.pages
        incremental, largest = self._plan.incremental, self._checkpoint.largest
        before = self._plan.largest if largest is None else largest
        self._watermark = Watermark(incremental, before) if incremental else None

    async def _read(self) -> None:
        async with aclosing(self._groups()) as groups:
            async for group in groups:
                self._take(group)
                if group.state is not None and self._is_due():
                    await self._commit()
        await self._committed()

    def _groups(self) -> AsyncGenerator[PageGroup, None]:
        job, state = self._plan.job, self._checkpoint.state
        match job.source:
            case ApiSource() as source:
                first = first_ask(source, job.partition, self._plan.since)
                return read_pages(source, first, self._conditional.fetch, state)
            case PagesSource() as source:
                return crawl(source, job.partition, self._conditional.fetch, self._access.robots, state)

    def _take(self, group: PageGroup) -> None:
        """Put the next pages beside those that are not committed yet."""
        tally = self._access.tally
        rows, pages = tally.rows + len(group.lines), tally.pages + group.pages
        self._check_rows(rows)
        if self._watermark is not None:
            self._watermark.see(group.lines)
        largest = self._watermark.largest if self._watermark else None
        self._checkpoint = replace(self._checkpoint, rows=rows, pages=pages, state=group.state, largest=largest)
        self._lines += group.lines
        self._bytes += sum(map(len, group.lines))
        self._pages += group.pages
        tally.rows, tally.pages = rows, pages

    def _check_rows(self, rows: int) -> None:
        most = getattr(getattr(self._plan.job.source, "pagination", None), "max_rows", None)
        if most is not None and rows > most:
            raise PermanentSourceError(
                f"more rows than pagination.max_rows ({most}): {rows} so far; raise max_rows if that is right"
            )

    def _is_due(self) -> bool:
        old = time.monotonic() - self._since_s >= GROUP_S
        return old or self._pages >= GROUP_PAGES or self._bytes >= GROUP_BYTES

    async def _commit(self) -> None:
        """Commit the page group in the background, when the one before is committed: pages come meanwhile."""
        await self._committed()
        lines, checkpoint = self._hand_over()
        self._committing = asyncio.create_task(in_thread(self._writer.add, lines, checkpoint))

    async def _committed(self) -> None:
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing

    def _hand_over(self) -> tuple[list[bytes], Checkpoint]:
        lines, self._lines = self._lines, []
        self._bytes = self._pages = 0
        self._since_s = time.monotonic()
        return lines, self._checkpoint

    async def _finish(self) -> None:
        if self._watermark is not None:
            self._watermark.check()
        lines, checkpoint = self._hand_over()
        if self._plan.is_increment and not checkpoint.rows:
            await in_thread(self._writer.discard)
            return
        manifest = replace(
            self._plan.manifest,
            etag=self._conditional.validator("ETag"),
            last_modified=self._conditional.validator("Last-Modified"),
        )
        await in_thread(self._writer.finish, lines, checkpoint, manifest)

    def _keep(self) -> None:
        """Commit what has come, from which the next run goes on."""
        if self._pages and self._checkpoint.state is not None:
            lines, checkpoint = self._hand_over()
            self._writer.add(lines, checkpoint)
        self._writer.close()
