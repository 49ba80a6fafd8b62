"""What the selectors of a source matched over a whole crawl."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tasks.config import PagesSource
from tasks.core.errors import WrongPagesError
from tasks.ingest.scraping.page import ScrapedPage

_SKIPPED_SHARE = 0.05  # of the elements: fewer may well be advertisements, or rows of totals
_HOSTS_KEPT = 100  # of those that a crawl may not go to: the first is named, and the others are counted


@dataclass
class SelectorStats:
    """How often the selectors of a source matched; a selector that never does is wrong, or the pages have changed."""

    lists: int = 0
    """Pages on which links were looked for."""
    links: int = 0
    first_list: str = ""
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
    cut: dict[str, str] = field(default_factory=dict)
    """By column, the first text that its selector has cut a number in, and its page."""

    def add_list(self, url: str, page: ScrapedPage) -> None:
        """Count what a page of links gave."""
        self._add_elsewhere(page)
        self.turns += page.turns
        self.lists += 1
        self.links += page.matches
        self.first_list = self.first_list or url

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
        self.cut = {name: f"GET {url}: {sentence}" for name, sentence in page.cut.items()} | self.cut

    def warnings(self, source: PagesSource) -> tuple[str, ...]:
        """Return what there is to doubt in the rows, one sentence each."""
        return (
            self._warn_elsewhere()
            + self._warn_skipped(source)
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
        pages, first = (self.lists, self.first_list) if self.lists else (self.details, self.first_detail)
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
            f"rows: {source.rows!r} matches {self.skipped or left_out:,} elements in which no column matches{first}, "
            f"and {self.rows:,} rows: they are left out; correct the selectors of columns if they are rows, "
            "or have that of rows leave them out",
        )

    def _warn_elsewhere(self) -> tuple[str, ...]:
        if not self.elsewhere:
            return ()
        host, link = next(iter(self.elsewhere.items()))
        more = f", and to {len(self.elsewhere) - 1:,} other hosts" if len(self.elsewhere) > 1 else ""
        return (
            f"follow or links lead to {link}{more}, and were left out; "
            f"add {host} to allow_hosts if its pages are the source's, or have the selector leave it out",
        )

    def check(self, source: PagesSource) -> None:
        """Raise when a selector matched nothing on any page, or no page could be read."""
        if not self.lists + self.details or (self.links and not self.details and self.reject):
            raise WrongPagesError(f"no page with rows could be read, the first of them {self.reject}")
        lists, details = _where(self.lists, self.first_list), _where(self.details, self.first_detail)
        if self.lists and not self.links:
            raise WrongPagesError(f"links: {source.links!r} matches nothing on {lists}; correct the selector")
        if self.links and not self.details:
            raise WrongPagesError(
                f"links: {source.links!r} matches {self.links} links on {lists}, and none may be followed: "
                "correct the selector, add their hosts to allow_hosts, or raise max_depth"
            )
        if not self.rows:
            raise WrongPagesError(f"rows: {source.rows!r} matches nothing on {details}; correct the selector")
        for name, column in source.selected.items():
            if not self.filled.get(name) and column.default is None:
                raise WrongPagesError(
                    f"columns.{name}: {column.selector!r} matches nothing in any of {self.rows} rows on {details}; "
                    "correct the selector, or give the column a default"
                )


def _where(pages: int, first: str) -> str:
    return first if pages == 1 else f"any of {pages} pages from {first}"
