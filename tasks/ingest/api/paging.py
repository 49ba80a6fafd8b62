"""One numbered page, what is known of the pages before it, and whether it can be the next."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from tasks.errors import PermanentSourceError, WrongPagesError
from tasks.ingest.http.asking import Ask
from tasks.spec import OffsetPagination, PagePagination

Numbered = PagePagination | OffsetPagination


@dataclass(frozen=True)
class Page:
    """One page; `pages` is how many there are in all, where it tells; `is_beyond` where the server says that there is none."""

    index: int
    ask: Ask
    records: list[bytes]
    pages: int | None = None
    is_beyond: bool = False


@dataclass
class Progress:
    """What is known when the pages before `index` have been read; as a dict, the state from which reading goes on."""

    index: int
    pages: int | None
    """How many there are, where the server told."""
    rows_of_full: int | None
    """Rows of a full page, those of the first; None where a page may have any number."""
    first: str | None = None
    """What stands for the first page, where its coming again would show that the server has begun anew."""
    previous: str | None = None
    """What stands for the page before."""

    @property
    def is_counted(self) -> bool:
        """Return whether it is known where the pages end."""
        return self.pages is not None

    def add(self, page: Page) -> None:
        """Take the next page into account."""
        self.index = page.index + 1
        self.previous = digest(page.records)
        if self.pages is not None and page.pages is not None:
            self.pages = max(self.pages, page.pages)

    def is_last(self, page: Page) -> bool:
        """Return whether a page is the last; one that is empty or short ends those that are not counted."""
        if page.is_beyond or self.is_counted:
            return page.is_beyond or self.index == self.pages
        return not page.records or (self.rows_of_full is not None and len(page.records) < self.rows_of_full)


def check_page(page: Page, progress: Progress, pagination: Numbered) -> None:
    """Raise where a page is one too many, one that came before, or of a size by which offsets pass over rows."""
    rows = len(page.records)
    if rows and page.index >= pagination.max_pages:
        raise PermanentSourceError(too_many(page, pagination, "this one still has records"))
    if page.is_beyond and progress.is_counted:
        raise WrongPagesError(
            f"{page.ask.said}: the server told of {progress.pages} pages, and now that there is no page {page.index + 1}; "
            "run again, or correct pagination"
        )
    if (
        rows > progress.is_counted and digest(page.records) == progress.previous
    ):  # two single records may well be the same
        raise WrongPagesError(repeated(page, "the page before", pagination))
    if progress.first is not None and rows > 1 and digest(page.records) == progress.first:
        raise WrongPagesError(repeated(page, "the first page", pagination))
    if isinstance(pagination, OffsetPagination) and progress.pages is not None and not page.is_beyond:
        check_size(page, progress.pages, pagination)


def check_size(page: Page, pages: int, pagination: Numbered) -> None:
    """Raise where a page that others follow has not the rows by which they are counted."""
    if page.index + 1 < pages and len(page.records) != pagination.size:
        raise WrongPagesError(other_size(page, pagination))


def digest(records: list[bytes]) -> str:
    """Return what stands for a page."""
    return blake2b(b"\n".join(records), digest_size=8).hexdigest()


def repeated(page: Page, which: str, pagination: Numbered) -> str:
    """Return the sentence for a page that came before."""
    return (
        f"{page.ask.said} gave the same {len(page.records)} records as {which}; "
        f"pagination.param {pagination.param!r} does not turn the page: correct it, or use kind: single"
    )


def too_many(page: Page, pagination: Numbered, what: str) -> str:
    """Return the sentence for a page beyond max_pages."""
    return f"{page.ask.said}: more pages than pagination.max_pages ({pagination.max_pages}): {what}; raise max_pages if that is right"


def other_size(page: Page, pagination: Numbered) -> str:
    """Return the sentence for a page of other rows than its size says."""
    rows = len(page.records)
    cure = f"set size: {rows}" if rows and page.index == 0 else "ask for smaller pages, or correct size"
    return (
        f"{page.ask.said}: a page has {rows} rows where pagination.size says {pagination.size}, and more follow, "
        f"so that rows would be passed over; the server's pages are of another size: {cure}"
    )
