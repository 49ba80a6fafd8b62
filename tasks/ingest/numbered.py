"""Pages that are asked for by number or offset, fetched concurrently."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from typing import Any

import httpx

from tasks.concurrency import map_ahead
from tasks.errors import PermanentSourceError
from tasks.ingest.asking import Ask, Fetch, PageGroup, has_content
from tasks.ingest.asks import turn_page
from tasks.ingest.counts import count_pages
from tasks.ingest.document import Document, read_document
from tasks.spec import ApiSource, OffsetPagination, PagePagination

Numbered = PagePagination | OffsetPagination


@dataclass(frozen=True)
class _Page:
    """One page; `pages` is how many there are in all, where it tells; `is_beyond` where the server says that there is none."""

    index: int
    ask: Ask
    records: list[bytes]
    pages: int | None = None
    is_beyond: bool = False


@dataclass
class _Progress:
    """What is known when the pages before `index` have been read; as a dict, the state from which reading goes on."""

    index: int
    pages: int | None
    """How many there are, where the server told."""
    rows_of_full: int | None
    """Rows of a full page, those of the first; None where a page may have any number."""
    first: str | None = None
    """What stands for the first page, where its coming again would show that the server has begun anew."""

    @property
    def is_counted(self) -> bool:
        """Return whether it is known where the pages end."""
        return self.pages is not None

    def is_last(self, page: _Page) -> bool:
        """Return whether a page is the last; one that is empty or short ends those that are not counted."""
        if page.is_beyond or self.is_counted:
            return page.is_beyond or self.index == self.pages
        return not page.records or (self.rows_of_full is not None and len(page.records) < self.rows_of_full)


class _Reader:
    """Reads the pages of one partition."""

    def __init__(self, source: ApiSource, pagination: Numbered, first: Ask, fetch: Fetch) -> None:
        self._source = source
        self._pagination = pagination
        self._first = replace(first, answers=frozenset(pagination.end_statuses))
        if pagination.size_param is not None and pagination.size is not None:
            self._first = turn_page(self._first, pagination.place, pagination.size_param, pagination.size)
        self._fetch = fetch

    async def fetch(self, index: int) -> _Page:
        """Return the page of an index, counted from 0."""
        return await self.fetch_at(index, self._number(index))

    async def fetch_at(self, index: int, number: int) -> _Page:
        """Return the page that has the number, or offset, that is given."""
        ask = turn_page(self._first, self._pagination.place, self._pagination.param, number)
        response = await self._fetch(ask)
        if not response.is_success:  # one of end_statuses
            return _Page(index, ask, [], is_beyond=True)
        if not has_content(response):
            return _Page(index, ask, [])
        return await read_document(response, lambda document: self._read(index, ask, response, document))

    def _number(self, index: int) -> int:
        match self._pagination:
            case PagePagination(start=start, step=step):
                return start + index * step
            case OffsetPagination(start=start, size=size):
                return start + index * (size or 0)

    def _read(self, index: int, ask: Ask, response: httpx.Response, document: Document) -> _Page:
        records = document.records(self._source.records_at)
        pages = count_pages(self._pagination, response, document, ask) if index == 0 else None
        if index == 0 and pages is None:
            self._check_can_end(ask, document)
        return _Page(index, ask, records, pages)

    def _check_can_end(self, ask: Ask, document: Document) -> None:
        """Raise where no page could be the last: a body that is one record is never empty."""
        if self._source.records_at is None and not self._pagination.end_statuses and not document.is_list():
            raise PermanentSourceError(
                f"{ask.said}: the body is not a list, so that no page is ever empty or short; add records_at: "
                "the path of the list of records, or pagination.end_statuses where each page is one record"
            )


async def read_numbered(
    source: ApiSource, pagination: Numbered, first: Ask, fetch: Fetch, state: Any
) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page; the first tells how many there are, or they are asked for until one is empty or short."""
    reader = _Reader(source, pagination, first, fetch)
    previous: list[bytes] = []
    if state:
        progress = _Progress(**state)
    else:
        page = await reader.fetch(0)
        progress, previous = _begin(page, pagination), page.records
        more = await _is_more(reader, progress, page, pagination)
        yield PageGroup(page.records, 1, dict(vars(progress)) if more else None)
        if not more:
            return
    async with aclosing(_read_rest(reader, progress, pagination, source.requests.max_in_flight)) as pages:
        async for page in pages:
            _check_page(page, previous, progress, pagination)
            previous = page.records
            progress.index = page.index + 1
            last = progress.is_last(page)
            is_one = bool(page.records) or (progress.is_counted and not page.is_beyond)
            yield PageGroup(page.records, int(is_one), None if last else dict(vars(progress)))
            if last:
                return


async def _read_rest(
    reader: _Reader, progress: _Progress, pagination: Numbered, at_once: int
) -> AsyncGenerator[_Page, None]:
    """Yield the pages after those that `progress` tells of.

    Where their number is not known, no more are asked for ahead than have
    come: what is asked for in vain is less than what there was.
    """
    indices = count(progress.index) if progress.pages is None else range(progress.index, progress.pages)

    def ahead() -> int:
        left = max(1, pagination.max_pages + 1 - progress.index)
        return at_once if progress.is_counted else min(at_once, progress.index, left)

    async with aclosing(map_ahead(indices, reader.fetch, ahead)) as pages:
        async for page in pages:
            yield page


def _begin(page: _Page, pagination: Numbered) -> _Progress:
    """Return what the first page tells."""
    rows, size = len(page.records), pagination.size
    if page.pages is not None:
        if page.pages > pagination.max_pages:
            raise PermanentSourceError(_too_many(page, pagination, f"the server tells of {page.pages}"))
        if pagination.total_at or pagination.total_header:
            _check_size(page, page.pages, pagination)
    first = _digest(page.records) if page.pages is None and rows > 1 else None
    return _Progress(index=1, pages=page.pages, rows_of_full=None if size is None else rows, first=first)


async def _is_more(reader: _Reader, progress: _Progress, first: _Page, pagination: Numbered) -> bool:
    """Return whether pages follow the first.

    Where it has not the rows that were asked for, it is the only one, or the
    server's pages are of another size: then offsets would pass over rows.
    """
    if progress.pages is not None:
        return progress.pages > 1
    rows, size = len(first.records), pagination.size
    if not isinstance(pagination, OffsetPagination) or not rows or size is None or rows == size:
        return bool(rows)
    after = await reader.fetch_at(1, pagination.start + rows)
    if not after.records:
        return False
    if after.records != first.records:
        raise PermanentSourceError(_other_size(first, pagination))
    # The same once more: the page that the server gives for any offset, or the last, which it gives for those too large.
    if rows > 1 and (await reader.fetch_at(1, pagination.start + 1)).records == first.records:
        raise PermanentSourceError(_repeated(after, "the page before", pagination))
    return False


def _check_page(page: _Page, previous: list[bytes], progress: _Progress, pagination: Numbered) -> None:
    """Raise where a page is one too many, one that came before, or of a size by which offsets pass over rows."""
    rows = len(page.records)
    if rows and page.index >= pagination.max_pages:
        raise PermanentSourceError(_too_many(page, pagination, "this one still has records"))
    if rows > progress.is_counted and page.records == previous:  # two single records may well be the same
        raise PermanentSourceError(_repeated(page, "the page before", pagination))
    if progress.first is not None and rows > 1 and _digest(page.records) == progress.first:
        raise PermanentSourceError(_repeated(page, "the first page", pagination))
    if isinstance(pagination, OffsetPagination) and progress.pages is not None and not page.is_beyond:
        _check_size(page, progress.pages, pagination)


def _check_size(page: _Page, pages: int, pagination: Numbered) -> None:
    """Raise where a page that others follow has not the rows by which they are counted."""
    if page.index + 1 < pages and len(page.records) != pagination.size:
        raise PermanentSourceError(_other_size(page, pagination))


def _digest(records: list[bytes]) -> str:
    """Return what stands for a page."""
    return blake2b(b"\n".join(records), digest_size=8).hexdigest()


def _repeated(page: _Page, which: str, pagination: Numbered) -> str:
    return (
        f"{page.ask.said} gave the same {len(page.records)} records as {which}; "
        f"pagination.param {pagination.param!r} does not turn the page: correct it, or use kind: single"
    )


def _too_many(page: _Page, pagination: Numbered, what: str) -> str:
    return f"{page.ask.said}: more pages than pagination.max_pages ({pagination.max_pages}): {what}; raise max_pages if that is right"


def _other_size(page: _Page, pagination: Numbered) -> str:
    rows = len(page.records)
    cure = f"set size: {rows}" if rows and page.index == 0 else "ask for smaller pages, or correct size"
    return (
        f"{page.ask.said}: a page has {rows} rows where pagination.size says {pagination.size}, and more follow, "
        f"so that rows would be passed over; the server's pages are of another size: {cure}"
    )
