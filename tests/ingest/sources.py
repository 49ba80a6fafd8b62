"""Sources of the test site, and how a test lands them and reads what was landed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.config import ApiSource, PagesSource
from tasks.ingest.api.response import find_in_body
from tasks.ingest.http.client import Client, open_client
from tasks.ingest.landing.land import PartitionClient, land
from tasks.ingest.landing.plan import Landed, PartitionJob, plan_landing
from tasks.ingest.scraping.browsers import Browsers
from tasks.ingest.scraping.robots import Robots
from tasks.raw.files import raw_path
from tasks.raw.folder import RawFolder
from tasks.raw.partitions import list_partitions
from tests.site.server import Site

QUICK: dict[str, Any] = {"attempts": 3, "timeout_s": 5, "deadline_s": 20, "backoff_first_s": 0.02}
"""Requests that are asked for again at once."""
WARNED: list[str] = []
"""What the client of the last test warned of."""
COUNTED: dict[str, Any] = {"kind": "page", "pages_at": "pages"}


def api(site: Site, path: str, **changes: Any) -> ApiSource:
    """Return an API source with counted pages of `items`, changed as said."""
    plain = {"url": f"{site.url}{path}", "requests": QUICK, "pagination": COUNTED, "records_at": "items"}
    return ApiSource.model_validate(plain | changes)


def pages(site: Site, *paths: str, **changes: Any) -> PagesSource:
    """Return a source of pages whose rows have a name, changed as said."""
    plain = {
        "start": tuple(f"{site.url}{path}" for path in paths),
        "requests": QUICK,
        "rows": "li",
        "columns": {"name": "b::text"},
        "follow": "a[rel=next]::attr(href)",
        "robots": "ignore",
    }
    return PagesSource.model_validate(plain | changes)


def job_of(source: ApiSource | PagesSource, folder: Path, number: int = 0) -> PartitionJob:
    """Return the job of one of a source's partitions, the first unless told otherwise."""
    return PartitionJob("source", source, list_partitions(source)[number], folder)


@asynccontextmanager
async def open_quietly(*sources: ApiSource | PagesSource) -> AsyncIterator[Client]:
    """Open the client for sources; what it warns of is kept in WARNED."""
    async with open_client(sources, WARNED.append, find_in_body) as client:
        WARNED.clear()
        yield client


async def land_with(
    client: Client,
    job: PartitionJob,
    secrets: dict[str, str] | None = None,
    *,
    fresh: bool = False,
    browsers: Browsers | None = None,
) -> Landed:
    """Land a partition with a client that is open; `secrets` are those that its source's auth needs."""
    stats = client.stats(job.raw)
    fetch = client.endpoint(job.asked, secrets or {}).fetch_into(stats)
    access = PartitionClient(fetch, stats, Robots(client.throttle), client.secrets, browsers)
    return await land(await asyncio.to_thread(plan_landing, job, fresh=fresh), access)


async def land_one(
    source: ApiSource | PagesSource, folder: Path, secrets: dict[str, str] | None = None, *, fresh: bool = False
) -> Landed:
    """Land a source's first partition in `folder`."""
    async with open_quietly(source) as client:
        return await land_with(client, job_of(source, folder), secrets, fresh=fresh)


def read_rows(raw: Path) -> list[Any]:
    """Return the rows of a raw file."""
    with pa.input_stream(str(raw), compression="zstd") as stream:
        return [json.loads(line) for line in stream.read().decode().splitlines()]


def read_landed(folder: Path) -> dict[str, list[Any]]:
    """Return the rows of every partition that a raw folder has, in files of their own or in packs, by their names."""
    raw, found = RawFolder(folder), {}
    for partition in raw.partitions:
        piece = raw.find_piece(partition)
        source = str(raw_path(folder, partition)) if piece is None else piece.open()
        with pa.input_stream(source, compression="zstd") as stream:
            found[partition] = [json.loads(line) for line in stream.read().decode().splitlines()]
    return found


def list_files(folder: Path) -> list[str]:
    """Return the names of all files below a folder, hidden ones too, but not what a landing under way keeps."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.name for path in files if path.name != ".lock" and ".landing" not in path.name)
