"""The pages of one partition of an API, in order: numbered ones fetched concurrently, others one after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import assert_never

from tasks.config import ApiSource
from tasks.config.pagination import FollowedPagination, NumberedPagination, SinglePagination
from tasks.ingest.api.bodies import read_answer
from tasks.ingest.api.numbered import read_numbered
from tasks.ingest.api.overlap import warn_of_overlap
from tasks.ingest.api.paging import Progress
from tasks.ingest.api.remainder import doubts_of_only_response
from tasks.ingest.api.response import Document, ListNames
from tasks.ingest.api.sequential import Walk, read_sequence
from tasks.ingest.api.shape import records_of
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest, has_content


def read_pages(
    source: ApiSource, first: PageRequest, fetch: Fetch, state: Progress | Walk | None
) -> AsyncGenerator[PageGroup, None]:
    """Yield the records of each page of a partition, from where `state` says; None is the beginning.

    Raises:
        PermanentSourceError: a body without records or page count, more pages than
            `max_pages`, or a server that gives the same page again and again.

    """
    match source.pagination:
        case SinglePagination():
            return _read_single(source, first, fetch)
        case NumberedPagination() as pagination:
            assert not isinstance(state, Walk)
            pages = read_numbered(source, pagination, first, fetch, state or Progress())
        case FollowedPagination() as pagination:
            assert not isinstance(state, Progress)
            pages = read_sequence(source, pagination, first, fetch, state or Walk())
        case _:
            assert_never(source.pagination)
    return pages if source.key else warn_of_overlap(pages)  # by a key they are dropped, and counted


async def _read_single(source: ApiSource, first: PageRequest, fetch: Fetch) -> AsyncGenerator[PageGroup, None]:
    response, names = await fetch(first), ListNames(source.names)

    def read(document: Document) -> PageGroup:
        records = records_of(document, source)
        received = len(records)
        records = names.name(records)
        complaint = document.complaint(has_rows=bool(records))
        doubts = (
            *names.doubts,
            *([complaint] if complaint else []),
            *doubts_of_only_response(source, response, document, received),
        )
        return PageGroup(records, 1, None, doubts)

    yield await read_answer(source, response, read) if has_content(response) else PageGroup([], 1, None)
