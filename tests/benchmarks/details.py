"""The ingest of a list and of a detail for each of its rows, or, given `again`, of what is landed already."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module
from typing import Any

from flows.cli.flush import flush
from flows.cli.prefect_api import PrefectApi
from flows.ingest import ingest
from tasks.config import Pipeline
from tests.benchmarks.job import IN_FLIGHT, Job
from tests.benchmarks.server import PAGE_ITEMS
from tests.benchmarks.tidemill import IMPORTED_LATE

AGAIN = "again"


def pipeline_of(job: Job) -> Pipeline:
    """Return the pipeline of a list of as many rows as the job has parts, and their details."""
    shared: dict[str, Any] = {
        "kind": "api",
        "pagination": {"kind": "page", "pages_at": "pages"},
        "records_at": "items",
        "requests": {"max_in_flight": IN_FLIGHT, "start_in_flight": IN_FLIGHT},
    }
    listed = f"{job.url.rpartition('/')[0]}/{job.parts // PAGE_ITEMS}"
    parts = {"part": {"from": "listed", "column": "id"}}
    sources = {"listed": {**shared, "url": listed}, "details": {**shared, "url": job.url, "partitions": parts}}
    return Pipeline.model_validate({"name": "benchmark", "sources": sources})


def main() -> None:
    """Do the job that this process is given."""
    job = Job.given()
    pipeline = pipeline_of(job)
    for name in (*IMPORTED_LATE, "tasks.raw.parents"):
        import_module(name)
    if sys.argv[-1] == AGAIN:
        asyncio.run(ingest(pipeline, job.folder))
    with job.measured("raw/details/*.jsonl.zst"):
        asyncio.run(ingest(pipeline, job.folder))
    flush(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)


if __name__ == "__main__":
    main()
