"""The ingest that is measured: the flow on a running Prefect server, one api source, every import done before."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import import_module

from flows.api import PrefectApi
from flows.drain import drain
from flows.ingest import ingest
from tasks.spec import Pipeline
from tests.benchmarks.job import Job, report

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
    source = {
        "kind": "api",
        "url": job.url,
        "pagination": {"kind": "page", "pages_at": "pages"},
        "records_at": "items",
        "requests": requests,
    }
    return Pipeline.model_validate({"name": "benchmark", "sources": {"items": source}})


def main() -> None:
    """Do the job that this process is given; its fourth argument is the source's `requests`, as JSON."""
    job = Job.given()
    pipeline = pipeline_of(job, json.loads(sys.argv[4]))
    for name in IMPORTED_LATE:
        import_module(name)
    start = time.perf_counter()
    asyncio.run(ingest(pipeline, job.folder))
    seconds = time.perf_counter() - start
    drain(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)
    report(seconds, job.folder.glob("raw/**/*.jsonl.zst"))


if __name__ == "__main__":
    main()
