"""Rows that come again at the beginning of the next page: of an offset or cursor that is not where the page before ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from tasks.core.escaping import count
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import PageGroup

_QUOTED_CHARACTERS = 60


async def warn_of_overlap(pages: AsyncGenerator[PageGroup, None]) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page; the first that begins as the one before ends is told of."""
    before, is_told = list[bytes](), False
    async with aclosing(pages):
        async for page in pages:
            rows = 0 if is_told else _overlap(before, page.lines)
            before = page.lines or before
            if rows:
                is_told = True
                page = page._replace(warnings=(*page.warnings, _sentence(before[0], rows)))  # noqa: PLW2901 - the same page
            yield page


def _overlap(before: list[bytes], page: list[bytes]) -> int:
    """Return how many rows a page begins with by which the one before ends; none where rows of one page are the same, too."""
    if not before or before[-1] not in page:
        return 0
    rows = page.index(before[-1]) + 1
    if before[-rows:] != page[:rows] or len({*page}) < len(page) or len({*before}) < len(before):
        return 0
    return rows


def _sentence(row: bytes, rows: int) -> str:
    said = quoted(row.decode("utf-8", "replace"), _QUOTED_CHARACTERS)
    return (
        f"a page begins with the {count(rows, 'row')} that the page before it ends with, {said} the first: they are there twice; "
        "correct where pagination begins, as where the server counts from 1, or declare a key, by which such rows are dropped"
    )
