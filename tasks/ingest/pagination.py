"""The pages of one partition of an API, in order, fetched concurrently where their number is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx

from tasks.concurrency import gather_all
from tasks.errors import PermanentSourceError
from tasks.ingest.records import records_of, value_at
from tasks.spec import ApiSource, PagePagination

PAGES_AHEAD = 32  # pages of one partition fetched together; what is in memory is at most this many

GetBody = Callable[[httpx.URL], Coroutine[Any, Any, Any]]


async def read_pages(source: ApiSource, first: httpx.URL, get_body: GetBody) -> AsyncIterator[list[Any]]:
    """Yield the records of each page of a partition whose first request goes to `first`.

    Raises:
        PermanentSourceError: a body without records or page count, more pages than
            `max_pages`, or a server that gives the same page again and again.

    """
    match source.pagination:
        case PagePagination(pages_at=None) as pagination:
            pages = _until_empty(source, pagination, first, get_body)
        case PagePagination() as pagination:
            pages = _counted(source, pagination, first, get_body)
        case _:
            pages = _single(source, first, get_body)
    async for records in pages:
        yield records


async def _single(source: ApiSource, first: httpx.URL, get_body: GetBody) -> AsyncIterator[list[Any]]:
    yield records_of(await get_body(first), source.records_at, first)


async def _counted(
    source: ApiSource, pagination: PagePagination, first: httpx.URL, get_body: GetBody
) -> AsyncIterator[list[Any]]:
    """Yield the first page, which tells how many there are, then the others by groups."""
    url = _numbered(first, pagination, pagination.start)
    body = await get_body(url)
    total = _page_count(body, pagination, url)
    yield records_of(body, source.records_at, url)
    numbers = range(pagination.start + 1, pagination.start + total)
    for start in range(0, len(numbers), PAGES_AHEAD):
        urls = [_numbered(first, pagination, number) for number in numbers[start : start + PAGES_AHEAD]]
        for page, answer in zip(urls, await gather_all(urls, get_body), strict=True):
            yield records_of(answer, source.records_at, page)


async def _until_empty(
    source: ApiSource, pagination: PagePagination, first: httpx.URL, get_body: GetBody
) -> AsyncIterator[list[Any]]:
    """Yield page after page until one is empty."""
    previous: list[Any] = []
    for count in range(pagination.max_pages + 1):
        number = pagination.start + count
        url = _numbered(first, pagination, number)
        records = records_of(await get_body(url), source.records_at, url)
        if not records:
            return
        if count == pagination.max_pages:
            raise PermanentSourceError(_too_many(url, pagination, "this one still has records"))
        if records == previous:
            raise PermanentSourceError(
                f"GET {url} gave the same {len(records)} records as the page before; "
                f"pagination.param {pagination.param!r} does not turn the page: correct it, or use kind: single"
            )
        previous = records
        yield records


def _page_count(body: Any, pagination: PagePagination, url: httpx.URL) -> int:
    count = value_at(body, str(pagination.pages_at), url, "pagination.pages_at")
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise PermanentSourceError(
            f"GET {url}: pagination.pages_at: {pagination.pages_at!r} is {count!r:.60}, not a number of pages; "
            "name the path of the number of pages, or leave pages_at out"
        )
    if count > pagination.max_pages:
        raise PermanentSourceError(_too_many(url, pagination, f"the body tells of {count}"))
    return count


def _too_many(url: httpx.URL, pagination: PagePagination, what: str) -> str:
    return f"GET {url}: more pages than pagination.max_pages ({pagination.max_pages}): {what}; raise max_pages if that is right"


def _numbered(url: httpx.URL, pagination: PagePagination, number: int) -> httpx.URL:
    return url.copy_set_param(pagination.param, number)
