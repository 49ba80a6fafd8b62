"""Connections: aiohttp's pool beneath httpx, and cookies that stay with their host."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx
from aiohttp import ClientSession
from aiohttp.client import _RequestContextManager
from httpx_aiohttp import AiohttpTransport
from yarl import URL


class Connections(httpx.AsyncBaseTransport):
    """Sends requests over a session's connections.

    The proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. They are chosen
    here because aiohttp, told to take them, takes the passwords in ~/.netrc too.
    """

    def __init__(self, session: ClientSession) -> None:
        # Certificates are verified by the session: these make no SSL context of their own.
        self._direct = _ExactTransport(session)
        self._by_proxy = {
            scheme: _ExactTransport(session, httpx.Proxy(_address(proxy)))
            for scheme, proxy in getproxies().items()
            if scheme in ("http", "https")
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body still to be read."""
        transport = self._by_proxy.get(request.url.scheme, self._direct)
        if transport is not self._direct and proxy_bypass(request.url.host):
            transport = self._direct
        return await transport.handle_async_request(request)


class _ExactSession:
    """A session that asks for an address as it is given: aiohttp, given a text, writes %7e as ~ and %3A as a colon."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def request(self, *, method: str, url: str, **options: Any) -> _RequestContextManager:
        return self._session.request(method, URL(url, encoded=True), **options)

    async def close(self) -> None:
        await self._session.close()


class _ExactTransport(AiohttpTransport):
    """The transport over such a session, which it asks for before each request."""

    def __init__(self, session: ClientSession, proxy: httpx.Proxy | None = None) -> None:
        super().__init__(verify=False, proxy=proxy)
        self._session = _ExactSession(session)

    def get_client(self) -> Any:
        """Return the session."""
        return self._session


def _address(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


_OWN_HOST = DefaultCookiePolicy(strict_domain=True, strict_ns_domain=DefaultCookiePolicy.DomainStrict)


class CookieTransport(httpx.AsyncBaseTransport):
    """Sends a source's cookies; another source of the same host, which may ask as somebody else, has its own."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._cookies = httpx.Cookies()
        self._cookies.jar = CookieJar(_OWN_HOST)
        self._any = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer."""
        if self._any:  # hardly any API has cookies, and looking for them takes as long as the rest
            request.headers.pop("Cookie", None)
            self._cookies.set_cookie_header(request)
        response = await self._inner.handle_async_request(request)
        if "Set-Cookie" in response.headers:
            self._cookies.extract_cookies(response)
            self._any = True
        return response
