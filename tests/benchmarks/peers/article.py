"""The article's way: one asyncio.gather over all requests of one httpx.AsyncClient.

Two things differ from its text. `async with session.get(url)` is no httpx: the
request is awaited. And there is no timeout: with httpx's own, of 5 s, those
that stand in line for a connection fail.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from tests.benchmarks.job import Job


async def fetch_data(url: str, session: httpx.AsyncClient) -> Any:
    """Return the JSON value of one page."""
    response = await session.get(url)
    return response.json()


async def fetch_all(job: Job) -> None:
    """Write the items of every page once all are there."""
    async with httpx.AsyncClient(timeout=None) as session:  # noqa: S113 - see above
        tasks = [fetch_data(job.page(page), session) for page in range(1, job.pages + 1)]
        bodies = await asyncio.gather(*tasks)
    with (job.folder / "items.jsonl").open("w") as file:
        file.writelines(f"{json.dumps(item)}\n" for body in bodies for item in body["items"])


def main() -> None:
    """Do the job that this process is given."""
    job = Job.given()
    with job.measured("items.jsonl"):
        asyncio.run(fetch_all(job))


if __name__ == "__main__":
    main()
