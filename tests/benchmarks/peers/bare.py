"""The bare minimum: a loop over aiohttp that writes JSON lines; no retry, no throttle, no commit."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from tests.benchmarks.job import IN_FLIGHT, Job


async def fetch_all(job: Job) -> None:
    """Write the items of every page, in the order in which they come."""
    slots = asyncio.Semaphore(IN_FLIGHT)
    with (job.folder / "items.jsonl").open("w") as file:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

            async def fetch(address: str) -> None:
                async with slots, session.get(address) as response:
                    body = await response.json()
                file.writelines(f"{json.dumps(item)}\n" for item in body["items"])

            await asyncio.gather(*map(fetch, job.addresses()))


def main() -> None:
    """Do the job that this process is given."""
    job = Job.given()
    with job.measured("items.jsonl"):
        asyncio.run(fetch_all(job))


if __name__ == "__main__":
    main()
