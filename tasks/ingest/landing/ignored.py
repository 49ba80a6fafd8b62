"""Answers that stand for nothing: a partition whose first request has such a status is landed without a row."""

from __future__ import annotations

from collections.abc import Collection

import httpx

from tasks.ingest.http.redaction import excerpt
from tasks.ingest.http.requests import Fetch, PageRequest, label_of

_ROBOTS = "/robots.txt"


class IgnoredAnswerError(Exception):
    """The first request of a partition has an answer that is to be passed over; the message says so in a sentence."""


class Ignoring:
    """Makes requests; the first may have an answer of `requests.ignore`."""

    def __init__(self, fetch: Fetch, statuses: Collection[int]) -> None:
        self._fetch = fetch
        self._statuses = frozenset(statuses)
        self._is_first = True

    async def fetch(self, page_request: PageRequest) -> httpx.Response:
        """Return the answer to a request.

        Raises:
            IgnoredAnswerError: the first request has one that is to be passed over.

        """
        if not self._is_first or page_request.url.path == _ROBOTS:
            return await self._fetch(page_request)
        self._is_first = False
        response = await self._fetch(page_request._replace(answers=page_request.answers | self._statuses))
        if response.status_code in self._statuses - page_request.answers:
            said = f"{label_of(response)} was answered with {response.status_code} {response.reason_phrase}".strip()
            raise IgnoredAnswerError(
                f"{said}: {excerpt(response)!r}, which requests.ignore passes over: there is no row of it"
            )
        return response
