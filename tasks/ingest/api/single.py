"""An answer that is all of what is asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx

from tasks.config import ApiSource
from tasks.ingest.api.bodies import read_answer
from tasks.ingest.api.remainder import doubts_of_only_response
from tasks.ingest.api.response import Document, ListNames
from tasks.ingest.api.shape import records_of
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest, has_content


async def read_single(source: ApiSource, first: PageRequest, fetch: Fetch) -> AsyncGenerator[PageGroup, None]:
    """Yield the records of the only answer of a partition."""
    yield await read_alone(source, await fetch(first), ListNames(source.names))


async def read_alone(source: ApiSource, response: httpx.Response, names: ListNames) -> PageGroup:
    """Return the records of an answer, and what there is to doubt in it; lists among them get their names."""

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

    return await read_answer(source, response, read) if has_content(response) else PageGroup([], 1, None)
