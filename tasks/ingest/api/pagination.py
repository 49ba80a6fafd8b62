"""The pages of one partition of an API, in order: numbered ones fetched concurrently, others one after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import assert_never

from tasks.config import ApiSource
from tasks.config.pagination import FollowedPagination, NumberedPagination, SinglePagination
from tasks.ingest.api.jobs import JobState, read_job
from tasks.ingest.api.numbered import read_numbered
from tasks.ingest.api.overlap import warn_of_overlap
from tasks.ingest.api.paging import Progress
from tasks.ingest.api.sequential import Walk, read_sequence
from tasks.ingest.api.single import read_single
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest


def read_pages(
    source: ApiSource, first: PageRequest, fetch: Fetch, state: Progress | Walk | JobState | None
) -> AsyncGenerator[PageGroup, None]:
    """Yield the records of each page of a partition, from where `state` says; None is the beginning.

    Raises:
        PermanentSourceError: a body without records or page count, more pages than
            `max_pages`, or a server that gives the same page again and again.

    """
    if source.job is not None:
        assert state is None or isinstance(state, JobState)
        return read_job(source, source.job, first, fetch, state)
    assert not isinstance(state, JobState)
    match source.pagination:
        case SinglePagination():
            return read_single(source, first, fetch)
        case NumberedPagination() as pagination:
            assert not isinstance(state, Walk)
            pages = read_numbered(source, pagination, first, fetch, state or Progress())
        case FollowedPagination() as pagination:
            assert not isinstance(state, Progress)
            pages = read_sequence(source, pagination, first, fetch, state or Walk())
        case _:
            assert_never(source.pagination)
    return pages if source.key else warn_of_overlap(pages)  # by a key they are dropped, and counted
