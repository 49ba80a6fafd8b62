"""An answer that is all of what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx

from tasks.config import ApiSource
from tasks.ingest.api.bodies import may_be_read_in_pieces, read_answer, read_in_pieces
from tasks.ingest.api.remainder import doubts_of_only_response
from tasks.ingest.api.response import Document, ListNames
from tasks.ingest.api.shape import records_of
from tasks.ingest.http.requests import PIECE, Fetch, PageGroup, PageRequest, has_content


async def read_single(source: ApiSource, first: PageRequest, fetch: Fetch) -> AsyncGenerator[PageGroup, None]:
    """Yield the records of the only answer of a partition."""
    async for group in read_alone(source, await fetch(first), ListNames(source.names)):
        yield group


async def read_alone(source: ApiSource, response: httpx.Response, names: ListNames) -> AsyncGenerator[PageGroup, None]:
    """Yield the records of an answer, in pieces where it is large, and what there is to doubt in it; lists among them get their names."""
    if not has_content(response):
        yield PageGroup([], 1, None)
    elif may_be_read_in_pieces(source, response):
        pieces, received = read_in_pieces(source, response), 0
        while not isinstance(piece := await asyncio.to_thread(next, pieces), Document):
            received += len(piece)
            yield PageGroup(names.name(piece), 0, PIECE)
        yield PageGroup([], 1, None, _doubts(source, response, piece, names, received))
    else:

        def read(document: Document) -> PageGroup:
            records = records_of(document, source)
            received, records = len(records), names.name(records)
            return PageGroup(records, 1, None, _doubts(source, response, document, names, received))

        yield await read_answer(source, response, read)


def _doubts(
    source: ApiSource, response: httpx.Response, document: Document, names: ListNames, received: int
) -> tuple[str, ...]:
    """Return what there is to doubt in an answer of so many records."""
    complaint = document.complaint(has_rows=received > 0)
    return (
        *names.doubts,
        *([complaint] if complaint else []),
        *doubts_of_only_response(source, response, document, received),
    )
