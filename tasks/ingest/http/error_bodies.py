"""Answers that are errors in spite of their status, as something in their body tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import has_content
from tasks.ingest.http.retries import TransientError

_QUOTED_CHARACTERS = 80


Find = Callable[[httpx.Response, str], Awaitable[Any]]
"""Returns what a body has at a path; None where it is no JSON, of which whoever reads the records tells."""


class ErrorBodyTransport(httpx.AsyncBaseTransport):
    """Makes one attempt at a request, which has failed where its answer has something at the path `error_at`."""

    def __init__(self, inner: httpx.AsyncBaseTransport, error_at: str, find: Find) -> None:
        self._inner = inner
        self._error_at = error_at
        self._find = find

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer.

        Raises:
            TransientError: as the inner transport; or the answer tells of an error.

        """
        response = await self._inner.handle_async_request(request)
        response.request = request
        if response.is_success and has_content(response) and (said := await self._find(response, self._error_at)):
            raise TransientError(
                f"{response.status_code} {response.reason_phrase}, "
                f"and error_at: {self._error_at} is {quoted(said, _QUOTED_CHARACTERS)}"
            )
        return response
