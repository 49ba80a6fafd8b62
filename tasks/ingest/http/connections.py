"""Connections: aiohttp's pool beneath httpx's requests, and cookies that stay with their host."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from tasks.core.errors import ConfigError
from tasks.core.redaction import basic_pair
from tasks.ingest.http.tls import Certificates

_NO_TIMEOUT = ClientTimeout()  # there is one for the whole of an attempt
_DIRECT: dict[str, Any] = {}
_SCHEMES = ("http", "https")


class Connections:
    """Sends requests over a session's connections.

    The proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. They are chosen
    here because aiohttp, told to take them, takes the passwords in ~/.netrc too.
    """

    def __init__(self, session: ClientSession, certificates: Certificates | None = None) -> None:
        self._session = session
        self._certificates = certificates
        self._proxies = {
            scheme: _options(scheme, proxy) for scheme, proxy in getproxies().items() if scheme in _SCHEMES
        }

    def by(self, certificates: Certificates) -> Connections:
        """Return the same connections for who verifies them by certificates of its own."""
        return Connections(self._session, certificates)

    async def send(self, request: httpx.Request) -> ClientResponse:
        """Return the answer, its body still to be read; who does, closes it."""
        return await self._session.request(
            request.method,
            URL(str(request.url), encoded=True),  # given a text, aiohttp writes %7e as ~ and %3A as a colon
            headers=request.headers,
            data=request.content or None,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_NO_TIMEOUT,
            **(self._proxy_to(request.url) if self._proxies else _DIRECT),
            **({"ssl": await self._certificates.to(request.url)} if self._certificates else _DIRECT),
        )

    def _proxy_to(self, url: httpx.URL) -> dict[str, Any]:
        return _DIRECT if proxy_bypass(url.host) else self._proxies.get(url.scheme, _DIRECT)


def _options(scheme: str, address: str) -> dict[str, Any]:
    """Return how aiohttp is told of a proxy; its password it takes from a header, and puts it in the right one.

    Raises:
        ConfigError: it is asked for in a way that none is.

    """
    asked = address.partition("://")[0].lower() if "://" in address else "http"
    if asked not in _SCHEMES:
        raise ConfigError(
            f"{scheme.upper()}_PROXY begins with {asked}://, and a proxy is asked by http:// or https://; "
            "correct the variable, or unset it"
        )
    proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    proof = {"Authorization": f"Basic {basic_pair(*proxy.auth)}"} if proxy.auth else {}
    return {"proxy": str(proxy.url), "proxy_headers": proof}


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
