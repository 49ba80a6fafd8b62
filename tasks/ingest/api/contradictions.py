"""What the pages of a partition give reason to doubt, when all have been read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from tasks.config.pagination import NumberedPagination
from tasks.core.errors import WrongPagesError
from tasks.core.escaping import count
from tasks.ingest.api.counts import counts_rows
from tasks.ingest.api.paging import NumberedPage, Progress

FetchAt = Callable[[int, int], Awaitable[NumberedPage]]


async def list_doubts(progress: Progress, pagination: NumberedPagination, fetch_at: FetchAt) -> tuple[str, ...]:
    """Return one sentence for each thing that pages and what was told of them do not agree on.

    Raises:
        WrongPagesError: the server counts its pages from 0, and they were asked for from 1.

    """
    if _lacks_rows(progress, pagination):
        await _check_start(progress, pagination, fetch_at)
    return tuple(_doubts(progress, pagination))


def _lacks_rows(progress: Progress, pagination: NumberedPagination) -> bool:
    """Return whether the server told of more than came."""
    if progress.total is None:
        return False
    if counts_rows(pagination):
        return progress.rows < progress.total
    return progress.empty > 0 and progress.total > 1


async def _check_start(progress: Progress, pagination: NumberedPagination, fetch_at: FetchAt) -> None:
    """Raise where there is a page before the first one that was asked for, as the server counts from 0."""
    if not pagination.may_start_too_late:
        return
    page = await fetch_at(1, 0)
    if page.records and page.digest != progress.first:
        raise WrongPagesError(
            f"{page.page_request.label}: the server tells of {_total_text(progress, pagination)}, of which the pages from "
            f"{pagination.start} on have {count(progress.rows, 'row')}, and page 0 has {len(page.records)} more: "
            "it counts from 0; set pagination.start: 0"
        )


def _doubts(progress: Progress, pagination: NumberedPagination) -> Iterator[str]:
    for told in (progress.complaint, progress.turns_pages):
        if told is not None:
            yield told
    if progress.empty_before:
        yield (
            f"{progress.first_empty}: others with rows come after {count(progress.empty_before, 'page')} without any, "
            "so that rows may be missing; where such an answer is an error, name what it has in error_at"
        )
    if progress.total is None:
        return
    if progress.is_wrong or _lacks_rows(progress, pagination):
        yield (
            f"the server tells of {_total_text(progress, pagination)}, and its pages have {count(progress.rows, 'row')}"
            f"{_empty_ones(progress, pagination)}: some may be missing or double; fetch again with --fresh, "
            "or correct pagination"
        )
    if progress.most is not None and progress.most > progress.total:
        yield (
            f"the server told of {progress.most}, and at last of {_total_text(progress, pagination)}: rows that moved from "
            "page to page while they were read may be missing; fetch again with --fresh"
        )


def _total_text(progress: Progress, pagination: NumberedPagination) -> str:
    return f"{progress.total} {'rows' if counts_rows(pagination) else 'pages'}"


def _empty_ones(progress: Progress, pagination: NumberedPagination) -> str:
    return "" if counts_rows(pagination) else f", none in the last {progress.empty} of these"
