"""dlt: a list by pages, a deferred request for the detail of each of its rows in a pool of threads, and files of JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dlt
from dlt.sources.helpers import requests

from tests.benchmarks.job import Job
from tests.benchmarks.peers.dlt_files import load
from tests.benchmarks.server import PAGE_ITEMS


def details_of(job: Job) -> Any:
    """Return the resource whose rows are those of the detail of each row of a list."""
    pages = job.parts // PAGE_ITEMS
    listed = f"{job.url.rpartition('/')[0]}/{pages}"

    def list_rows() -> Iterator[Any]:
        for page in range(1, pages + 1):
            yield from requests.get(f"{listed}?page={page}").json()["items"]

    def fetch(row: Any) -> Any:
        return requests.get(f"{job.url}?part={row['id']}&page=1").json()["items"]

    deferred = dlt.defer(fetch)

    def fetch_later(row: Any) -> Iterator[Any]:
        yield deferred(row)

    rows = dlt.resource(list_rows, name="listed", selected=False)
    return rows | dlt.transformer(fetch_later, name="items", max_table_nesting=0)


if __name__ == "__main__":
    load(details_of)
