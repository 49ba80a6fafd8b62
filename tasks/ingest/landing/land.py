"""Landing: one partition fetched whole, its page groups committed as they come."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

from tasks.config import ApiSource, PagesSource, Scalar
from tasks.config.answers import REJECT
from tasks.config.tabled import Fetched
from tasks.core.concurrency import in_thread
from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tasks.ingest.api.pagination import read_pages
from tasks.ingest.api.urls import first_request
from tasks.ingest.http.redaction import Redactor, redacting
from tasks.ingest.http.requests import PIECE, Fetch, PageGroup, RequestStats
from tasks.ingest.landing.conditional_requests import Conditional, NotModifiedError, is_validated_by_body
from tasks.ingest.landing.ignored import IgnoredAnswerError, Ignoring
from tasks.ingest.landing.packing import PACKED_BYTES, Make
from tasks.ingest.landing.plan import Landed, LandingPlan, as_unchanged, summarize_landing, warn_of_clock
from tasks.ingest.landing.private import clean_records
from tasks.ingest.landing.resumption import State, keep_state, read_state
from tasks.ingest.landing.taken import TakenMembers
from tasks.ingest.landing.watermark import Watermark, moment_of
from tasks.ingest.landing.writer import RawWriter, discard, pack_group
from tasks.ingest.scraping.browsers import Browsers
from tasks.ingest.scraping.crawl import Beside, crawl
from tasks.ingest.scraping.downloads import Downloads
from tasks.ingest.scraping.frontier import CrawlState, Reached
from tasks.ingest.scraping.robots import Robots
from tasks.ingest.scraping.unchanged import LandedPages, PageRecord, is_told, read_landed_pages, write_records
from tasks.raw.files import RawManifest, commit_manifest
from tasks.raw.folder import RawFolder
from tasks.raw.packs import PackInput

GROUP_PAGES = 256
GROUP_BYTES = 4 * 2**20
GROUP_S = 5.0
"""So many pages or bytes, or what came in so long, are what a kill can lose of a partition.

They are committed by halves: one is written while the other comes.
"""


Pack = Callable[[Make], Awaitable[RawManifest]]
Watch = Callable[[Sequence[bytes]], None]


@dataclass(frozen=True)
class PartitionClient:
    """What a partition's requests go through, and where they are counted."""

    fetch: Fetch
    stats: RequestStats
    robots: Robots
    secrets: Redactor = field(default_factory=Redactor)
    """What is said of the partition, and kept beside its rows, is without these."""
    browsers: Browsers | None = None
    """What renders pages, where their source has them rendered."""
    pack: Pack | None = None
    """Puts the partition into a pack, if it is small; without it it has a file of its own."""
    is_held: bool = False
    """Whether nothing of it may be written but by `pack`: one that is not small fails."""
    watch: Watch | None = None
    """Is told of the records of each page as they come."""


async def land(plan: LandingPlan, access: PartitionClient) -> Landed:
    """Fetch what a partition lacks, and commit it.

    Raises:
        SourceError: a request failed for good, or an answer is not what the source says;
            what was landed before is as it was, and what has come since is gone on from by the next run.

    """
    if isinstance(plan.job.source, Fetched) and plan.job.source.privacy is not None:
        access = replace(access, secrets=access.secrets.quoting_nothing())
    landing = _Landing(plan, access)
    limit_s = plan.job.asked.requests.partition_deadline_s
    try:
        with redacting(access.secrets):
            async with asyncio.timeout(limit_s):
                return await landing.run()
    except NotModifiedError:
        return await landing.keep_unchanged()
    except TimeoutError:
        raise SourceError(
            f"not landed within requests.partition_deadline_s ({limit_s:g}); run again to go on from page {access.stats.pages}, or raise it"
        ) from None
    except SourceError as error:
        raise access.secrets.redact_error(error) from None


class UncommittedPages:
    """Pages that have come and are not committed yet; of their states only the last is kept: a crawl's is large."""

    def __init__(self) -> None:
        self.pages = 0
        self.bytes = 0
        self.last: PageGroup | None = None
        self._lines: list[bytes] = []
        self._warnings: tuple[str, ...] = ()
        self._elements_skipped = 0
        self._ignored = False

    def add(self, group: PageGroup) -> None:
        """Put the next pages behind the others."""
        self.pages += group.pages
        self.bytes += sum(map(len, group.lines))
        self.last = group
        self._lines.extend(group.lines)
        self._warnings += group.warnings
        self._elements_skipped += group.elements_skipped
        self._ignored = group.ignored

    def forget_doubt(self) -> None:
        """Forget why they may not be all."""
        if self.last is not None:
            self.last = self.last._replace(unproven=None)

    def as_group(self) -> PageGroup:
        """Return them as one."""
        last = self.last or PageGroup([], 0, None)
        return PageGroup(
            self._lines,
            self.pages,
            last.state.state() if isinstance(last.state, Reached) else last.state,
            self._warnings,
            last.unproven,
            self._elements_skipped,
            self._ignored,
            last.records,
        )


class _Landing:
    """One partition on its way into its raw file."""

    def __init__(self, plan: LandingPlan, access: PartitionClient) -> None:
        self._plan = plan
        self._access = access
        self._writer = RawWriter(plan.raw, plan.requested)
        self._state: State | None = None
        """From where the run before had come to."""
        self._watermark: Watermark | None = None
        source = plan.job.source
        self._max_rows = source.pagination.max_rows if isinstance(source, ApiSource) else None
        self._taken = TakenMembers(plan.job.partition.taken)
        self._uncommitted = UncommittedPages()
        self._began_s = self._since_s = time.monotonic()
        self._committing: asyncio.Task[None] | None = None
        self._resumed_from = 0
        self._landed_pages: LandedPages | None = None
        """What a run before landed of the pages that a sitemap lists."""
        self._doubts: tuple[str, ...] = ()
        """What is to be told in this run alone."""

    async def run(self) -> Landed:
        try:
            if self._plan.is_begun or self._access.stats.requests:  # by a run before, or an attempt before
                await in_thread(self._writer.open)
            kept = self._writer.checkpoint.state
            self._state = read_state(self._plan.job.asked, kept)
            if kept is not None and self._state is None:
                await in_thread(self._restart)
            self._begin()
            if self._writer.checkpoint.is_complete:
                return await in_thread(self._put_in_place)
            return await self._read()
        except WrongPagesError:
            await self._drop()
            raise
        except BaseException:
            await (self._drop() if self._access.is_held else self._keep())
            raise

    def _restart(self) -> None:
        """Leave what a run before began: from a checkpoint of another shape nothing can go on."""
        pages = self._writer.checkpoint.manifest.pages
        self._writer.close()
        discard(self._plan.raw)
        self._writer = RawWriter(self._plan.raw, self._plan.requested)
        self._doubts = (
            f"the checkpoint of a run that ended early has another shape, as of another version: its {pages} pages are "
            "fetched again, and there is nothing to do",
        )

    def _begin(self) -> None:
        """Take up what the writer found of a run before."""
        found, stats, incremental = self._writer.checkpoint.manifest, self._access.stats, self._plan.incremental
        self._resumed_from = stats.pages = found.pages
        stats.rows = found.rows
        if incremental is not None:
            before = self._plan.landed.largest if self._plan.landed else None
            largest, were_later = before if found.largest is None else found.largest, bool(found.warnings)
            self._watermark = Watermark(incremental, largest, found.rows, were_later=were_later)

    async def keep_unchanged(self) -> Landed:
        """Note that what is landed is what the server still has."""
        manifest = as_unchanged(self._plan, self._writer.checkpoint.began_at)
        if self._plan.piece is None or self._access.pack is None:
            await in_thread(commit_manifest, self._plan.raw, manifest)
            return await in_thread(self._summarize)
        partition = self._plan.job.partition.name

        def make(folder: RawFolder) -> PackInput:
            return PackInput(partition, manifest, folder.read_piece(partition))

        return self._summarize_by([await self._access.pack(make)])

    async def _read(self) -> Landed:
        plan, state = self._plan, self._state
        landed = None if plan.is_increment or state is not None else plan.landed
        fetch = self._access.fetch
        if state is None and plan.job.asked.requests.ignore:
            fetch = Ignoring(fetch, plan.job.asked.requests.ignore).fetch
        if landed is not None and isinstance(plan.job.source, PagesSource) and is_told(plan.job.source):
            self._landed_pages = await in_thread(read_landed_pages, plan.raw, landed.sha256)
        conditional = Conditional(fetch, landed if is_validated_by_body(plan.job.asked) else None)
        try:
            await self._take_all(conditional.fetch, state)
        except IgnoredAnswerError as ignored:
            self._take(PageGroup([], 1, None, (str(ignored),), ignored=True))
        await self._committed()
        group = self._hand_over()
        if self._access.pack is not None and self._is_small(group):
            return await self._pack(group, conditional, self._access.pack)
        self._refuse_held()
        return await in_thread(self._finish, group, conditional)

    async def _take_all(self, fetch: Fetch, state: State | None) -> None:
        """Take page after page, and commit what is due while others come."""
        async with aclosing(self._groups(fetch, state)) as groups:
            async for group in groups:
                self._take(group)
                if self._is_enough(group):
                    break
                if group.state is not None and (group.is_due or self._is_due()):
                    self._refuse_held()
                    await self._committed()
                    self._committing = asyncio.create_task(in_thread(self._add, self._hand_over()))
                if group.is_due:
                    await self._committed()

    def _groups(self, fetch: Fetch, state: State | None) -> AsyncGenerator[PageGroup, None]:
        job = self._plan.job
        match job.asked:
            case ApiSource() as source:
                assert not isinstance(state, CrawlState)
                began = moment_of(self._writer.checkpoint.began_at)
                return read_pages(source, first_request(source, job.partition, self._plan.since, began), fetch, state)
            case PagesSource() as source:
                assert state is None or isinstance(state, CrawlState)
                beside = Beside(self._landed_pages, self._downloads(source), self._access.browsers)
                return crawl(source, job.partition, fetch, self._access.robots, state, beside)

    def _downloads(self, source: PagesSource) -> Downloads | None:
        """Return where files go that rows lead to; those that are there are asked for again where all of it is."""
        if source.download is None:
            return None
        return Downloads(self._plan.job.folder, source.download.into, anew=self._plan.is_anew)

    def _take(self, group: PageGroup) -> None:
        """Put the next pages beside those that are not committed yet."""
        stats = self._access.stats
        if self._access.watch is not None:
            self._access.watch(group.lines)
        if self._plan.job.partition.taken:
            group = group._replace(lines=[self._taken.add_to(line) for line in group.lines])
        self._check_rows(stats.rows + len(group.lines))
        stats.rows += len(group.lines)
        stats.pages += group.pages
        self._uncommitted.add(group)

    def _check_rows(self, rows: int) -> None:
        most = self._max_rows
        if most is not None and rows > most:
            raise PermanentSourceError(
                f"more rows than pagination.max_rows ({most}): {rows} so far; raise max_rows if that is right"
            )

    def _is_enough(self, group: PageGroup) -> bool:
        """Return whether the run takes no more pages after a group; that there are more is then no doubt."""
        limit, pages = self._plan.job.source.limit, group.pages_with_rows
        if limit is None or (self._access.stats.pages if pages is None else pages) < limit.number:
            return False
        self._uncommitted.forget_doubt()
        return True

    def _is_due(self) -> bool:
        """Return whether what has come is half of what a kill may lose."""
        age_s = time.monotonic() - self._since_s
        return (
            2 * self._uncommitted.pages >= GROUP_PAGES
            or 2 * self._uncommitted.bytes >= GROUP_BYTES
            or 2 * age_s >= GROUP_S
        )

    def _hand_over(self) -> PageGroup:
        """Return what has come, as one."""
        uncommitted, self._uncommitted = self._uncommitted, UncommittedPages()
        self._since_s = time.monotonic()
        return uncommitted.as_group()

    async def _committed(self) -> None:
        """Wait until the page group before is committed; pages come meanwhile. One that failed stays, so that none follows."""
        if self._committing is not None:
            await asyncio.shield(self._committing)
            self._committing = None

    async def _keep(self) -> None:
        """Commit what has come, from which the next run goes on, unless what came before it could not be committed."""
        with suppress(Exception, asyncio.CancelledError):
            await self._committed()
            if self._uncommitted.last is not None and self._uncommitted.last.state not in (None, PIECE):
                await in_thread(self._add, self._hand_over())
        await in_thread(self._writer.close)

    async def _drop(self) -> None:
        """Keep nothing: gone on from, pages that are not right would count in the end."""
        with suppress(Exception, asyncio.CancelledError):
            await self._committed()
        await in_thread(self._writer.close)
        await in_thread(discard, self._plan.raw)

    def _add(self, group: PageGroup) -> None:
        largest, group = self._see(group), self._kept(group)
        if group.state == PIECE:
            self._writer.add_piece(group, largest)
            return
        state = keep_state(group.state, self._plan.job.asked, self._access.secrets)
        self._writer.add(group._replace(state=state), largest)

    def _kept(self, group: PageGroup) -> PageGroup:
        """Return a page group as it is kept: its rows without what is private, those lines that are none, and its warnings, without secrets."""
        redact, lines, source = self._access.secrets.redact, group.lines, self._plan.job.source
        private = source.private_fields if isinstance(source, Fetched) else None
        if isinstance(source, PagesSource):  # of which each page was read without what is private
            lines = [redact(line.decode()).encode() if line.startswith(REJECT) else line for line in lines]
        elif private is not None:
            lines = clean_records(lines, private)
        return group._replace(
            lines=lines,
            fields_met=tuple(private.met) if private is not None else (),
            warnings=tuple(map(redact, (*group.warnings, *(self._watermark.doubts if self._watermark else ())))),
            unproven=group.unproven and redact(group.unproven),
        )

    def _validator(self, conditional: Conditional, header: str) -> str | None:
        """Return a validator to be kept; one that repeats a secret is not."""
        value = conditional.validator(header)
        return value if value is None or self._access.secrets.redact(value) == value else None

    def _refuse_held(self) -> None:
        if self._access.is_held:
            raise SourceError("it waits for its turn, as it is too large to be held")

    def _is_small(self, group: PageGroup) -> bool:
        """Return whether what has come is all of a partition that may lie in a pack."""
        is_all = not self._writer.checkpoint.manifest.file_bytes and self._watermark is None
        return is_all and not group.records and sum(map(len, group.lines)) <= PACKED_BYTES

    async def _pack(self, group: PageGroup, conditional: Conditional, pack: Pack) -> Landed:
        is_private = self._plan.job.asked.privacy is not None
        group = await in_thread(self._kept, group) if is_private else self._kept(group)
        begun, partition = self._writer.checkpoint, self._plan.job.partition.name
        etag, modified = self._validator(conditional, "ETag"), self._validator(conditional, "Last-Modified")

        def make(_: RawFolder) -> PackInput:
            return pack_group(partition, begun, group, etag=etag, last_modified=modified)

        return self._summarize_by([await pack(make)])

    def _finish(self, group: PageGroup, conditional: Conditional) -> Landed:
        largest, group = self._see(group), self._kept(group)
        if self._watermark is not None:
            self._watermark.check()
        if group.lines or self._writer.checkpoint.manifest.rows or not self._plan.is_increment:
            etag, modified = self._validator(conditional, "ETag"), self._validator(conditional, "Last-Modified")
            self._writer.finish(group, largest, etag=etag, last_modified=modified)
            if group.records and not self._holds_secret(group.records):
                write_records(self._plan.raw, self._writer.checkpoint.manifest.sha256, group.records)
        else:
            self._doubts += group.warnings
        return self._put_in_place()

    def _holds_secret(self, records: Sequence[PageRecord]) -> bool:
        text = json.dumps(records)
        return self._access.secrets.redact(text) != text

    def _put_in_place(self) -> Landed:
        """Make the raw file count; an increment without rows, or with the very rows of the one before, leaves nothing."""
        manifest, before = self._writer.checkpoint.manifest, self._plan.landed
        if self._plan.is_increment and before is not None and (not manifest.rows or manifest.sha256 == before.sha256):
            self._doubts += manifest.warnings
            self._writer.close()
            discard(self._plan.raw)
        else:
            self._writer.put_in_place()
        return self._summarize()

    def _summarize(self) -> Landed:
        return self._summarize_by(self._plan.job.read_manifests())

    def _summarize_by(self, manifests: Sequence[RawManifest]) -> Landed:
        plan, seconds = self._plan, time.monotonic() - self._began_s
        landed = summarize_landing(plan, manifests, self._access.stats, self._resumed_from, seconds)
        doubts = (*warn_of_clock(plan), *self._doubts, *landed.warnings)
        return replace(landed, warnings=tuple(dict.fromkeys(doubts)))

    def _see(self, group: PageGroup) -> Scalar | None:
        """Return the largest value of an incremental source's field, with those of a page group."""
        if self._watermark is None:
            return None
        self._watermark.see(group.lines)
        return self._watermark.largest
