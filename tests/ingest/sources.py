"""Sources of the test site, and how a test lands them and reads what was landed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import SecretStr

from tasks.ingest.client import open_client
from tasks.ingest.landing import Landed, PartitionJob, land
from tasks.partitions import list_partitions
from tasks.spec import ApiSource, PagesSource
from tests.site import Site

QUICK: dict[str, Any] = {"attempts": 3, "timeout_s": 5, "deadline_s": 20}
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
    }
    return PagesSource.model_validate(plain | changes)


def plan(source: ApiSource | PagesSource, folder: Path) -> PartitionJob:
    """Return the job of a source's first partition."""
    return PartitionJob("source", source, list_partitions(source)[0], folder)


async def land_one(source: ApiSource | PagesSource, folder: Path, token: str | None = None) -> Landed:
    """Land a source's first partition in `folder`."""
    async with open_client([source]) as client:
        return await land(plan(source, folder), client, None if token is None else SecretStr(token))


def read_rows(raw: Path) -> list[Any]:
    """Return the rows of a raw file."""
    with pa.input_stream(str(raw), compression="zstd") as stream:
        return [json.loads(line) for line in stream.read().decode().splitlines()]


def list_files(folder: Path) -> list[str]:
    """Return the names of all files below a folder, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
