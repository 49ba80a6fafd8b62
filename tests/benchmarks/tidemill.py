"""The ingest that is measured: the flow on a running Prefect server, one source, every import done before."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib import import_module
from typing import Any

from flows.cli.flush import flush
from flows.cli.prefect_api import PrefectApi
from flows.ingest import ingest
from tasks.config import Pipeline
from tests.benchmarks.job import Job
from tests.benchmarks.server import SITEMAP

IMPORTED_LATE = (  # by Prefect, in a process's first flow run: 0.2 s
    "anyio._backends._asyncio",
    "anyio.streams.tls",
    "encodings.idna",
    "fastapi.encoders",
    "graphviz",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.telemetry.run_telemetry",
    "prefect.utilities.visualization",
)


def pipeline_of(job: Job, requests: dict[str, int]) -> Pipeline:
    """Return the pipeline whose one source is the job's pages."""
    if job.url.rpartition("/")[0].endswith(f"/{SITEMAP}"):
        columns = {name: f".{name}::text" for name in ("id", "name", "price")}
        pages = {"kind": "pages", "sitemap": job.url, "robots": "ignore", "rows": "li", "columns": columns}
        return Pipeline.model_validate({"name": "benchmark", "sources": {"items": {**pages, "requests": requests}}})
    source: dict[str, Any] = {
        "kind": "api",
        "url": job.url,
        "pagination": {"kind": "page", "pages_at": "pages"},
        "records_at": "items",
        "requests": requests,
    }
    if job.parts > 1:
        source["partitions"] = {"part": list(range(job.parts))}
    return Pipeline.model_validate({"name": "benchmark", "sources": {"items": source}})


def main() -> None:
    """Do the job that this process is given; its last argument is the source's `requests`, as JSON."""
    job = Job.given()
    pipeline = pipeline_of(job, json.loads(sys.argv[-1]))
    for name in IMPORTED_LATE:
        import_module(name)
    with job.measured("raw/**/*.jsonl.zst"):
        asyncio.run(ingest(pipeline, job.folder))
    flush(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)


if __name__ == "__main__":
    main()
