"""How the tests of crawling make sources of pages, and fetch them from a real site."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from tasks.config import PagesSource
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest
from tasks.ingest.scraping.crawl import crawl
from tasks.ingest.scraping.frontier import CrawlState, Reached
from tasks.ingest.scraping.robots import Robots
from tasks.ingest.throttle.limiter import Answer, HostLimits, Throttle
from tasks.raw.partitions import list_partitions
from tests.site.server import Site

PATIENCE_S = 10.0
CERTIFICATES = httpx.create_ssl_context()
"""Read once, and not for each client, which takes 20 ms."""


def pages(site: Site, *paths: str, **changes: Any) -> PagesSource:
    """Return a source of pages whose rows have a name, changed as said."""
    plain = {
        "start": tuple(f"{site.url}{path}" for path in paths),
        "rows": "li",
        "columns": {"name": "b::text"},
        "follow": "a[rel=next]::attr(href)",
        "robots": "ignore",
    }
    return PagesSource.model_validate(plain | changes)


def open_throttle() -> Throttle:
    """Return a throttle that leaves room for every test."""
    return Throttle({}, HostLimits(start=32, minimum=1, maximum=32))


@asynccontextmanager
async def open_fetch(throttle: Throttle) -> AsyncIterator[Fetch]:
    """Open what makes one attempt at a request."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE_S, verify=CERTIFICATES) as http:

        async def fetch(page_request: PageRequest) -> httpx.Response:
            host = throttle.host(page_request.url.netloc.decode())
            await host.acquire(PATIENCE_S)
            entered_at = asyncio.get_running_loop().time()
            try:
                response = await http.get(page_request.url, headers=page_request.headers)
            finally:
                host.release(entered_at, Answer.OTHER)
            if response.is_success or response.status_code in page_request.answers:
                return response
            failure = PermanentSourceError if response.is_client_error else SourceError
            raise failure(f"GET {page_request.url} was refused with {response.status_code}")

        yield fetch


async def crawl_from(
    source: PagesSource,
    state: CrawlState | None = None,
    stop_after: int | None = None,
    throttle: Throttle | None = None,
) -> list[PageGroup]:
    """Return what a source's first partition gives from `state` on; at most `stop_after` groups."""
    throttle, groups = throttle or open_throttle(), list[PageGroup]()
    partition = list_partitions(source)[0]
    async with (
        open_fetch(throttle) as fetch,
        aclosing(crawl(source, partition, fetch, Robots(throttle), state)) as found,
    ):
        async for group in found:
            groups.append(group)
            if len(groups) == stop_after:
                break
    return groups


def state_of(group: PageGroup) -> CrawlState:
    """Return the state after a group of a crawl that goes on."""
    assert isinstance(group.state, Reached)
    return group.state.state()


def with_states(groups: list[PageGroup]) -> list[PageGroup]:
    """Return groups of a crawl, each with the state after it, to be compared."""
    return [group if group.state is None else group._replace(state=state_of(group)) for group in groups]


async def crawl_rows(source: PagesSource) -> list[Any]:
    """Return the rows, and the rejects, of a source's first partition."""
    return read_rows(await crawl_from(source))


async def crawl_names(source: PagesSource) -> list[Any]:
    """Return the name of each row, or why there is none."""
    return [row.get("name", row.get("$reject")) for row in await crawl_rows(source)]


def read_rows(groups: list[PageGroup]) -> list[Any]:
    """Return the rows of some groups."""
    return [json.loads(line) for group in groups for line in group.lines]
