"""One numbered page, what is known of the pages before it, and whether it can be the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from tasks.config.pagination import NumberedPagination
from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tasks.core.escaping import count
from tasks.ingest.api.counts import counts_rows
from tasks.ingest.http.requests import PageRequest

EMPTY_AT_END = 2
"""So many pages without rows, one after the other, are the end of those that nobody has counted."""


@dataclass(slots=True)  # every page is one, and a frozen one takes four times as long to make
class NumberedPage:
    """One page; `total` is the number of pages or rows in all, where it tells.

    `is_beyond` where the server says by a status of `end_statuses` that there is
    no such page; `is_refused` where it may mean that by another, `is_missing` where by one that says so; `failure` is
    why there is no page. `complaint` is what one without records says of an error.
    """

    index: int
    page_request: PageRequest
    records: list[bytes]
    total: int | None = None
    is_beyond: bool = False
    is_refused: bool = False
    is_missing: bool = False
    failure: SourceError | None = None
    complaint: str | None = None
    digest: str = field(init=False)
    """What stands for the page's records."""

    def __post_init__(self) -> None:
        self.digest = digest_records(self.records)


def digest_records(records: list[bytes]) -> str:
    """Return what stands for a page's records: eight bytes, in hex."""
    return blake2b(b"\n".join(records), digest_size=8).hexdigest()


@dataclass
class Progress:
    """What is known when the pages before `index` have been read; the state from which reading goes on."""

    index: int = 0
    rows: int = 0
    total: int | None = None
    """What the server told last of how many pages or rows there are."""
    most: int | None = None
    """The most that it has told."""
    empty: int = 0
    """Pages without rows that were read last."""
    empty_before: int = 0
    """Those after which pages with rows came."""
    first_empty: str | None = None
    """The request of the first of those."""
    complaint: str | None = None
    turns_pages: str | None = None
    """Why an offset may be the number of a page."""
    behind: str | None = None
    """The request of rows within the first page that had others behind those of it."""
    full: int | None = None
    """Rows of a full page, those of the first; None where a page may have any number."""
    is_short: bool = False
    """Whether the page before has fewer."""
    is_wrong: bool = False
    """Whether the pages that came are not those that were told of: they are read until they end, as if nothing had been told."""
    is_over: bool = False
    first: str | None = None
    """What stands for the first page: its coming again may show that the server has begun anew."""
    previous: str | None = None
    """What stands for the page before."""
    names: list[str] | None = None
    """Names of the values, where records are lists that the first page names."""

    @property
    def is_counted(self) -> bool:
        """Return whether it is known where the pages end."""
        return self.total is not None and not self.is_wrong

    def pages(self, pagination: NumberedPagination) -> int | None:
        """Return how many pages there are by what was told last; None where nothing was."""
        if self.total is None or not counts_rows(pagination):
            return self.total
        return -(-self.total // (pagination.size or 1))

    def add(self, page: NumberedPage, pagination: NumberedPagination) -> None:
        """Take the next page into account."""
        rows = len(page.records)
        self.index, self.rows = page.index + 1, self.rows + rows
        if page.total is not None:
            self.total, self.most = page.total, max(page.total, self.most or 0)
        if page.index == 0:
            self.full = None if pagination.size is None else rows
            self.first = page.digest
        least = pagination.size if page.index == 0 else self.full
        self.is_short = least is not None and rows < least
        self.previous = page.digest
        self.complaint = self.complaint or page.complaint
        self._count_empty(page)
        self._end(page, pagination)

    def _count_empty(self, page: NumberedPage) -> None:
        if page.records:
            self.empty_before += self.empty
            self.empty = 0
        else:
            self.empty += 1
            if not self.empty_before and self.empty == 1:
                self.first_empty = page.page_request.label

    def _end(self, page: NumberedPage, pagination: NumberedPagination) -> None:
        """Find out whether the page was the last: by the server's word, or else by pages without rows."""
        told = self.pages(pagination)
        self.is_wrong = told is not None and self.index >= told and self._is_contradicted(pagination)
        if page.is_beyond:
            self.is_over = True
        elif told is None or self.is_wrong:
            self.is_over = self.empty >= EMPTY_AT_END
        else:
            self.is_over = self.index >= told

    def _is_contradicted(self, pagination: NumberedPagination) -> bool:
        """Return whether the pages that came are not what was told of; of a number of pages only 0 can be known to be wrong."""
        if counts_rows(pagination):
            return self.rows != self.total
        return self.total == 0 and self.rows > 0


def is_behind_last(page: NumberedPage, progress: Progress, pagination: NumberedPagination) -> bool:
    """Return whether a page shows that those before it were all: there is none, or it is the last one again.

    A refused one does where it follows one without rows, or a short one. A repeated one
    does where a short one was the last.
    """
    if page.is_beyond or not (page.failure or page.records):
        return False
    is_asked_in_vain = progress.is_over or progress.is_wrong
    if page.failure is not None:
        is_end = progress.total is None and (progress.empty > 0 or progress.is_short)
        return progress.is_over or (page.is_refused and (is_asked_in_vain or is_end))
    may_be = progress.index > 1 or not pagination.passes_over_rows  # behind a first one offsets are looked into
    is_end = progress.total is None and progress.is_short and may_be
    return (is_asked_in_vain or is_end) and page.digest == progress.previous


def doubt_only_page(page: NumberedPage, progress: Progress, pagination: NumberedPagination) -> tuple[str, ...]:
    """Return what there is to doubt in a first page that comes again as the second: the number may turn no page at all."""
    if progress.index != 1 or not page.records or progress.total is not None or progress.is_over:
        return ()
    return (came_again(page, pagination),)


def came_again(page: NumberedPage, pagination: NumberedPagination) -> str:
    """Return the sentence for a short first page that came again, and was taken for the only one."""
    rows = len(page.records)
    return (
        f"{page.page_request.label} gave the {count(rows, 'record')} of the first page again, fewer than pagination.size "
        f"({pagination.size}), which was taken for the only one; if there are more, correct pagination.param "
        f"{pagination.param!r} or set size: {rows}, otherwise use kind: single"
    )


def check_page(page: NumberedPage, progress: Progress, pagination: NumberedPagination) -> None:
    """Raise where a page did not come, is one too many, or came before."""
    rows = len(page.records)
    if page.failure is not None:
        raise page.failure
    if rows and page.index >= pagination.max_pages:
        raise PermanentSourceError(too_many(page, pagination, "this one still has records"))
    told = progress.pages(pagination)
    if page.is_beyond and told is not None and page.index < told:
        raise WrongPagesError(
            f"{page.page_request.label}: the server told of {told} pages, and now that there is no page {page.index + 1}; "
            "run again, or correct pagination"
        )
    if rows > progress.is_counted and page.digest == progress.previous:  # two single records may well be the same
        raise WrongPagesError(repeated(page, "the page before", pagination))
    if rows > 1 and page.digest == progress.first:
        raise WrongPagesError(repeated(page, "the first page", pagination))


def check_total(page: NumberedPage, progress: Progress, pagination: NumberedPagination) -> None:
    """Raise where the server tells of more pages than are allowed."""
    told = progress.pages(pagination)
    if page.total is not None and told is not None and told > pagination.max_pages:
        raise PermanentSourceError(too_many(page, pagination, f"the server tells of {told}"))


def repeated(page: NumberedPage, which: str, pagination: NumberedPagination) -> str:
    """Return the sentence for a page that came before."""
    second = not pagination.passes_over_rows and page.index == 1 and pagination.start == 0
    cure = "set start: 1 where the server counts from 1, correct it" if second else "correct it"
    return (
        f"{page.page_request.label} gave the same {len(page.records)} records as {which}; "
        f"pagination.param {pagination.param!r} does not turn the page: {cure}, or use kind: single"
    )


def turns_pages(page: NumberedPage, further: NumberedPage, pagination: NumberedPagination) -> str:
    """Return the sentence for an offset within the first page's rows that brings none of them."""
    return (
        f"{further.page_request.label} gave none of the {count(len(page.records), 'row')} of {page.page_request.label}, within which it "
        f"begins: pagination.param {pagination.param!r} may be the number of a page, and rows be passed over; write "
        "kind: page then; where rows change with each request, declare their key, or what counts them: total_at"
    )


def missed(page: NumberedPage, behind: str) -> str:
    """Return the sentence for a second page without rows where some are known to be behind those of the first."""
    return f"{page.page_request.label} gave no rows, though {behind} had rows behind those of the first page: fetch again with --fresh, or correct pagination"


def too_many(page: NumberedPage, pagination: NumberedPagination, what: str) -> str:
    """Return the sentence for a page beyond max_pages."""
    return f"{page.page_request.label}: more pages than pagination.max_pages ({pagination.max_pages}): {what}; raise max_pages if that is right"


def other_size(page: NumberedPage, pagination: NumberedPagination) -> str:
    """Return the sentence for a page of other rows than its size says."""
    rows = len(page.records)
    cure = f"set size: {rows}" if rows and page.index == 0 else "ask for smaller pages, or correct size"
    return (
        f"{page.page_request.label}: a page has {count(rows, 'row')} where pagination.size says {pagination.size}, and more follow, "
        f"so that rows would be passed over; the server's pages are of another size: {cure}"
    )
