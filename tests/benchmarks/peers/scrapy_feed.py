"""Scrapy: a spider over all pages, and a feed of JSON lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

from tests.benchmarks.job import IN_FLIGHT, Job


class ItemsSpider(scrapy.Spider):  # type: ignore[misc] # the checks do without Scrapy
    """Asks for every page, and yields its items."""

    name = "items"

    def __init__(self, job: Job, **settings: Any) -> None:
        super().__init__(**settings)
        self._job = job

    async def start(self) -> AsyncIterator[Any]:
        for page in range(1, self._job.pages + 1):
            yield scrapy.Request(self._job.page(page), dont_filter=True)

    def parse(self, response: Any) -> Iterator[Any]:
        yield from response.json()["items"]


def settings_of(job: Job) -> dict[str, Any]:
    """Return Scrapy's settings; what a crawl of one API can do without is off."""
    return {
        "CONCURRENT_REQUESTS": IN_FLIGHT,
        "CONCURRENT_REQUESTS_PER_DOMAIN": IN_FLIGHT,
        "COOKIES_ENABLED": False,
        "DOWNLOAD_DELAY": 0,
        "FEEDS": {str(job.folder / "items.jsonl"): {"format": "jsonlines"}},
        "LOG_LEVEL": "ERROR",
        "ROBOTSTXT_OBEY": False,
        "TELNETCONSOLE_ENABLED": False,
    }


def crawl(spider: type[Any]) -> None:
    """Do the job that this process is given by a spider."""
    job = Job.given()
    with job.measured("items.jsonl"):
        process = CrawlerProcess(settings_of(job))
        process.crawl(spider, job=job)
        process.start()


if __name__ == "__main__":
    crawl(ItemsSpider)
