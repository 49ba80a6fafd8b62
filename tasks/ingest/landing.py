"""Landing: one partition fetched whole, and committed as a raw file."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from tasks.concurrency import gather_all
from tasks.errors import PermanentSourceError
from tasks.ingest.client import Client, Tally
from tasks.ingest.pages import Page, Row, check_matches, read_page
from tasks.ingest.pagination import PAGES_AHEAD, read_pages
from tasks.ingest.records import parse_body
from tasks.partitions import Partition, first_url, request_fingerprint
from tasks.raw import raw_path, read_manifest, write_raw
from tasks.spec import ApiSource, PagesSource


@dataclass(frozen=True)
class Landed:
    """One partition that is complete in its raw file; `reused` when it already was."""

    partition: str
    path: Path
    rows: int
    pages: int
    requests: int
    retries: int
    reused: bool


@dataclass(frozen=True)
class PartitionJob:
    """One partition to be landed in `folder`."""

    source_name: str
    source: ApiSource | PagesSource
    partition: Partition
    folder: Path

    @property
    def raw(self) -> Path:
        """Return the path of the partition's raw file."""
        return raw_path(self.folder, self.partition.name)

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of all that decides what the partition's requests bring."""
        return request_fingerprint(self.source, self.partition)


def find_landed(job: PartitionJob) -> Landed | None:
    """Return a partition that is already complete under the same request, or None."""
    manifest = read_manifest(job.raw)
    if manifest is None or manifest.fingerprint != job.fingerprint:
        return None
    return Landed(job.partition.name, job.raw, manifest.rows, manifest.pages, requests=0, retries=0, reused=True)


async def land(job: PartitionJob, client: Client, token: SecretStr | None) -> Landed:
    """Fetch a partition whole and commit its raw file.

    Raises:
        SourceError: a request failed for good, or an answer is not what the source says;
            what was landed before is as it was.

    """
    tally = client.tally(job.raw)
    match job.source:
        case ApiSource() as source:
            pages = _read_api(source, job.partition, client, tally, token)
        case PagesSource() as source:
            pages = _crawl(source, job.partition, client, tally)
    try:
        manifest = await write_raw(job.raw, pages, job.fingerprint)
    except httpx.InvalidURL as error:
        raise PermanentSourceError(f"the partition's values make no address: {error}; correct them") from error
    return Landed(
        job.partition.name, job.raw, manifest.rows, manifest.pages, tally.requests, tally.retries, reused=False
    )


async def _read_api(
    source: ApiSource, partition: Partition, client: Client, tally: Tally, token: SecretStr | None
) -> AsyncIterator[list[Any]]:
    headers = dict(source.headers)
    if token is not None:
        headers["Authorization"] = f"Bearer {token.get_secret_value()}"

    async def get_body(url: httpx.URL) -> Any:
        response = await client.get(url, source.requests, tally, headers)
        return await asyncio.to_thread(parse_body, response)

    async for records in read_pages(source, first_url(source, partition), get_body):
        yield records


async def _crawl(source: PagesSource, partition: Partition, client: Client, tally: Tally) -> AsyncIterator[list[Row]]:
    """Yield the rows of each page, from the start addresses along the links; each address once."""

    async def read(url: httpx.URL) -> Page:
        response = await client.get(url, source.requests, tally)
        return await asyncio.to_thread(read_page, response, source)

    frontier = list(dict.fromkeys(httpx.URL(partition.fill(url)).copy_with(fragment=None) for url in source.start))
    seen = dict.fromkeys(frontier)
    filled: Counter[str] = Counter(dict.fromkeys(source.columns, 0))
    rows = 0
    while frontier:
        if len(seen) > source.max_pages:
            raise PermanentSourceError(
                f"GET {frontier[0]}: more pages than max_pages ({source.max_pages}); raise max_pages if that is right"
            )
        pages = await gather_all(frontier[:PAGES_AHEAD], read)
        for page in pages:
            rows += len(page.rows)
            filled.update(name for row in page.rows for name, value in row.items() if value is not None)
            yield page.rows
        found = dict.fromkeys(link for page in pages for link in page.links if link not in seen)
        seen |= found
        frontier = frontier[PAGES_AHEAD:] + list(found)
    check_matches(source, filled, rows, list(seen))
