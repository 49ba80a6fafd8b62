"""What the selectors of a source matched over a whole crawl."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.config import PagesSource
from tasks.core.errors import WrongPagesError
from tasks.core.escaping import count
from tasks.ingest.scraping.page import ScrapedPage

_SKIPPED_SHARE = 0.05  # of the elements: fewer may well be advertisements, or rows of totals
_HOSTS_KEPT = 100  # of those that a crawl may not go to: the first is named, and the others are counted


class LinkLevel(NamedTuple):
    """How many pages of a level there were, how many links on them, and which page was the first."""

    pages: int
    links: int
    first: str


@dataclass
class SelectorStats:
    """How often the selectors of a source matched; a selector that never does is wrong, or the pages have changed."""

    listings: int = 0
    """Sitemaps and feeds."""
    listed: int = 0
    """Addresses in these."""
    first_listing: str = ""
    levels: list[LinkLevel] = field(default_factory=list)
    """Of each level of pages on which links were looked for."""
    too_deep: int = 0
    """Links beyond the depth that is allowed."""
    first_too_deep: str = ""
    details: int = 0
    """Pages on which rows were looked for."""
    rows: int = 0
    first_detail: str = ""
    filled: dict[str, int] = field(default_factory=dict)
    """In how many rows each column's selector matched."""
    reject: str = ""
    """The first page that could not be read, and why."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """By host, the first link that was left out because it leads there."""
    skipped: int = 0
    """Elements that `rows` matches, and no column matches in, but headings and blank ones."""
    headings: int = 0
    first_skipped: str = ""
    """The text of the first of those that are skipped, and its page."""
    turns: int = 0
    """Links of `follow` that lead to another page than the one they stand on."""
    files: int = 0
    """Addresses of files in rows."""
    pairs: int = 0
    """Names beside values."""
    shadowed: dict[str, str] = field(default_factory=dict)
    """By column, the first value of a pair that has its name, and its page."""
    repeated: int = 0
    """Pages with all the rows of one that was read before."""
    first_repeated: str = ""
    """The first of those, and the one before."""
    cut: dict[str, str] = field(default_factory=dict)
    """By column, the first text that its selector has cut a number in, and its page."""

    def add_listing(self, url: str, page: ScrapedPage) -> None:
        """Count what a sitemap or a feed gave."""
        self._add_elsewhere(page)
        self.listings += 1
        self.listed += page.matches
        self.first_listing = self.first_listing or url

    def add_list(self, url: str, page: ScrapedPage, level: int) -> None:
        """Count what a page of links gave."""
        self._add_elsewhere(page)
        self.turns += page.turns
        before = self.levels[level] if level < len(self.levels) else LinkLevel(0, 0, url)
        now = LinkLevel(before.pages + 1, before.links + page.matches, before.first)
        self.levels = [*self.levels[:level], now, *self.levels[level + 1 :]]

    def leave_out(self, urls: Sequence[str]) -> None:
        """Count links that are too deep to be followed."""
        self.too_deep += len(urls)
        self.first_too_deep = self.first_too_deep or next(iter(urls), "")

    def add_detail(self, url: str, page: ScrapedPage) -> None:
        """Count what a page of rows gave."""
        self._add_elsewhere(page)
        self.turns += page.turns
        self.details += 1
        self.rows += page.matches
        if page.skipped and not self.skipped:
            self.first_skipped = f"{page.first_skipped!r} on {url}"
        self.skipped += page.skipped
        self.headings += page.headings
        self.filled = Counter(self.filled) + page.filled
        self.first_detail = self.first_detail or url
        self.files += sum(url is not None for url in page.files)
        self.pairs += page.pairs
        self.shadowed = {name: f"{value!r:.80} on {url}" for name, value in page.shadowed.items()} | self.shadowed
        self.cut = {name: f"GET {url}: {sentence}" for name, sentence in page.cut.items()} | self.cut

    def repeat(self, url: str, first: str) -> None:
        """Count a page with all the rows of another."""
        self.repeated += 1
        self.first_repeated = self.first_repeated or f"{url} has those of {first}"

    def warnings(self, source: PagesSource) -> tuple[str, ...]:
        """Return what there is to doubt in the rows, one sentence each."""
        return (
            self._warn_elsewhere(source)
            + self._warn_too_deep(source)
            + self._warn_skipped(source)
            + self._warn_repeated()
            + tuple(
                f"pairs: {source.pairs!r} has a {name}, the first {value}, which is left out, as {_taker(name, source)}"
                for name, value in self.shadowed.items()
            )
            + tuple(
                f"{sentence}: for all of an element's text end the selector in ::inner-text; "
                "for its first text alone write it as XPath, as ./td[1]/text()"
                for sentence in self.cut.values()
            )
        )

    def why_unproven(self, source: PagesSource) -> str | None:
        """Return why there may be more pages; None where `follow` led on, or is not declared."""
        if source.follow is None or self.turns:
            return None
        pages, _, first = self.levels[0] if self.levels else (self.details, 0, self.first_detail)
        return (
            f"follow: {source.follow!r} leads to no other page on GET {_where(pages, first)}: it matches nothing, or links "
            "such as #; correct the selector, or take follow out where there is one page"
        )

    def _add_elsewhere(self, page: ScrapedPage) -> None:
        if len(self.elsewhere) < _HOSTS_KEPT:
            self.elsewhere = page.elsewhere | self.elsewhere

    def _warn_skipped(self, source: PagesSource) -> tuple[str, ...]:
        left_out = self.skipped + self.headings
        if self.skipped <= _SKIPPED_SHARE * (self.skipped + self.rows) and left_out <= self.rows:
            return ()
        first = f", the first {self.first_skipped}" if self.skipped else ", which are headings or blank"
        return (
            f"rows: {source.rows!r} matches {count(self.skipped or left_out, 'element')} in which no column matches{first}, "
            f"and {count(self.rows, 'row')}: they are left out; correct the selectors of columns if they are rows, "
            "or have that of rows leave them out",
        )

    def _warn_too_deep(self, source: PagesSource) -> tuple[str, ...]:
        if not self.too_deep:
            return ()
        return (
            f"max_depth: {count(self.too_deep, 'link')} leading farther than {source.max_depth} from a first page, the first of them "
            f"to {self.first_too_deep}, left out; raise max_depth if their pages are the source's",
        )

    def _warn_repeated(self) -> tuple[str, ...]:
        if not self.repeated:
            return ()
        return (
            f"{count(self.repeated, 'page')} with the same rows as another that was read before, the first of them "
            f"{self.first_repeated}: their rows are in the table twice; where it is the same page by another address, "
            "have follow and links leave that out, or declare the key of the rows",
        )

    def _warn_elsewhere(self, source: PagesSource) -> tuple[str, ...]:
        if not self.elsewhere:
            return ()
        host, link = next(iter(self.elsewhere.items()))
        more = f", and to {count(len(self.elsewhere) - 1, 'other host')}" if len(self.elsewhere) > 1 else ""
        keys = "sitemap, feed, follow or links" if source.listed_at else "follow or links"
        keys = f"download, {keys}" if source.download is not None else keys
        return (
            f"{keys} lead to {link}{more}, and were left out; "
            f"add {host} to allow_hosts if its pages are the source's, or have the selector leave it out",
        )

    def check(self, source: PagesSource) -> None:
        """Raise when a selector matched nothing on any page, or no page could be read."""
        self._check_listings(source)
        self._check_levels(source)
        if not self.details:
            raise WrongPagesError(f"no page with rows could be read, the first of them {self.reject}")
        details = _where(self.details, self.first_detail)
        if not self.rows:
            raise WrongPagesError(f"rows: {source.rows!r} matches nothing on {details}; correct the selector")
        for name, column in source.selected.items():
            if not self.filled.get(name) and column.default is None:
                raise WrongPagesError(
                    f"columns.{name}: {column.selector!r} matches nothing in any of {count(self.rows, 'row')} on {details}; "
                    "correct the selector, or give the column a default"
                )
        if source.pairs is not None and not self.pairs:
            raise WrongPagesError(
                f"pairs: {source.pairs!r} has no name beside a value in any of {count(self.rows, 'row')} on {details}; correct the selector"
            )

        if source.download is not None and not self.files and not self.elsewhere:
            raise WrongPagesError(
                f"download.select: {source.download.select!r} has no address in any of {count(self.rows, 'row')} on {details}; "
                "correct the selector"
            )

    def _check_listings(self, source: PagesSource) -> None:
        """Raise when sitemaps and feeds list no page that may be asked for."""
        is_any_read = bool(self.levels or self.details or self.reject)
        if not self.listings or (self.listed and is_any_read):
            return
        where = _where(self.listings, self.first_listing, "sitemaps and feeds")
        if self.elsewhere and not is_any_read:
            host, link = next(iter(self.elsewhere.items()))
            raise WrongPagesError(
                f"{where} leads to another host alone, first to {link}, and nothing was asked there; "
                f"add {host} to allow_hosts if its pages are the source's"
            )
        if source.match is not None:
            raise WrongPagesError(f"match: {source.match!r} is in no address that {where} lists; correct it")
        raise WrongPagesError(f"{where} lists no page; name another sitemap or feed, or start")

    def _check_levels(self, source: PagesSource) -> None:
        """Raise when the links of a level match nothing, or lead to no page."""
        for (pages, links, first), selector in zip(self.levels, source.levels, strict=False):
            where = _where(pages, first)
            if not links:
                raise WrongPagesError(f"links: {selector!r} matches nothing on {where}; correct the selector")
        if not self.details and not self.reject and self.levels:
            raise WrongPagesError(
                f"links: {selector!r} matches {count(links, 'link')} on {where}, and none may be followed: "
                "correct the selector, add their hosts to allow_hosts, or raise max_depth"
            )


def _taker(name: str, source: PagesSource) -> str:
    """Return what has the name of a pair, and what may be done."""
    if source.download is not None and name in source.download.columns:
        return "download.into makes a column of that name; give it another name"
    return f"columns.{name} is declared; give the column another name, or take it out"


def _where(pages: int, first: str, what: str = "pages") -> str:
    return first if pages == 1 else f"any of {pages} {what} from {first}"
