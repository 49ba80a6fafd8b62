"""Sessions that read files of a web server, and where it may send who asks for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import aiohttp
import httpx

from tasks.core.hosts import AllowedHosts, PinnedResolver, open_connector
from tasks.core.redaction import redact

_PUBLIC: set[str] = set()  # names of hosts that were public once; a file is listed and read over connections of its own


@cache
def session_opener(origin: str, allow_hosts: tuple[str, ...]) -> Callable[..., Awaitable[aiohttp.ClientSession]]:
    """Return what opens a session for an origin; it is the same one for the same origin, by which fsspec knows its own."""
    hosts = AllowedHosts([httpx.URL(origin)], allow_hosts)

    async def check(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Refuse a request, which may be one that a redirect asks for, before it is made."""
        to = httpx.URL(str(request.url))
        hosts.check(to, f"the redirect to {redact(str(to))!r:.200}")
        return await send(request)

    async def open_session(**options: Any) -> aiohttp.ClientSession:
        allowed = [httpx.URL(f"//{host}").host for host in allow_hosts]
        connector = open_connector(PinnedResolver(public=_PUBLIC, allowed=allowed))
        return aiohttp.ClientSession(connector=connector, middlewares=(check,), **options)

    return open_session
