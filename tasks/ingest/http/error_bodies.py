"""Answers that are errors in spite of their status, as something in their body tells."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx

from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.response import read_document
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import has_content
from tasks.ingest.http.retries import TransientError

_QUOTED_CHARACTERS = 80


class ErrorBodyTransport(httpx.AsyncBaseTransport):
    """Makes one attempt at a request, which has failed where its answer has something at the path `error_at`."""

    def __init__(self, inner: httpx.AsyncBaseTransport, error_at: str) -> None:
        self._inner = inner
        self._error_at = error_at

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer.

        Raises:
            TransientError: as the inner transport; or the answer tells of an error.

        """
        response = await self._inner.handle_async_request(request)
        response.request = request
        if response.is_success and has_content(response) and (said := await self._find(response)):
            raise TransientError(
                f"{response.status_code} {response.reason_phrase}, "
                f"and error_at: {self._error_at} is {quoted(said, _QUOTED_CHARACTERS)}"
            )
        return response

    async def _find(self, response: httpx.Response) -> Any:
        """Return what a body has at the path; None where it is no JSON, of which whoever reads the records tells."""
        with suppress(PermanentSourceError):
            return await read_document(response, lambda document: document.find(self._error_at))
        return None
