"""Scrapy: its SitemapSpider over the pages that a sitemap lists, and a feed of JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scrapy.spiders import SitemapSpider

from tests.benchmarks.job import Job
from tests.benchmarks.peers.scrapy_feed import crawl


class RowsSpider(SitemapSpider):  # type: ignore[misc] # the checks do without Scrapy
    """Asks for every page of a sitemap, and yields its rows."""

    name = "rows"

    def __init__(self, job: Job, **settings: Any) -> None:
        self.sitemap_urls = [job.url]
        super().__init__(**settings)

    def parse(self, response: Any) -> Iterator[Any]:
        for row in response.css("li"):
            yield {name: row.css(f".{name}::text").get() for name in ("id", "name", "price")}


if __name__ == "__main__":
    crawl(RowsSpider)
