"""The HTTP client of a run: throttled by host, retried, bounded in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from tasks.errors import PermanentSourceError, SourceError
from tasks.ingest.excerpt import excerpt
from tasks.ingest.retry import (
    PAUSING_STATUSES,
    RETRIED_STATUSES,
    TRANSPORT_ERRORS,
    Line,
    MayPassError,
    UnreachableError,
    attempts,
    retry_after_s,
)
from tasks.ingest.throttle import LongPauseError, Throttle
from tasks.partitions import list_partitions
from tasks.spec import ApiSource, PagesSource, Requests

USER_AGENT = f"tidemill/{version('tidemill')}"
_EXCERPT_CHARACTERS = 200


@dataclass
class Tally:
    """How many requests one partition cost; retries are the attempts after each first."""

    requests: int = 0
    retries: int = 0


class Client:
    """One HTTP client for all sources of a run, open while `open_client` is."""

    def __init__(self, http: httpx.AsyncClient, throttle: Throttle) -> None:
        self._http = http
        self._throttle = throttle
        self._tallies: defaultdict[Path, Tally] = defaultdict(Tally)

    def tally(self, raw: Path) -> Tally:
        """Return the tally of the partition whose raw file is `raw`; attempts that failed before count in it."""
        return self._tallies[raw]

    async def get(
        self, url: httpx.URL, requests: Requests, tally: Tally, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Return the whole answer to a GET, after as many attempts as `requests` allows.

        Raises:
            PermanentSourceError: the server refuses (4xx), or the address is no HTTP server's.
            SourceError: every attempt failed in a way that may pass later, or the host asks for a long pause.

        """
        line, made = Line(), 0
        try:
            async for attempt in attempts(requests, line):
                with attempt:
                    made += 1
                    tally.requests += 1
                    tally.retries += made > 1
                    return await self._attempt(url, requests, headers or {}, line)
        except MayPassError as error:
            # A host that has not answered once in this run is not likely to in the next seconds.
            gone = isinstance(error, UnreachableError) and not self._throttle.host(_host_of(url)).has_answered
            raise (PermanentSourceError if gone else SourceError)(
                f"GET {url} failed {made} times, at last with: {error}; "
                f"try again later, or raise requests.attempts ({requests.attempts}) or requests.deadline_s ({requests.deadline_s:g})"
            ) from error
        raise AssertionError  # attempts() always returns or raises

    async def _attempt(
        self, url: httpx.URL, requests: Requests, headers: Mapping[str, str], line: Line
    ) -> httpx.Response:
        host = self._throttle.host(_host_of(url))
        try:
            async with host.slot(requests.deadline_s) as in_line_s:
                line.stood_s += in_line_s
                response = await self._send(url, requests.timeout_s, headers)
                host.has_answered = True
                if response.status_code in PAUSING_STATUSES:
                    host.pause(retry_after_s(response.headers.get("Retry-After")) or 0.0)
        except LongPauseError as error:
            raise SourceError(
                f"GET {url}: the host asks to be left alone for {error.pause_s:.0f} s, "
                f"longer than requests.deadline_s ({requests.deadline_s:g}); try again then, or raise requests.deadline_s"
            ) from None
        return _check_status(response)

    async def _send(self, url: httpx.URL, timeout_s: float, headers: Mapping[str, str]) -> httpx.Response:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._http.get(url, headers=headers)
        except TimeoutError as error:
            raise MayPassError(f"no whole answer within {timeout_s:g} s") from error
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, UnicodeError) as error:
            raise PermanentSourceError(f"GET {url}: {error}; correct the address") from error
        except TRANSPORT_ERRORS as error:
            # httpx-aiohttp makes a ConnectTimeout of any failure to connect; its cause tells.
            if isinstance(error.__cause__, aiohttp.ClientConnectorDNSError) and _is_unknown(error.__cause__):
                raise PermanentSourceError(
                    f"GET {url}: no host has the name {url.host}; correct the address"
                ) from error
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                raise UnreachableError(
                    f"the host {url.host}:{url.port or url.scheme} cannot be reached ({error})"
                ) from error
            raise MayPassError(f"the connection broke ({str(error) or type(error).__name__})") from error


@asynccontextmanager
async def open_client(sources: Iterable[ApiSource | PagesSource]) -> AsyncIterator[Client]:
    """Open the client for `sources`; a host that several name gets the smallest of their bounds."""
    bounds: dict[str, int] = {}
    for source in sources:
        bound = source.requests.max_in_flight
        for host in _hosts(source):
            bounds[host] = min(bounds.get(host, bound), bound)
    # The throttle is the bound. 0 is aiohttp's word for none: of None it makes 100 over all hosts.
    limits = httpx.Limits(max_connections=0, max_keepalive_connections=None)
    async with HttpxAiohttpClient(
        verify=_tls(), limits=limits, timeout=None, follow_redirects=True, headers={"User-Agent": USER_AGENT}
    ) as http:
        yield Client(http, Throttle(bounds, default=Requests().max_in_flight))


@cache
def _tls() -> ssl.SSLContext:
    """Return what certificates are verified against; reading them takes 50 ms, so once a process."""
    return httpx.create_ssl_context()


def _host_of(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")


def _is_unknown(error: aiohttp.ClientConnectorDNSError) -> bool:
    """Return whether the name service knows that there is no such name, rather than being out of reach itself."""
    return error.os_error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def _hosts(source: ApiSource | PagesSource) -> set[str]:
    """Return the hosts (with their ports) of a source's addresses; a partition may decide on the host."""
    addresses = (source.url,) if isinstance(source, ApiSource) else source.start
    origins = {"/".join(address.split("/")[:3]) for address in addresses}
    partitions = list_partitions(source) if any("{" in origin for origin in origins) else list_partitions(source)[:1]
    return {_host_of(httpx.URL(p.fill(origin))) for p in partitions for origin in origins}


def _check_status(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if response.is_success:
        return response
    said = f"{status} {response.reason_phrase}".strip()
    if status in RETRIED_STATUSES:
        raise MayPassError(said)
    cure = {
        401: "check the token that auth names",
        403: "check that the token that auth names may read this",
        404: "correct the address or the partitions",
    }.get(status, "correct the request")
    quoted = excerpt(response, _EXCERPT_CHARACTERS)
    raise PermanentSourceError(f"GET {response.request.url} was refused with {said}: {quoted!r}; {cure}")
