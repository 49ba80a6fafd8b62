"""How many pages or rows there are, as a page tells in its body or its headers."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True)
class CountPlace:
    """Where a page tells how many pages or rows there are, as `key` of the pipeline file names it: a path or a header."""

    key: str
    name: str
    is_header: bool

    def read(self, response: httpx.Response, document: Document, page_request: PageRequest) -> int:
        """Return how many pages or rows there are.

        Raises:
            PermanentSourceError: the place has no number of pages or rows.

        """
        found = self._header(response, page_request) if self.is_header else document.at(self.name, self.key)
        number = _read_count(found)
        if number is None:
            raise PermanentSourceError(
                f"{page_request.label}: {self.key}: {self.name!r} is {quoted(found, _QUOTED_CHARACTERS)}, "
                "not a number of pages or rows; name the place of the number, or leave it out"
            )
        return number

    def _header(self, response: httpx.Response, page_request: PageRequest) -> str:
        value = response.headers.get(self.name)
        if value is None:
            raise PermanentSourceError(
                f"{page_request.label}: {self.key}: the answer has no header {self.name!r}; correct {self.key}"
            )
        return str(value)


def counts_rows(pagination: NumberedPagination) -> bool:
    """Return whether it is rows that the server counts, rather than pages."""
    return pagination.total_at is not None or pagination.total_header is not None


def find_place(pagination: NumberedPagination) -> CountPlace | None:
    """Return where the server tells; None where the pipeline file names no place."""
    for key in _PLACES:
        if (name := getattr(pagination, key, None)) is not None:
            return CountPlace(f"pagination.{key}", name, is_header=key.endswith("_header"))
    return None


def _read_count(value: Any) -> int | None:
    """Return a count that the server told of: a number, also as 3.0, or its digits."""
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return int(value) if value == value // 1 else None
