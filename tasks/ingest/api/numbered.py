"""Pages that are asked for by number or offset, fetched concurrently."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import count
from typing import Any

import httpx

from tasks.config import ApiSource
from tasks.config.pagination import NumberedPagination
from tasks.core.concurrency import map_ahead
from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tasks.core.json_text import take_json, to_value
from tasks.ingest.api.bodies import read_answer
from tasks.ingest.api.contradictions import list_doubts
from tasks.ingest.api.counts import find_place
from tasks.ingest.api.paging import (
    EMPTY_AT_END,
    NumberedPage,
    Progress,
    came_again,
    check_page,
    check_total,
    doubt_only_page,
    is_behind_last,
    missed,
    other_size,
    repeated,
    turns_pages,
)
from tasks.ingest.api.response import BodyKind, Document, ListNames
from tasks.ingest.api.shape import records_of
from tasks.ingest.api.urls import turn_page
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest, has_content, refusal
from tasks.ingest.throttle.limiter import BodyRoom

_NO_SUCH_PAGE = frozenset({400, 404, 410, 416, 422})
"""Statuses by which a server may say that a page is beyond the last one."""
_MISSING = frozenset({404, 410, 416})
"""Those of them by which it says that there is none, rather than that the number is not one of a page."""


class _Reader:
    """Reads the pages of one partition."""

    def __init__(
        self, source: ApiSource, pagination: NumberedPagination, first: PageRequest, fetch: Fetch, names: ListNames
    ) -> None:
        self._source = source
        self._pagination = pagination
        self._first = first._replace(answers=frozenset(pagination.end_statuses))
        if pagination.size_param is not None and pagination.size is not None:
            self._first = turn_page(self._first, pagination.place, pagination.size_param, pagination.size)
        self._further = self._first._replace(answers=self._first.answers | _NO_SUCH_PAGE)
        self._fetch = fetch
        self._names = names
        self._kind = BodyKind()
        self._place = find_place(pagination)
        self._room = BodyRoom(source.requests.max_in_flight_bytes)
        self._max_in_flight = source.requests.shared.max_in_flight

    @property
    def at_once(self) -> int:
        """Return how many pages may be fetched ahead: they stay in memory until it is their turn."""
        return min(self._max_in_flight, self._room.bodies)

    def identify(self, records: list[bytes]) -> set[str]:
        """Return what tells records apart: the values of the source's key, or where they have none all that they are."""
        key = self._source.key
        rows = list(map(_value_of, records)) if key else []
        if key and all(isinstance(row, dict) and set(key) <= row.keys() for row in rows):
            return {repr([row[name] for name in key]) for row in rows}
        return {record.decode("utf-8", "replace") for record in records}

    async def fetch(self, index: int) -> NumberedPage:
        """Return the page of an index, counted from 0."""
        return await self.fetch_at(index, self._pagination.number(index))

    async def fetch_at(self, index: int, number: int) -> NumberedPage:
        """Return the page that has the number, or offset, that is given; why there is none is told in its turn."""
        asked = self._further if index else self._first
        page_request = turn_page(asked, self._pagination.place, self._pagination.param, number)
        try:
            response = await self._fetch(page_request)
            self._room.add(len(response.content))
            if response.status_code in self._pagination.end_statuses:
                return NumberedPage(index, page_request, [], is_beyond=True)
            if not response.is_success:
                is_missing = response.status_code in _MISSING
                failure = refusal(response)
                return NumberedPage(index, page_request, [], is_refused=True, is_missing=is_missing, failure=failure)
            if not has_content(response):
                return NumberedPage(index, page_request, [])
            return await read_answer(
                self._source, response, lambda document: self._read(index, page_request, response, document)
            )
        except SourceError as error:
            return NumberedPage(index, page_request, [], failure=error)

    def _read(
        self, index: int, page_request: PageRequest, response: httpx.Response, document: Document
    ) -> NumberedPage:
        records = records_of(document, self._source)
        self._kind.check(document, records, page_request)
        records = self._names.name(records)
        told = self._read_total(index, page_request, response, document)
        if told is None and index == 0:
            self._check_can_end(page_request, document)
        return NumberedPage(index, page_request, records, told, complaint=document.complaint(has_rows=bool(records)))

    def _read_total(
        self, index: int, page_request: PageRequest, response: httpx.Response, document: Document
    ) -> int | None:
        """Return how many there are, as a page tells; only the first is bound to."""
        if self._place is None:
            return None
        try:
            return self._place.read(response, document, page_request)
        except PermanentSourceError:
            if index:
                return None
            raise

    def _check_can_end(self, page_request: PageRequest, document: Document) -> None:
        """Raise where no page could be the last: a body that is one record is never empty."""
        if (
            self._source.shape == "records"
            and self._source.records_at is None
            and not self._pagination.end_statuses
            and not document.is_list()
        ):
            raise PermanentSourceError(
                f"{page_request.label}: the body is not a list, so that no page is ever empty or short; add records_at: "
                "the path of the list of records, or pagination.end_statuses where each page is one record"
            )


def _value_of(record: bytes) -> Any:
    """Return what a record means to Python; None of a line that is no JSON, which becomes a reject."""
    try:
        return to_value(take_json(record))
    except ValueError:
        return None


async def read_numbered(
    source: ApiSource, pagination: NumberedPagination, first: PageRequest, fetch: Fetch, progress: Progress
) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page behind those that `progress` tells of.

    As many as the server tells of, or until two in a row have no rows: after one
    there may be more, where a server leaves rows out after it has counted them.
    """
    names = ListNames(source.names, progress.names)
    reader = _Reader(source, pagination, first, fetch, names)
    only: tuple[str, ...] = ()
    while not progress.is_over:  # once more where there turn out to be other pages than were told of
        async with aclosing(_read_rest(reader, progress, pagination)) as pages:
            async for page in pages:
                if is_behind_last(page, progress, pagination):
                    only = only or doubt_only_page(page, progress, pagination)
                    progress.is_over = True
                    continue
                await _take(page, progress, pagination, reader)
                progress.names = names.names
                yield PageGroup(page.records, _count(page, progress, pagination), Progress(**vars(progress)))
    doubts = await list_doubts(progress, pagination, reader.fetch_at)
    yield PageGroup([], 0, None, (*only, *doubts, *names.doubts))


async def _take(page: NumberedPage, progress: Progress, pagination: NumberedPagination, reader: _Reader) -> None:
    """Take the next page into account."""
    check_page(page, progress, pagination)
    progress.add(page, pagination)
    check_total(page, progress, pagination)
    if pagination.passes_over_rows and not (progress.is_over and progress.is_counted):
        within = await _fetch_within(page, progress, pagination, reader)
        if within is not None and await _are_others(within, page, pagination, reader):
            progress.turns_pages = turns_pages(page, within, pagination)
        elif within is not None and _goes_on(within, page, reader):
            progress.behind = within.page_request.label
        if page.index == 1 and not page.records and progress.behind:
            progress.complaint = progress.complaint or missed(page, progress.behind)
        await _check_end_of_rows(page, progress, pagination, reader, within)


def _count(page: NumberedPage, progress: Progress, pagination: NumberedPagination) -> int:
    """Return 1 for a page that is one: the first, one with rows, or one that the server told of."""
    told = progress.pages(pagination)
    return int(page.index == 0 or bool(page.records) or (told is not None and page.index < told))


async def _read_rest(
    reader: _Reader, progress: Progress, pagination: NumberedPagination
) -> AsyncGenerator[NumberedPage, None]:
    """Yield the pages after those that `progress` tells of.

    Where their number is not known, no more are asked for ahead than have
    come: what is asked for in vain is no more than what there was.
    """

    def indices() -> Iterator[int]:
        for index in count(progress.index):
            told = progress.pages(pagination) if progress.is_counted else None
            if told is not None and index >= told:
                return
            yield index

    def ahead() -> int:
        if progress.is_over:
            return 0
        if progress.is_counted:
            return reader.at_once
        if progress.empty or not progress.index:
            return max(1, EMPTY_AT_END - progress.empty) if progress.index else 1
        left = max(1, pagination.max_pages + 1 - progress.index)
        return min(reader.at_once, max(progress.index, EMPTY_AT_END), left)

    async with aclosing(map_ahead(indices(), reader.fetch, ahead)) as pages:
        async for page in pages:
            yield page


async def _fetch_within(
    page: NumberedPage, progress: Progress, pagination: NumberedPagination, reader: _Reader
) -> NumberedPage | None:
    """Return what begins within the rows of a first page, where nobody has counted them; None where it cannot be had.

    By it an offset is told from the number of a page, of which those between the first and the size would be passed over.
    Two rows further, if there are three: a server that counts its pages from 1 may give the first one for 0 as well.
    A server may well refuse an offset that is no whole page.
    """
    rows = len(page.records)
    if page.index or rows <= 1 or progress.is_counted:
        return None
    within = await reader.fetch_at(1, pagination.start + min(2, rows - 1))
    return None if within.failure is not None and not within.is_missing else within


async def _are_others(
    within: NumberedPage, page: NumberedPage, pagination: NumberedPagination, reader: _Reader
) -> bool:
    """Return whether what begins within a first page has none of its rows, though these are the same when asked for again."""
    rows = reader.identify(page.records)
    if rows & reader.identify(within.records):
        return False
    again = await reader.fetch_at(0, pagination.start)
    return bool(rows & reader.identify(again.records))


def _goes_on(within: NumberedPage, page: NumberedPage, reader: _Reader) -> bool:
    """Return whether what begins within a first page has its last row, and others behind it."""
    last = reader.identify(page.records[-1:])
    places = [number for number, each in enumerate(within.records) if reader.identify([each]) == last]
    return bool(places) and bool(reader.identify(within.records[places[-1] + 1 :]) - reader.identify(page.records))


async def _check_end_of_rows(
    page: NumberedPage,
    progress: Progress,
    pagination: NumberedPagination,
    reader: _Reader,
    within: NumberedPage | None,
) -> None:
    """Find out what follows a page of other rows than its size, by asking for what is where its rows end.

    Rows there that are in neither this page nor the next would be passed over: then the
    server's pages are of another size. `within` is what begins within the rows of a first page.
    """
    rows, size = len(page.records), pagination.size or 0
    if rows == size or not (rows or progress.is_counted):
        return
    offset = pagination.number(page.index) + rows
    after = await reader.fetch_at(page.index + 1, offset)
    if after.failure is not None and not after.is_refused:
        raise after.failure
    if not after.records and rows and not progress.is_counted:
        progress.empty += 1
        progress.first_empty = progress.first_empty or after.page_request.label
    elif after.records == page.records and not progress.is_counted:
        # The same once more: the page that the server gives for any offset, or the last, which it gives for those too large.
        if within is not None and within.records == page.records:
            raise WrongPagesError(repeated(after, "the page before", pagination))
        if rows == 1 and (progress.full or 0) < size:  # no page was full: it may be of pages of one row each
            progress.complaint = progress.complaint or came_again(after, pagination)
        progress.is_over = True
    elif not 0 < rows < size or not await _is_in_next(after, page, reader):
        raise WrongPagesError(other_size(page, pagination))


async def _is_in_next(after: NumberedPage, page: NumberedPage, reader: _Reader) -> bool:
    """Return whether what is where a short page's rows end is in it or in the next: rows were left out of it, as of any."""
    following = await reader.fetch(page.index + 1)
    is_new = not page.records or after.records != page.records
    return is_new and set(after.records) <= {*page.records, *following.records}
