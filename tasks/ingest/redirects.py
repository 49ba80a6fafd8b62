"""Redirects followed, each step through its own host's throttle and without what belongs to another host."""

from __future__ import annotations

import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.credentials import origin_of
from tasks.ingest.tally import account_of, charge

_STEPS = 20  # as browsers allow
_KEEPING_METHOD = frozenset({307, 308})
_FOLLOWED = frozenset({301, 302, 303}) | _KEEPING_METHOD
_KEPT_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Accept-Language")


class RedirectTransport(httpx.AsyncBaseTransport):
    """Follows redirects."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is no redirect.

        Raises:
            PermanentSourceError: the redirects do not end, or lead to no address.

        """
        asked = account_of(request).said
        for _ in range(_STEPS):
            response = await self._inner.handle_async_request(request)
            if response.status_code not in _FOLLOWED or "Location" not in response.headers:
                return response
            request = _next(request, response)
        raise PermanentSourceError(
            f"{asked}: more than {_STEPS} redirects, one after the other; correct the address"
        )


def _next(request: httpx.Request, response: httpx.Response) -> httpx.Request:
    """Return the request that a redirect asks for (RFC 9110, 15.4)."""
    location = response.headers["Location"]
    try:
        url = request.url.join(location).copy_with(fragment=None)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise PermanentSourceError(
            f"{account_of(request).said}: the redirect to {location!r:.200} leads to no web address; correct the address"
        )
    keeps = response.status_code in _KEEPING_METHOD or request.method == "GET"
    method = request.method if keeps else "GET"
    own = origin_of(url) == origin_of(request.url)
    kept = request.headers if own and keeps else {k: v for k in _KEPT_HEADERS if (v := request.headers.get(k))}
    headers = httpx.Headers(kept)
    headers.pop("Host", None)
    account = account_of(request)
    body = request.content if keeps and request.content else None
    return httpx.Request(
        method, url, headers=headers, content=body, extensions=charge(account.tally, method, url)
    )
