"""Cookies that a server sets, kept for one source and sent to the host that set them."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

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
