"""What a crawl knows: the pages it found, in the order it found them, how far it is, and what they gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import msgspec

from tasks.config import PagesSource
from tasks.ingest.scraping.page import ScrapedPage, reject_line
from tasks.ingest.scraping.selector_stats import SelectorStats
from tasks.ingest.scraping.unchanged import PageRecord, is_told, make_record

_ROWS_COMPARED = 2
LISTING = -1
"""The level of a sitemap or a feed, which lists pages of level 0."""


class CrawlTarget(NamedTuple):
    """One page to be read, `depth` links from a first page; as JSON it is a list."""

    url: str
    depth: int
    level: int
    """How many of the source's `links` led to it; LISTING for a sitemap or a feed."""
    changed: str = ""
    """When it changed, as a sitemap has it."""


@dataclass(frozen=True)
class CrawlResult:
    """What came of one page; without a `page`, `reject` says why it was not read."""

    url: str
    """Where redirects ended."""
    page: ScrapedPage | None = None
    reject: str = ""
    asked_at: float = 0.0
    """Seconds since 1970."""
    record: PageRecord | None = None
    """Of a page that was not asked for, as its sitemap says that it has not changed."""


@dataclass(frozen=True)
class CrawlState:
    """What a crawl goes on from."""

    pages: list[CrawlTarget]
    done: int
    matches: SelectorStats
    landed: list[tuple[str, int]]
    """Pages whose rows or links came under an address that was redirected to them."""
    bodies: dict[str, str] = field(default_factory=dict)
    """By what stands for a body that rows or links came of, or for all rows of a page, its address."""
    records: list[PageRecord] = field(default_factory=list)
    """Of pages whose sitemap says when they changed."""
    lines: int = 0


_Known = tuple[list[CrawlTarget], list[tuple[str, int]], dict[str, str], list[PageRecord]]


@dataclass(frozen=True, eq=False)
class Reached:
    """How far a crawl had come, told after each page; what it knew is copied where it is kept, as that grows with all pages."""

    frontier: Frontier
    done: int
    matches: SelectorStats
    known: tuple[int, int, int, int]
    """How many pages, landed ones, bodies and records; none is forgotten."""
    lines: int

    def state(self) -> CrawlState:
        """Return what is needed to go on from there."""
        spots, landed, bodies, records = self.frontier.first(*self.known)
        return CrawlState(spots, self.done, self.matches, landed, bodies, records, self.lines)


class Frontier:
    """The pages of a crawl, each address once; those before `done` are read."""

    def __init__(self, source: PagesSource, state: CrawlState | None = None) -> None:
        state = state or CrawlState([], 0, SelectorStats(), [])
        self._source = source
        self._places: dict[str, int] = {}
        self._landed: dict[tuple[str, int], None] = {}
        self.spots: list[CrawlTarget] = []
        self._found: Counter[int] = Counter()
        for spot in state.pages:
            self._add(spot)
        self.done, self.matches = state.done, replace(state.matches)
        self._landed = dict.fromkeys(state.landed)
        self._bodies = state.bodies.copy()
        self.records = state.records.copy()
        self._lines = state.lines
        self._is_told = is_told(source)
        self._last_level = len(source.levels)
        self.pages_with_rows = sum(spot.level == self._last_level for spot in self.spots[: self.done])
        """Those that are read, and are no lists of others."""
        self._most_found = source.limit.number if source.limit is not None else None

    def reached(self) -> Reached | None:
        """Return how far this is; None at the end."""
        if self.is_done():
            return None
        known = (len(self.spots), len(self._landed), len(self._bodies), len(self.records))
        return Reached(self, self.done, replace(self.matches), known, self._lines)

    def first(self, spots: int, landed: int, bodies: int, records: int) -> _Known:
        """Return the first that are known of each."""
        known = dict(islice(self._bodies.items(), bodies))
        return self.spots[:spots], list(islice(self._landed, landed)), known, self.records[:records]

    def is_done(self) -> bool:
        """Return whether all pages that were found are read."""
        return self.done == len(self.spots)

    def is_landed(self, spot: CrawlTarget) -> bool:
        """Return whether a page need not be fetched, because a redirect has led to it before."""
        return (spot.url, spot.level) in self._landed

    def is_needed(self, spot: CrawlTarget) -> bool:
        """Return whether a page is to be fetched: no further lists where those before lead to all that a run takes."""
        if self.is_landed(spot) or self._most_found is None:
            return not self.is_landed(spot)
        return sum(count for level, count in self._found.items() if level > spot.level) < self._most_found

    def agreed_records(self) -> list[PageRecord]:
        """Return what is kept of the pages that all sitemaps tell the same of."""
        return [record for record in self.records if self.spots[self._places[record.url]].changed == record.changed]

    def find(
        self, urls: Iterable[httpx.URL], depth: int, level: int, changed: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Add the pages at `urls` that are new, and not too deep; of some it is told when they changed."""
        spots = [CrawlTarget(text := str(url), depth, level, changed.get(text, "")) for url in urls]
        if self._source.max_depth is None or depth <= self._source.max_depth:
            for spot in spots:
                self._add(spot)
        else:
            self.matches.leave_out([spot.url for spot in spots if spot.url not in self._places])

    def take(self, visit: CrawlResult | None) -> list[bytes]:
        """Take what came of the next page, None where it was landed before, and return its lines."""
        lines = self._take(visit)
        self._lines += len(lines)
        return lines

    def _take(self, visit: CrawlResult | None) -> list[bytes]:
        spot, self.done = self.spots[self.done], self.done + 1
        self.pages_with_rows += spot.level == self._last_level
        if visit is None or self._is_read(visit.url, spot):
            return []
        if visit.page is None:
            self.matches.reject = self.matches.reject or f"{spot.url}: {visit.reject}"
            return [reject_line(visit.reject, spot.url)]
        if spot.level == LISTING:
            self.matches.add_listing(spot.url, visit.page)
            self.find(visit.page.follow, spot.depth, LISTING)
            self.find(visit.page.links, spot.depth, 0, visit.page.changed)
            return [reject_line(reason, spot.url) for reason in visit.page.rejects]
        if visit.page.matches and (same := self._same_body(visit.page, spot)) != spot.url:
            return [reject_line(f"this page is the same as {same}, which was read before", spot.url)]
        if visit.url != spot.url and visit.page.matches:
            self._landed[visit.url, spot.level] = None
        if spot.level < len(self._source.levels):
            self.matches.add_list(spot.url, visit.page, spot.level)
        else:
            self.matches.add_detail(spot.url, visit.page)
            self._keep_record(visit, visit.page, spot)
            self._compare_rows(visit.page, spot)
        self.find(visit.page.follow, spot.depth + 1, spot.level)
        self.find(visit.page.links, spot.depth + 1, spot.level + 1)
        return [*visit.page.lines, *(reject_line(reason, spot.url) for reason in visit.page.rejects)]

    def _add(self, spot: CrawlTarget) -> None:
        place = self._places.get(spot.url)
        if place is not None:
            if spot.changed not in ("", self.spots[place].changed):  # sitemaps do not agree
                self.spots[place] = self.spots[place]._replace(changed="")
        elif not self.is_landed(spot):
            self._places[spot.url] = len(self.spots)
            self.spots.append(spot)
            self._found[spot.level] += 1

    def _keep_record(self, visit: CrawlResult, page: ScrapedPage, spot: CrawlTarget) -> None:
        """Keep what lets a page be left alone that has not changed; one that something is wrong with is asked for again."""
        if self._is_told and spot.changed and visit.url == spot.url and not page.rejects:
            asked_at = visit.record.asked_at if visit.record is not None else visit.asked_at
            self.records.append(make_record(spot.url, spot.changed, asked_at, self._lines, page))

    def _same_body(self, page: ScrapedPage, spot: CrawlTarget) -> str:
        """Return the first address of the same kind of page that had this body."""
        return self._bodies.setdefault(f"{page.digest}{'+' * spot.level}", spot.url)

    def _compare_rows(self, page: ScrapedPage, spot: CrawlTarget) -> None:
        """Note a page with all the rows of one that was read before: of single rows many are alike."""
        if len(page.lines) < _ROWS_COMPARED or self._source.key:
            return
        rows = blake2b(b"\n".join(page.lines), digest_size=8).hexdigest()
        first = self._bodies.setdefault(f"rows {rows}", spot.url)
        if first != spot.url:
            self.matches.repeat(spot.url, first)

    def _is_read(self, url: str, spot: CrawlTarget) -> bool:
        """Return whether a page was redirected to one that was read before, as a page of the same kind."""
        if url == spot.url:
            return False
        place = self._places.get(url, self.done)
        return (url, spot.level) in self._landed or (place < self.done - 1 and self.spots[place].level == spot.level)


def read_crawl_state(source: PagesSource, kept: Any) -> CrawlState | None:
    """Return the state of a crawl that has pages left to read, as a JSON value tells it; None where it tells none."""
    try:
        state = msgspec.convert(kept, CrawlState)
    except msgspec.ValidationError:
        return None
    return state if 0 <= state.done < len(Frontier(source, state).spots) else None
