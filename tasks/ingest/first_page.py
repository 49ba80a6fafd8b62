"""The first page of a source: asked for as a run does, its rows landed nowhere."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from tasks.config import ApiSource, PagesSource, secret_references
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.pagination import read_pages
from tasks.ingest.api.response import find_in_body
from tasks.ingest.api.urls import first_request
from tasks.ingest.http.client import open_client
from tasks.ingest.http.requests import Fetch, PageGroup, RequestStats
from tasks.ingest.scraping.crawl import crawl
from tasks.ingest.scraping.robots import Robots
from tasks.raw.partitions import Partition, list_partitions

Warn = Callable[[str], None]


async def fetch_first_page(source: ApiSource | PagesSource, warn: Warn) -> Sequence[bytes]:
    """Return the records of a source's first answer, each as a line of JSON: one request, and for pages one of robots.txt.

    Raises:
        SourceError: it is not answered, or not as the source says.
        PermanentSourceError: a secret of its auth is not in the environment.

    """
    alone = source.requests.model_copy(update={"max_in_flight": 1})
    source = source.model_copy(update={"requests": alone})
    partition = list_partitions(source)[0]
    async with open_client([source], warn, find_in_body) as client:
        fetch = client.endpoint(source, _read_secrets(source)).fetch_into(RequestStats())
        async with aclosing(_read(source, partition, fetch, Robots(client.throttle, client.warn))) as pages:
            return (await anext(pages)).lines


def _read(
    source: ApiSource | PagesSource, partition: Partition, fetch: Fetch, robots: Robots
) -> AsyncGenerator[PageGroup, None]:
    if isinstance(source, ApiSource):
        return read_pages(source, first_request(source, partition), fetch, None)
    return crawl(source.model_copy(update={"start": source.start[:1]}), partition, fetch, robots, None)


def _read_secrets(source: ApiSource | PagesSource) -> dict[str, str]:
    found = {}
    for key, reference in secret_references(source.auth) if source.auth else ():
        if reference.env is None:
            raise PermanentSourceError(
                f"auth.{key}: is in a Secret block, which a run alone reads; name an environment variable with env"
            )
        found[key] = os.environ.get(reference.env, "").strip()
        if not found[key]:
            raise PermanentSourceError(f"auth.{key}: the environment variable {reference.env} is not set; set it")
    return found
