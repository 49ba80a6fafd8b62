"""Connections to hosts: direct ones, or through the proxy that the environment names."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import httpx
from aiohttp import ClientSession
from httpx_aiohttp import AiohttpTransport


class Connections(httpx.AsyncBaseTransport):
    """Sends requests over a session's connections.

    The proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. They are chosen
    here because aiohttp, told to take them, takes the passwords in ~/.netrc too.
    """

    def __init__(self, session: ClientSession) -> None:
        # Certificates are verified by the session: these make no SSL context of their own.
        self._direct = AiohttpTransport(verify=False, client=session)
        self._by_proxy = {
            scheme: AiohttpTransport(verify=False, client=session, proxy=httpx.Proxy(_address(proxy)))
            for scheme, proxy in getproxies().items()
            if scheme in ("http", "https")
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, its body still to be read."""
        transport = self._by_proxy.get(request.url.scheme, self._direct)
        if transport is not self._direct and proxy_bypass(request.url.host):
            transport = self._direct
        return await transport.handle_async_request(request)


def _address(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
