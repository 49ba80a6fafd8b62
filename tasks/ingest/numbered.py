"""Pages that are asked for by number or offset, fetched concurrently."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import httpx

from tasks.concurrency import map_ahead
from tasks.errors import PermanentSourceError
from tasks.ingest.asking import Ask, Fetch, PageGroup
from tasks.ingest.asks import turn_page
from tasks.ingest.document import Document, read_document
from tasks.spec import ApiSource, OffsetPagination, PagePagination

Numbered = PagePagination | OffsetPagination


@dataclass(frozen=True)
class _Page:
    """One page; `pages` is how many there are in all, where it tells. No records: there is no such page."""

    index: int
    url: httpx.URL
    records: list[bytes]
    pages: int | None


@dataclass
class _Progress:
    """What is known when the pages before `index` have been read; as a dict, the state from which reading goes on."""

    index: int
    pages: int | None
    """How many there are, where the server told."""
    rows_of_full: int | None
    """Rows of a full page, those of the first; None where a page may have any number."""


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
            return _Page(index, ask.url, [], None)
        return await read_document(response, lambda document: self._read(index, ask.url, response, document))

    def _number(self, index: int) -> int:
        match self._pagination:
            case PagePagination(start=start, step=step):
                return start + index * step
            case OffsetPagination(start=start, size=size):
                return start + index * (size or 0)

    def _read(self, index: int, url: httpx.URL, response: httpx.Response, document: Document) -> _Page:
        records = document.records(self._source.records_at)
        return _Page(index, url, records, self._count_pages(response, document, url) if index == 0 else None)

    def _count_pages(self, response: httpx.Response, document: Document, url: httpx.URL) -> int | None:
        """Return how many pages the first one tells of, by whichever way the pipeline file names."""
        for name in ("pages_at", "pages_header", "total_at", "total_header"):
            place = getattr(self._pagination, name, None)
            if place is None:
                continue
            key = f"pagination.{name}"
            found = document.at(place, key) if name.endswith("_at") else _header(response, place, key, url)
            number = _whole(found, f"{key}: {place!r}", url)
            return -(-number // (self._pagination.size or 1)) if name.startswith("total") else number
        return None


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
            _check_page(page, previous, pagination, counted=progress.pages is not None)
            previous = page.records
            progress.index = page.index + 1
            last = not page.records or progress.index == progress.pages or _is_short(progress, page)
            yield PageGroup(page.records, 1 if page.records else 0, None if last else dict(vars(progress)))
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
        known = progress.pages is not None
        return at_once if known else min(at_once, progress.index, pagination.max_pages + 1 - progress.index)

    async with aclosing(map_ahead(indices, reader.fetch, ahead)) as pages:
        async for page in pages:
            yield page


def _begin(page: _Page, pagination: Numbered) -> _Progress:
    """Return what the first page tells."""
    rows, size = len(page.records), pagination.size
    if page.pages is not None and page.pages > pagination.max_pages:
        raise PermanentSourceError(_too_many(page.url, pagination, f"the server tells of {page.pages}"))
    if page.pages is not None and page.pages > 1 and size is not None and rows < size:
        raise PermanentSourceError(_other_size(page.url, rows, size))
    return _Progress(index=1, pages=page.pages, rows_of_full=None if size is None else rows)


async def _is_more(reader: _Reader, progress: _Progress, first: _Page, pagination: Numbered) -> bool:
    """Return whether pages follow the first.

    Where it is shorter than asked for, it is the only one, or the server gives
    no more rows a page than this: then offsets would pass over rows.
    """
    if progress.pages is not None:
        return progress.pages > 1
    rows, size = len(first.records), pagination.size
    if not isinstance(pagination, OffsetPagination) or not rows or size is None or rows >= size:
        return bool(rows)
    probe = await reader.fetch_at(1, pagination.start + rows)
    if probe.records and probe.records != first.records:
        raise PermanentSourceError(_other_size(first.url, rows, size))
    return False


def _is_short(progress: _Progress, page: _Page) -> bool:
    return progress.pages is None and progress.rows_of_full is not None and len(page.records) < progress.rows_of_full


def _check_page(page: _Page, previous: list[bytes], pagination: Numbered, *, counted: bool) -> None:
    """Raise where a page is one too many, or the page before once more; two single records may well be the same."""
    if page.records and page.index >= pagination.max_pages:
        raise PermanentSourceError(_too_many(page.url, pagination, "this one still has records"))
    if len(page.records) > counted and page.records == previous:
        raise PermanentSourceError(
            f"GET {page.url} gave the same {len(page.records)} records as the page before; "
            f"pagination.param {pagination.param!r} does not turn the page: correct it, or use kind: single"
        )


def _header(response: httpx.Response, name: str, key: str, url: httpx.URL) -> str:
    value = response.headers.get(name)
    if value is None:
        raise PermanentSourceError(f"GET {url}: {key}: the answer has no header {name!r}; correct {key}")
    return str(value)


def _whole(value: Any, said: str, url: httpx.URL) -> int:
    """Return a count that the server told of, as a number or as digits in a header."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PermanentSourceError(
            f"GET {url}: {said} is {value!r:.60}, not a number of pages or rows; "
            "name the place of the number, or leave it out"
        )
    return value


def _too_many(url: httpx.URL, pagination: Numbered, what: str) -> str:
    return f"GET {url}: more pages than pagination.max_pages ({pagination.max_pages}): {what}; raise max_pages if that is right"


def _other_size(url: httpx.URL, rows: int, size: int) -> str:
    return (
        f"GET {url}: a page has {rows} rows where pagination.size says {size}, and more follow; "
        f"the server gives no more a page: set size: {rows}"
    )
