"""The HTTP client of a run: throttled by host, retried, bounded in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import httpx
from httpx_aiohttp import HttpxAiohttpClient

from tasks.errors import PermanentSourceError, SourceError
from tasks.ingest.retry import (
    PAUSING_STATUSES,
    RETRIED_STATUSES,
    TRANSPORT_ERRORS,
    MayPassError,
    attempts,
    retry_after_s,
)
from tasks.ingest.throttle import Throttle
from tasks.spec import ApiSource, PagesSource
from tasks.spec.sources import Requests

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

    async def get(
        self, url: httpx.URL, requests: Requests, tally: Tally, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Return the whole answer to a GET, after as many attempts as `requests` allows.

        Raises:
            PermanentSourceError: the server refuses (4xx), or the address is no HTTP server's.
            SourceError: every attempt failed in a way that may pass later.

        """
        first = tally.requests
        try:
            async for attempt in attempts(requests):
                with attempt:
                    tally.requests += 1
                    tally.retries += tally.requests - first > 1
                    return await self._attempt(url, requests, headers or {})
        except MayPassError as error:
            made = tally.requests - first
            raise SourceError(
                f"GET {url} failed {made} times, at last with: {error}; "
                f"try again later, or raise requests.attempts ({requests.attempts}) or requests.deadline_s ({requests.deadline_s:g})"
            ) from error
        raise AssertionError  # attempts() always returns or raises

    async def _attempt(self, url: httpx.URL, requests: Requests, headers: Mapping[str, str]) -> httpx.Response:
        host = self._throttle.host(url.netloc.decode("ascii"))
        async with host.slot():
            try:
                async with asyncio.timeout(requests.timeout_s):
                    response = await self._http.get(url, headers=headers)
            except TimeoutError as error:
                raise MayPassError(f"no whole answer within {requests.timeout_s:g} s") from error
            except httpx.ConnectError as error:
                raise MayPassError(
                    f"the host {url.host}:{url.port or url.scheme} cannot be reached ({error})"
                ) from error
            except (httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
                raise PermanentSourceError(f"GET {url}: {error}; correct the address") from error
            except TRANSPORT_ERRORS as error:
                raise MayPassError(f"the connection broke ({error or type(error).__name__})") from error
            if response.status_code in PAUSING_STATUSES:
                host.pause(retry_after_s(response.headers.get("Retry-After")) or 0.0)
        return _check_status(response)


@asynccontextmanager
async def open_client(sources: Iterable[ApiSource | PagesSource]) -> AsyncIterator[Client]:
    """Open the client for `sources`; a host that several name gets the smallest of their bounds."""
    bounds: dict[str, int] = {}
    for source in sources:
        for url in (source.url,) if isinstance(source, ApiSource) else source.start:
            host = httpx.URL(url).netloc.decode("ascii")
            bound = source.requests.max_in_flight
            bounds[host] = min(bounds.get(host, bound), bound)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with HttpxAiohttpClient(
        limits=limits, timeout=None, follow_redirects=True, headers={"User-Agent": USER_AGENT}
    ) as http:
        yield Client(http, Throttle(bounds, default=Requests().max_in_flight))


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
    excerpt = " ".join(response.text.split())[:_EXCERPT_CHARACTERS]
    raise PermanentSourceError(f"GET {response.request.url} was refused with {said}: {excerpt!r}; {cure}")
