"""A crawl: from the start pages along the links, several pages at once, their rows in the order they were found."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import httpx

from tasks.config import PagesSource
from tasks.core.errors import DeadRedirectError, OtherHostError, PermanentSourceError, TooLargeError
from tasks.core.hosts import AllowedHosts
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest
from tasks.ingest.scraping.browsers import Browsers
from tasks.ingest.scraping.downloads import Downloads
from tasks.ingest.scraping.frontier import LISTING, CrawlResult, CrawlState, CrawlTarget, Frontier
from tasks.ingest.scraping.listing import read_listing
from tasks.ingest.scraping.page import ScrapedPage, page_address, read_page
from tasks.ingest.scraping.rendering import Access, is_html, render_page
from tasks.ingest.scraping.robots import Robots, robots_address
from tasks.ingest.scraping.unchanged import LandedPages
from tasks.ingest.throttle.limiter import BodyRoom
from tasks.raw.partitions import Partition

_GONE = frozenset({404, 410})  # behind a link it is the link that is wrong; a start page has to be there
_CIRCLE = "its redirects do not end, or lead to no web address"
_NO_FILE = _GONE | {403, 451}  # a host may well not give all of its pictures away


class Beside(NamedTuple):
    """What a crawl has beside its pages: those that were landed before, where files go that rows lead to, and browsers."""

    landed: LandedPages | None = None
    downloads: Downloads | None = None
    browsers: Browsers | None = None


async def crawl(
    source: PagesSource,
    partition: Partition,
    fetch: Fetch,
    robots: Robots,
    state: CrawlState | None,
    beside: Beside | None = None,
) -> AsyncGenerator[PageGroup, None]:
    """Yield what each page of a partition gives; `state` is that of the last group landed, or None.

    Pages that were landed before, and that a sitemap says are unchanged since, are not asked for.

    To be closed when it is not read to its end: the requests still under way end then.

    Raises:
        SourceError: a page could not be fetched, a selector matched nothing anywhere, or there are too many pages.

    """
    listings, start = (_addresses(urls, partition) for urls in (source.listed_at, source.start))
    frontier = Frontier(source, state)
    frontier.find(listings, 0, LISTING)
    frontier.find(start, 0, 0)
    async with aclosing(_Visitor(source, [*listings, *start], fetch, robots, beside or Beside())) as visitor:
        while not frontier.is_done():
            _check_size(frontier, source.max_pages)
            visit = await visitor.next_visit(frontier)
            skipped = frontier.matches.skipped
            lines = frontier.take(visit)
            if frontier.is_done():
                frontier.matches.check(source)
            warnings = frontier.matches.warnings(source) if frontier.is_done() else ()
            unproven = frontier.matches.why_unproven(source) if frontier.is_done() else None
            skipped = frontier.matches.skipped - skipped
            yield PageGroup(
                lines,
                int(visit is not None),
                frontier.reached(),
                warnings,
                unproven,
                elements_skipped=skipped,
                pages_with_rows=frontier.pages_with_rows,
                records=frontier.agreed_records() if frontier.is_done() else (),
            )


def _addresses(urls: Iterable[str], partition: Partition) -> list[httpx.URL]:
    try:
        addresses = [page_address(httpx.URL(partition.fill(url))) for url in urls]
        assert all(url.host for url in addresses)  # which fails here where it would in a request
    except (httpx.InvalidURL, UnicodeError) as error:
        raise PermanentSourceError(f"the partition's values make no address: {error}; correct them") from error
    return addresses


def _check_size(frontier: Frontier, max_pages: int) -> None:
    if len(frontier.spots) > max_pages:
        raise PermanentSourceError(
            f"GET {frontier.spots[max_pages].url}: more pages than max_pages ({max_pages}); "
            "raise max_pages if that is right"
        )


class _Visitor:
    """Fetches and reads the pages of one partition; those at its `own` addresses have to be there."""

    def __init__(
        self, source: PagesSource, own: Sequence[httpx.URL], fetch: Fetch, robots: Robots, beside: Beside
    ) -> None:
        self._source = source
        self._own = {str(url) for url in own}
        self._hosts = AllowedHosts(own, source.allow_hosts)
        self._fetch = fetch
        self._robots = robots
        self._landed, self._downloads, self._browsers = beside
        self._reader = ThreadPoolExecutor(1)
        self._room = BodyRoom(source.requests.max_in_flight_bytes)
        self._running: deque[asyncio.Task[CrawlResult] | None] = deque()
        """Of the frontier's next pages, in order; None for one that need not be fetched."""

    async def next_visit(self, frontier: Frontier) -> CrawlResult | None:
        """Return what comes of the next page, while those after it are on their way; None where it need not be fetched."""
        first = frontier.done + len(self._running)
        at_once = min(self._source.requests.shared.max_in_flight, self._room.bodies)
        for spot in frontier.spots[first : frontier.done + at_once]:
            self._running.append(asyncio.create_task(self._visit(spot)) if frontier.is_needed(spot) else None)
        running = self._running[0]
        if running is None or not frontier.is_needed(frontier.spots[frontier.done]):
            await _end([self._running.popleft()])
            return None
        visit, spot = await running, frontier.spots[frontier.done]
        self._running.popleft()
        if visit.record is not None and visit.record.changed != spot.changed:  # a sitemap read since does not agree
            return await self._visit(spot)
        return visit

    async def aclose(self) -> None:
        """End what is under way."""
        await _end(self._running)
        self._reader.shutdown(wait=False, cancel_futures=True)

    async def _visit(self, spot: CrawlTarget) -> CrawlResult:
        """Fetch and read a page."""
        if self._landed is not None and (found := self._landed.find(spot.url, spot.changed)) is not None:
            return CrawlResult(spot.url, found[1], record=found[0])
        url, asked_at = httpx.URL(spot.url), time.time()
        is_needed = spot.url in self._own or spot.level == LISTING
        if not await self._may_fetch(url):
            if is_needed:
                raise PermanentSourceError(
                    f"GET {url}: {robots_address(url)} disallows this page; "
                    "choose another start, or set robots: ignore if you have leave to"
                )
            return CrawlResult(spot.url, reject="robots.txt disallows this page")
        response = await self._open(spot, url, is_needed=is_needed)
        if isinstance(response, CrawlResult):
            return response
        address = page_address(response.url)
        if not self._hosts.allow(address):
            return _led_away(spot.url, address.netloc.decode("ascii"))
        page = self._within_hosts(await self._read(response, spot.level))
        if self._downloads is not None and page.files:
            lines, rejects = await self._downloads.add_to(page.lines, page.files, self._bring)
            page = replace(page, lines=lines, rejects=[*page.rejects, *rejects])
        return CrawlResult(str(address), page, asked_at=asked_at)

    async def _read(self, response: httpx.Response, level: int) -> ScrapedPage:
        """Return what a page gives, read in the thread that reads all of them: several would take the interpreter's lock from each other at each selector."""
        read = read_listing if level == LISTING else partial(read_page, level=level)
        # What is quoted of a page is without the secrets of the run, which are known in its context.
        call = partial(copy_context().run, read, response, self._source)
        return await asyncio.get_running_loop().run_in_executor(self._reader, call)

    async def _open(self, spot: CrawlTarget, url: httpx.URL, *, is_needed: bool) -> httpx.Response | CrawlResult:
        """Return the answer of a page, or why it has none; one that `is_needed` has to have one."""
        try:
            response = await self._fetch(PageRequest(url, answers=frozenset() if is_needed else _GONE))
            if spot.level != LISTING and response.is_success:
                response = await self._render(response)
        except OtherHostError as error:
            return _led_away(spot.url, error.host)
        except DeadRedirectError:
            if is_needed:
                raise
            return CrawlResult(spot.url, reject=f"this link is dead: {_CIRCLE}")
        self._room.add(len(response.content))
        if response.status_code in _GONE:
            return CrawlResult(spot.url, reject=f"this link is dead: {response.status_code} {response.reason_phrase}")
        return response

    async def _render(self, response: httpx.Response) -> httpx.Response:
        """Return a page as its scripts make it, where they are to run."""
        render = self._source.render
        if render is None or not is_html(response):
            return response
        assert self._browsers is not None
        access = Access(self._fetch, self._hosts, self._may_fetch, self._source.requests.max_body_bytes)
        return await render_page(response, render, self._browsers, access)

    def _within_hosts(self, page: ScrapedPage) -> ScrapedPage:
        """Return a page with the addresses that may be asked for, and the first of those of each host that may not."""
        follow, links = ([link for link in found if self._hosts.allow(link)] for found in (page.follow, page.links))
        files = [file if file is not None and self._hosts.allow(file) else None for file in page.files]
        elsewhere: dict[str, str] = {}
        for link in (*page.follow, *page.links, *(file for file in page.files if file is not None)):
            if not self._hosts.allow(link):
                elsewhere.setdefault(link.netloc.decode(), str(link))
        return replace(page, follow=follow, links=links, files=files, elsewhere=elsewhere)

    async def _bring(self, url: httpx.URL) -> httpx.Response | str:
        """Return the answer of a file's address, or why there is none."""
        if not await self._may_fetch(url):
            return "robots.txt disallows this file"
        assert self._source.download is not None
        most = self._source.download.max_bytes
        try:
            response = await self._fetch(PageRequest(url, answers=_NO_FILE, max_bytes=most))
        except OtherHostError as error:
            return f"this file leads on to another host; add {error.host} to allow_hosts to follow it"
        except DeadRedirectError:
            return f"this file is gone: {_CIRCLE}"
        except TooLargeError:
            return f"this file is larger than download.max_bytes ({most:,}); raise it if it is the source's"
        if response.status_code in _NO_FILE:
            what = "gone" if response.status_code in _GONE else "not given to us"
            return f"this file is {what}: {response.status_code} {response.reason_phrase}"
        return response

    async def _may_fetch(self, url: httpx.URL) -> bool:
        """Return whether the robots.txt of a host lets us ask for a page; it may always be read itself."""
        if self._source.robots != "obey" or url == robots_address(url):
            return True
        delay_s, share = self._source.max_crawl_delay_s, self._source.requests.fraction
        return await self._robots.allows(url, self._fetch, delay_s, share)


def _led_away(url: str, host: str) -> CrawlResult:
    return CrawlResult(url, reject=f"this page leads on to another host; add {host} to allow_hosts to follow it")


async def _end(visits: Iterable[asyncio.Task[CrawlResult] | None]) -> None:
    running = [visit for visit in visits if visit is not None]
    for visit in running:
        visit.cancel()
    await asyncio.gather(*running, return_exceptions=True)
