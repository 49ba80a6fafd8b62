"""How many pages or rows there are, as a page tells in its body or its headers."""

from __future__ import annotations

from typing import Any

import httpx

from tasks.config.pagination import NumberedPagination
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.response import Document
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import PageRequest

_MOST_DIGITS = 18
_QUOTED_CHARACTERS = 60
_PLACES = ("pages_at", "pages_header", "total_at", "total_header")


def read_total(
    name: str,
    pagination: NumberedPagination,
    response: httpx.Response,
    document: Document,
    page_request: PageRequest,
) -> int:
    """Return how many pages or rows there are, at the place that a key names, one that `find_place` has found.

    Raises:
        PermanentSourceError: the place has no number of pages or rows.

    """
    place, key = getattr(pagination, name), f"pagination.{name}"
    found = document.at(place, key) if name.endswith("_at") else _header(response, place, key, page_request)
    number = _read_count(found)
    if number is None:
        raise PermanentSourceError(
            f"{page_request.label}: {key}: {place!r} is {quoted(found, _QUOTED_CHARACTERS)}, not a number of pages or rows; "
            "name the place of the number, or leave it out"
        )
    return number


def counts_rows(pagination: NumberedPagination) -> bool:
    """Return whether it is rows that the server counts, rather than pages."""
    return pagination.total_at is not None or pagination.total_header is not None


def find_place(pagination: NumberedPagination) -> str | None:
    """Return the key that names where the server tells."""
    return next((name for name in _PLACES if getattr(pagination, name, None) is not None), None)


def _header(response: httpx.Response, name: str, key: str, page_request: PageRequest) -> str:
    value = response.headers.get(name)
    if value is None:
        raise PermanentSourceError(f"{page_request.label}: {key}: the answer has no header {name!r}; correct {key}")
    return str(value)


def _read_count(value: Any) -> int | None:
    """Return a count that the server told of: a number, also as 3.0, or its digits."""
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return int(value) if value == value // 1 else None
