"""Redirects followed, each step through its own host's throttle and without what belongs to another host."""

from __future__ import annotations

import httpx

from tasks.core.errors import DeadRedirectError
from tasks.core.hosts import AllowedHosts
from tasks.ingest.http.auth import is_own, origin_of
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import context_of, with_context

_QUOTED_CHARACTERS = 200
_STEPS = 20  # as browsers allow
_KEEPING_METHOD = frozenset({307, 308})
_FOLLOWED = frozenset({301, 302, 303}) | _KEEPING_METHOD
_OF_BODY = ("Content-Type", "Content-Length")


class RedirectTransport(httpx.AsyncBaseTransport):
    """Follows redirects to `hosts`; `headers` are those that any host gets."""

    def __init__(self, inner: httpx.AsyncBaseTransport, headers: httpx.Headers, hosts: AllowedHosts) -> None:
        self._inner = inner
        self._headers = headers
        self._hosts = hosts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is no redirect.

        Raises:
            DeadRedirectError: the redirects do not end, or lead to no address.
            OtherHostError: the request itself, or a redirect, is for a host that the source may not go to.

        """
        asked = context_of(request)
        if not self._hosts.allow(request.url):
            self._hosts.check(request.url, asked.label)
        for _ in range(_STEPS):
            response = await self._inner.handle_async_request(request)
            if response.status_code not in _FOLLOWED or "Location" not in response.headers:
                return response
            request = self._next(request, response)
        raise DeadRedirectError(
            f"{asked.label}: more than {_STEPS} redirects, one after the other; correct the address"
        )

    def _next(self, request: httpx.Request, response: httpx.Response) -> httpx.Request:
        """Return the request that a redirect asks for (RFC 9110, 15.4)."""
        url = _target(request, response)
        self._hosts.check(url, f"{context_of(request).label}: the redirect to {quoted(str(url), _QUOTED_CHARACTERS)}")
        keeps = response.status_code in _KEEPING_METHOD or request.method == "GET"
        method = request.method if keeps else "GET"
        own = is_own(url, {origin_of(request.url)})
        headers = httpx.Headers(request.headers if own else self._headers)
        headers.pop("Host", None)
        body = request.content if keeps else b""
        for name in _OF_BODY:
            headers.pop(name, None)
            if body and name in request.headers:
                headers[name] = request.headers[name]
        asked = context_of(request)
        extensions = with_context(asked.stats, method, url, max_bytes=asked.max_bytes)
        following = httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(body), extensions=extensions)
        following.read()
        return following


def _target(request: httpx.Request, response: httpx.Response) -> httpx.URL:
    """Return the address that a redirect leads to."""
    location = response.headers["Location"]
    try:
        url = request.url.join(location).copy_with(fragment=None)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise DeadRedirectError(
            f"{context_of(request).label}: the redirect to {quoted(location, _QUOTED_CHARACTERS)} leads to no web address; correct the address"
        )
    return url
