"""The first page of a source: asked for as a run does, its rows landed nowhere."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from tasks.config import ApiSource, PagesSource, Requests
from tasks.core.errors import PermanentSourceError
from tasks.core.json_text import take_json, to_value
from tasks.ingest.api.bodies import open_answer
from tasks.ingest.api.outline import ApiOutline, outline_api
from tasks.ingest.api.pagination import read_pages
from tasks.ingest.api.response import ListNames, find_in_body
from tasks.ingest.api.shape import records_of
from tasks.ingest.api.urls import first_request
from tasks.ingest.http.client import Client, open_client
from tasks.ingest.http.requests import Fetch, PageGroup, RequestStats
from tasks.ingest.landing.private import clean_records, tell_unmet
from tasks.ingest.scraping.browsers import Browsers, open_browsers
from tasks.ingest.scraping.crawl import Beside, crawl
from tasks.ingest.scraping.outline import PageOutline, outline_page
from tasks.ingest.scraping.page import read_page
from tasks.ingest.scraping.robots import Robots, robots_address
from tasks.raw.partitions import list_partitions

Warn = Callable[[str], None]
MAKES_JOB = "its first request would make a job on the server, which a look does not; run --limit 1 makes one"
_LOOK = Requests(max_in_flight=1, start_in_flight=1, attempts=3, timeout_s=20, deadline_s=30)
_LISTINGS = 8  # sitemaps read on the way to the first page with rows


class Access(NamedTuple):
    """What the few requests of one source go through."""

    client: Client
    fetch: Fetch
    robots: Robots
    browsers: Browsers


@asynccontextmanager
async def open_access(source: ApiSource | PagesSource, warn: Warn) -> AsyncIterator[Access]:
    """Open the way to a source's host.

    Raises:
        PermanentSourceError: a secret of its auth is not in the environment.

    """
    async with open_client([source], warn, find_in_body) as client, open_browsers() as browsers:
        fetch = client.endpoint(source, _read_secrets(source)).fetch_into(RequestStats())
        yield Access(client, fetch, Robots(client.throttle, client.warn), browsers)


def read_from_start(source: ApiSource | PagesSource, fetch: Fetch, access: Access) -> AsyncGenerator[PageGroup, None]:
    """Yield the pages of a source's first partition, from the first address alone, as its first run asks for them."""
    partition = list_partitions(source)[0]
    if isinstance(source, PagesSource):
        first, beside = source.model_copy(update={"start": source.start[:1]}), Beside(browsers=access.browsers)
        return crawl(first, partition, fetch, access.robots, None, beside)
    since = source.incremental.start if source.incremental is not None else None
    return read_pages(source, first_request(source, partition, since), fetch, None)


@dataclass(frozen=True)
class FirstAnswer:
    """What an address answered to one request: the page that it is, or the records of an API, where `body` is their JSON."""

    response: httpx.Response
    body: Any = None
    page: PageOutline | None = None
    """How it may be read, where it is a page; None where it shows no rows."""
    is_json: bool = False

    def outline(self, params: Mapping[str, str]) -> ApiOutline:
        """Return what the answer of an API shows; `params` are those that were asked with."""
        return outline_api(self.body, self.response.headers, params)

    def records(self, source: ApiSource | PagesSource) -> Sequence[bytes]:
        """Return its records as a source reads them, each as a line of JSON.

        Raises:
            PermanentSourceError: they are not as the source says.

        """
        if isinstance(source, PagesSource):
            return read_page(self.response, source).lines
        return ListNames(source.names).name(records_of(open_answer(source, self.response), source))


async def fetch_first_answer(source: ApiSource, warn: Warn, *, is_api: bool) -> FirstAnswer:
    """Return what the address of a source answers to one request, which robots.txt is asked about unless it is that of an API.

    Raises:
        SourceError: it is not answered.
        PermanentSourceError: robots.txt disallows it, it is refused, or a secret of its auth is not in the environment.

    """
    source = source.model_copy(update={"requests": _LOOK})
    page_request = first_request(source, list_partitions(source)[0])
    async with open_access(source, warn) as access:
        if not is_api and not await access.robots.allows(page_request.url, access.fetch):
            raise PermanentSourceError(
                f"{page_request.label}: {robots_address(page_request.url)} disallows this page; give another address, "
                "or --api where it is that of an API, which robots.txt is not asked about"
            )
        response = await access.fetch(page_request)
    return await asyncio.to_thread(_read_answer, response)


def _read_answer(response: httpx.Response) -> FirstAnswer:
    kind = response.headers.get("Content-Type", "").lower()
    if "html" not in kind:
        with suppress(ValueError):
            text = take_json(response.content, lambda: response.charset_encoding)
            return FirstAnswer(response, to_value(text), is_json=True)
    is_page = "html" in kind or response.content.lstrip()[:1] == b"<"
    return FirstAnswer(response, page=outline_page(response) if is_page else None)


async def fetch_first_page(source: ApiSource | PagesSource, warn: Warn) -> Sequence[bytes]:
    """Return the records of a source's first answer, each as a line of JSON: one request, for pages one of robots.txt.

    A few more are made where a sitemap or a feed lists pages, and one a level where `links` lead to those with rows.

    Raises:
        SourceError: it is not answered, or not as the source says.
        PermanentSourceError: a secret of its auth is not in the environment.

    """
    if isinstance(source, ApiSource) and source.job is not None:
        raise PermanentSourceError(MAKES_JOB)
    alone = source.requests.model_copy(update={"max_in_flight": 1})
    source = guard_for_show(source).model_copy(update={"requests": alone})
    most = 2 if isinstance(source, ApiSource) and source.job is not None else 1  # what makes a job has no records
    if isinstance(source, PagesSource):
        most = len(source.levels) + (_LISTINGS if source.listed_at else 1)
        if source.levels:  # else the next list would come before what this one leads to
            source = source.model_copy(update={"follow": None})
    async with (
        open_access(source, warn) as access,
        aclosing(read_from_start(source, access.fetch, access)) as pages,
    ):
        groups = [await anext(pages)]
        while not groups[-1].lines and groups[-1].state is not None and len(groups) < most:
            groups.append(await anext(pages))
        lines, private = groups[-1].lines, source.private_fields
        if source.privacy is None or private is None:
            return lines
        if isinstance(source, ApiSource):
            lines = await asyncio.to_thread(clean_records, lines, private)
        for sentence in tell_unmet(source.privacy, private.met, len(lines)):
            warn(sentence)
        return lines


def guard_for_show(source: ApiSource | PagesSource) -> ApiSource | PagesSource:
    """Return a source whose records are shown without what is private; where no secret is at hand, hashes are made with one of the moment."""
    if source.privacy is None or source.privacy.hash is None:
        return source.guarded(b"")
    key = os.environ.get(source.privacy.hash.secret.env or "", "").strip()
    return source.guarded(key.encode() or secrets.token_bytes())


def _read_secrets(source: ApiSource | PagesSource) -> dict[str, str]:
    found = {}
    for key, reference in source.secret_places.items():
        if reference.env is None:
            raise PermanentSourceError(
                f"{key}: is in a Secret block, which a run alone reads; name an environment variable with env"
            )
        secret = os.environ.get(reference.env, "").strip()
        if not secret:
            raise PermanentSourceError(f"{key}: the environment variable {reference.env} is not set; set it")
        try:
            found[key.removeprefix("auth.")] = reference.usable(secret)
        except ValueError as error:
            raise PermanentSourceError(f"{key}: the environment variable {reference.env} {error}") from None
    return found
