"""How many pages there are, as the first one tells in its body or its headers."""

from __future__ import annotations

from typing import Any

import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.api.document import Document
from tasks.ingest.http.asking import Ask
from tasks.spec import OffsetPagination, PagePagination

_MOST_DIGITS = 18
_QUOTED_CHARACTERS = 60


def count_pages(
    pagination: PagePagination | OffsetPagination, response: httpx.Response, document: Document, ask: Ask
) -> int | None:
    """Return how many pages there are, by whichever way the pipeline file names; None where it names none.

    Raises:
        PermanentSourceError: the place has no number of pages or rows.

    """
    for name in ("pages_at", "pages_header", "total_at", "total_header"):
        place = getattr(pagination, name, None)
        if place is None:
            continue
        key = f"pagination.{name}"
        found = document.at(place, key) if name.endswith("_at") else _header(response, place, key, ask)
        number = _read_count(found)
        if number is None:
            raise PermanentSourceError(
                f"{ask.said}: {key}: {place!r} is {found!r:.{_QUOTED_CHARACTERS}}, not a number of pages or rows; "
                "name the place of the number, or leave it out"
            )
        return -(-number // (pagination.size or 1)) if name.startswith("total") else number
    return None


def _header(response: httpx.Response, name: str, key: str, ask: Ask) -> str:
    value = response.headers.get(name)
    if value is None:
        raise PermanentSourceError(f"{ask.said}: {key}: the answer has no header {name!r}; correct {key}")
    return str(value)


def _read_count(value: Any) -> int | None:
    """Return a count that the server told of: a number, also as 3.0, or its digits."""
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return int(value) if value == value // 1 else None
