"""A partition of one request asked for again only if it has changed (RFC 9110, 13)."""

from __future__ import annotations

from dataclasses import replace

import httpx

from tasks.ingest.asking import Ask, Fetch
from tasks.raw import RawManifest

_NOT_MODIFIED = 304
_ROBOTS = "/robots.txt"


class NotModifiedError(Exception):
    """What is landed is what the server still has."""


class Conditional:
    """Makes requests; the first of them says what is landed already, and what it answers is remembered."""

    def __init__(self, fetch: Fetch, landed: RawManifest | None) -> None:
        self._fetch = fetch
        self._landed = landed if landed is not None and landed.pages == 1 else None
        self._asked = 0
        self._first: httpx.Response | None = None

    async def fetch(self, ask: Ask) -> httpx.Response:
        """Return the answer to a request.

        Raises:
            NotModifiedError: the first request found nothing changed.

        """
        if ask.url.path == _ROBOTS:
            return await self._fetch(ask)
        self._asked += 1
        if self._asked > 1:
            return await self._fetch(ask)
        condition = self._condition()
        self._first = await self._fetch(
            replace(ask, headers={**ask.headers, **condition}, answers=ask.answers | {_NOT_MODIFIED})
            if condition
            else ask
        )
        if condition and self._first.status_code == _NOT_MODIFIED:
            raise NotModifiedError
        return self._first

    def validator(self, header: str) -> str | None:
        """Return a validator that the server gave, ETag or Last-Modified, where one request was all."""
        if self._asked != 1 or self._first is None:
            return None
        value: str | None = self._first.headers.get(header)
        return value

    def _condition(self) -> dict[str, str]:
        landed = self._landed
        if landed is None:
            return {}
        headers = {"If-None-Match": landed.etag, "If-Modified-Since": landed.last_modified}
        return {name: value for name, value in headers.items() if value is not None}
