"""Errors that an answer of GraphQL tells in its body, whatever its status: rate limits, what may pass, and mistakes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.error_bodies import Find
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import context_of, has_content
from tasks.ingest.http.retries import TransientError

_QUOTED_CHARACTERS = 200
_TOO_MANY = 429
_LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "RATELIMITED", "THROTTLED", "TOO_MANY_REQUESTS"})
"""Codes of a used-up limit, as GitHub, Shopify and others write them."""
_MAY_PASS = frozenset({"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT", "GATEWAY_TIMEOUT", "BAD_GATEWAY"})
"""Codes of failures that another attempt may not meet, as Apollo's servers write them."""


class GraphQLErrorTransport(httpx.AsyncBaseTransport):
    """Makes one attempt at a request, which has failed where its answer has errors; rows beside them may lack values."""

    def __init__(self, inner: httpx.AsyncBaseTransport, find: Find) -> None:
        self._inner = inner
        self._find = find

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer; one that tells of a used-up limit as one of 429, with the wait that it tells.

        Raises:
            TransientError: as the inner transport; or errors that may pass.
            PermanentSourceError: as the inner transport; or errors of the query.

        """
        response = await self._inner.handle_async_request(request)
        response.request = request
        errors = await self._find(response, "errors") if response.is_success and has_content(response) else None
        if not errors:
            return response
        told = errors if isinstance(errors, list) else [errors]
        codes = {_code_of(error) for error in told}
        said = _sentence(told)
        if codes & _LIMITED:
            return _as_refused(response, request, said, await self._find(response, "extensions.cost"))
        if codes & _MAY_PASS:
            raise TransientError(f"the answer has errors: {said}")
        raise PermanentSourceError(
            f"{context_of(request).label}: the answer has errors: {said}; correct graphql.query or its variables"
        )


def _code_of(error: Any) -> str:
    """Return the code of an error, in capitals; empty where it has none."""
    if not isinstance(error, Mapping):
        return ""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, Mapping) else None
    return str(code or error.get("type") or "").upper()


def _sentence(errors: Sequence[Any]) -> str:
    """Return what the first error says, where, and how many others there are."""
    first = errors[0]
    path = first.get("path") if isinstance(first, Mapping) else None
    message = first.get("message", first) if isinstance(first, Mapping) else first
    where = f" at {'.'.join(map(str, path))}" if isinstance(path, list) and path else ""
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"{quoted(message, _QUOTED_CHARACTERS)}{where}{more}"


def _as_refused(response: httpx.Response, request: httpx.Request, said: str, cost: Any) -> httpx.Response:
    """Return an answer as the refusal that it is."""
    headers = httpx.Headers(
        [pair for pair in response.headers.raw if pair[0].lower() in _KEPT or b"limit" in pair[0].lower()]
    )
    if "Retry-After" not in headers and (wait_s := _wait_s(cost)) is not None:
        headers["Retry-After"] = str(wait_s)
    reason = json.dumps(f"200 with errors: {said}").strip('"').encode("ascii")
    return httpx.Response(
        _TOO_MANY, headers=headers, content=response.content, request=request, extensions={"reason_phrase": reason}
    )


_KEPT = frozenset({b"retry-after"})


def _wait_s(cost: Any) -> int | None:
    """Return the seconds until a query can be afforded, as Shopify tells what it costs, what is left and what is given back a second."""
    try:
        status = cost["throttleStatus"]
        lacking = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(0, math.ceil(lacking / float(status["restoreRate"])))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
