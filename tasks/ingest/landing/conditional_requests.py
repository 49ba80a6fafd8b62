"""A partition of one request asked for again only if it has changed (RFC 9110, 13)."""

from __future__ import annotations

import httpx

from tasks.config import ApiSource, PagesSource
from tasks.ingest.http.requests import Fetch, PageRequest
from tasks.raw.files import RawManifest

_NOT_MODIFIED = 304
_ROBOTS = "/robots.txt"


class NotModifiedError(Exception):
    """What is landed is what the server still has."""


class Conditional:
    """Makes requests; the first of them says what is landed already, and what it answers is remembered."""

    def __init__(self, fetch: Fetch, landed: RawManifest | None) -> None:
        self._fetch = fetch
        self._condition = {} if landed is None or landed.pages != 1 else _condition(landed)
        self._requests = 0
        self._first: httpx.Response | None = None

    async def fetch(self, page_request: PageRequest) -> httpx.Response:
        """Return the answer to a request.

        Raises:
            NotModifiedError: the first request found nothing changed.

        """
        if self._requests > 1 or page_request.url.path == _ROBOTS:
            return await self._fetch(page_request)
        self._requests += 1
        if self._requests > 1:
            return await self._fetch(page_request)
        if self._condition:
            page_request = page_request._replace(
                headers={**page_request.headers, **self._condition},
                answers=page_request.answers | {_NOT_MODIFIED},
            )
        self._first = await self._fetch(page_request)
        if self._condition and self._first.status_code == _NOT_MODIFIED:
            raise NotModifiedError
        return self._first

    def validator(self, header: str) -> str | None:
        """Return a validator that the server gave, ETag or Last-Modified, where one request was all."""
        if self._requests != 1 or self._first is None:
            return None
        value: str | None = self._first.headers.get(header)
        return value if value and value.isascii() and value.isprintable() else None


def is_validated_by_body(source: ApiSource | PagesSource) -> bool:
    """Return whether an unchanged body means that nothing is new: not where a header tells of further pages.

    Many servers make the ETag of the body alone, which a further page does not change.
    """
    return isinstance(source, PagesSource) or not source.pagination.reads_headers


def _condition(landed: RawManifest) -> dict[str, str]:
    headers = {"If-None-Match": landed.etag, "If-Modified-Since": landed.last_modified}
    return {name: value for name, value in headers.items() if value is not None}
