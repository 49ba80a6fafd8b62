"""Pages that are asked for by number or offset, fetched concurrently."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any

import httpx

from tasks.concurrency import map_ahead
from tasks.errors import PermanentSourceError, WrongPagesError
from tasks.ingest.api.asks import turn_page
from tasks.ingest.api.counts import count_pages
from tasks.ingest.api.document import Document, read_document
from tasks.ingest.api.paging import (
    Numbered,
    Page,
    Progress,
    check_page,
    check_size,
    digest,
    other_size,
    repeated,
    too_many,
)
from tasks.ingest.http.asking import Ask, Fetch, PageGroup, has_content
from tasks.spec import ApiSource, OffsetPagination, PagePagination


class _Reader:
    """Reads the pages of one partition."""

    def __init__(self, source: ApiSource, pagination: Numbered, first: Ask, fetch: Fetch) -> None:
        self._source = source
        self._pagination = pagination
        self._first = replace(first, answers=frozenset(pagination.end_statuses))
        if pagination.size_param is not None and pagination.size is not None:
            self._first = turn_page(self._first, pagination.place, pagination.size_param, pagination.size)
        self._fetch = fetch
        self.counts_again = False
        """Whether further pages are asked for their number as well: what was told in a run before may be out of date."""

    async def fetch(self, index: int) -> Page:
        """Return the page of an index, counted from 0."""
        return await self.fetch_at(index, self._number(index))

    async def fetch_at(self, index: int, number: int) -> Page:
        """Return the page that has the number, or offset, that is given."""
        ask = turn_page(self._first, self._pagination.place, self._pagination.param, number)
        response = await self._fetch(ask)
        if not response.is_success:  # one of end_statuses
            return Page(index, ask, [], is_beyond=True)
        if not has_content(response):
            return Page(index, ask, [])
        return await read_document(response, lambda document: self._read(index, ask, response, document))

    def _number(self, index: int) -> int:
        match self._pagination:
            case PagePagination(start=start, step=step):
                return start + index * step
            case OffsetPagination(start=start, size=size):
                return start + index * (size or 0)

    def _read(self, index: int, ask: Ask, response: httpx.Response, document: Document) -> Page:
        records = document.records(self._source.records_at)
        if index:
            return Page(index, ask, records, self._count_again(response, document, ask))
        pages = count_pages(self._pagination, response, document, ask)
        if pages is None:
            self._check_can_end(ask, document)
        return Page(index, ask, records, pages)

    def _count_again(self, response: httpx.Response, document: Document, ask: Ask) -> int | None:
        """Return how many pages a further one tells of, where it does."""
        try:
            return count_pages(self._pagination, response, document, ask) if self.counts_again else None
        except PermanentSourceError:  # only the first is bound to tell
            return None

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
    if state:
        progress, reader.counts_again = Progress(**state), True
    else:
        page = await reader.fetch(0)
        progress = _begin(page, pagination)
        more = await _is_more(reader, progress, page, pagination)
        yield PageGroup(page.records, 1, dict(vars(progress)) if more else None)
        if not more:
            return
    last = False
    while not last:  # once more where there turn out to be more pages than were told of
        async with aclosing(_read_rest(reader, progress, pagination, source.requests.max_in_flight)) as pages:
            async for page in pages:
                check_page(page, progress, pagination)
                progress.add(page)
                last = progress.is_last(page)
                is_one = bool(page.records) or (progress.is_counted and not page.is_beyond)
                yield PageGroup(page.records, int(is_one), None if last else dict(vars(progress)))
                if last:
                    break


async def _read_rest(
    reader: _Reader, progress: Progress, pagination: Numbered, at_once: int
) -> AsyncGenerator[Page, None]:
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


def _begin(page: Page, pagination: Numbered) -> Progress:
    """Return what the first page tells."""
    rows, size = len(page.records), pagination.size
    if page.pages is not None:
        if page.pages > pagination.max_pages:
            raise PermanentSourceError(too_many(page, pagination, f"the server tells of {page.pages}"))
        if pagination.total_at or pagination.total_header:
            check_size(page, page.pages, pagination)
    first = digest(page.records) if page.pages is None and rows > 1 else None
    full = None if size is None else rows
    return Progress(index=1, pages=page.pages, rows_of_full=full, first=first, previous=digest(page.records))


async def _is_more(reader: _Reader, progress: Progress, first: Page, pagination: Numbered) -> bool:
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
        raise WrongPagesError(other_size(first, pagination))
    # The same once more: the page that the server gives for any offset, or the last, which it gives for those too large.
    if rows > 1 and (await reader.fetch_at(1, pagination.start + 1)).records == first.records:
        raise WrongPagesError(repeated(after, "the page before", pagination))
    return False
