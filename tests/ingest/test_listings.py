"""Sitemaps and feeds: every page that they list is read, once; what is none, or leads away, is one error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.config import PagesSource
from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tasks.ingest.scraping.listing import read_listing
from tests.ingest.fetching import crawl_from, crawl_names
from tests.ingest.sources import QUICK, land_one, list_files, read_rows
from tests.site.maps import LISTED
from tests.site.server import Site

LEAVES = [f"leaf {number}" for number in range(1, LISTED + 1)]


def listed(site: Site, path: str, key: str = "sitemap", **changes: Any) -> PagesSource:
    """Return a source of the pages that a sitemap or a feed lists."""
    plain = {
        key: f"{site.url}{path}",
        "rows": "main",
        "columns": {"name": "b::text"},
        "robots": "ignore",
        "requests": QUICK,
    }
    return PagesSource.model_validate(plain | changes)


@pytest.mark.parametrize(
    ("key", "path", "changes", "names"),
    [
        ("sitemap", "/sitemap.xml", {"match": r"/leaf/\d+$"}, LEAVES),
        ("sitemap", "/sitemap.xml.gz", {}, LEAVES),
        ("sitemap", "/sitemap-index.xml", {"match": "leaf/"}, [*LEAVES, "leaf 9"]),
        ("sitemap", "/sitemap-with-dead-links.xml", {}, ["leaf 1", "this link is dead: 404 Not Found"]),
        ("sitemap", "/sitemap-with-languages.xml", {}, ["leaf 1"]),
        ("sitemap", "/sitemap-of-itself.xml", {}, ["leaf 9", "leaf 1"]),
        ("feed", "/rss.xml", {}, ["1 of its entries have no address", "leaf 1", "leaf 2", "leaf 3"]),
        ("feed", "/atom.xml", {}, ["leaf 1", "leaf 2"]),
    ],
)
async def test_the_pages_that_are_listed_are_read(
    site: Site, key: str, path: str, changes: dict[str, Any], names: list[str]
) -> None:
    """Each page comes once, in the order of the list; those of an index come sitemap by sitemap; a dead link is a reject."""
    assert await crawl_names(listed(site, path, key, **changes)) == names


async def test_a_robots_txt_that_is_missing_is_one_error(site: Site) -> None:
    """Where sitemaps are to be found by a robots.txt, it has to be there."""
    robots = f"{site.url.rpartition('/')[0]}/robots.txt"

    with pytest.raises(PermanentSourceError, match=r"robots\.txt was refused with 404"):
        await crawl_from(listed(site, "", sitemap=robots))


@pytest.mark.parametrize("fault", ["500-once", "429-once-retry-after-seconds", "drop-once", "truncated-once"])
async def test_a_fault_that_passes_costs_one_more_request(site: Site, tmp_path: Path, fault: str) -> None:
    """Where a sitemap and a page fail once, all rows come, and two requests more."""
    landed = await land_one(listed(site, f"/sitemap-of-{fault}.xml"), tmp_path)

    assert [row["name"] for row in read_rows(landed.path)] == LEAVES
    assert len(site.seen) == LISTED + 1 + 2


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        (
            "/sitemap-elsewhere.xml",
            "leads to another host alone, first to http://other.example.com/1, and nothing was asked",
        ),
        ("/sitemap-index-elsewhere.xml", "leads to another host alone, first to http://other.example.com/1.xml, and"),
        ("/sitemap-bomb.xml", "it has a document type (urlset), which may define entities without end; correct the"),
        ("/sitemap-cut-off.xml", "is no sitemap and no feed that can be read: "),
        ("/sitemap-without-pages.xml", "lists no page; name another sitemap or feed, or start"),
        ("/sitemap-index-with-a-gap.xml", "/gone.xml was refused with 404"),
        ("/page-1", "is no sitemap and no feed that can be read: its root is 'ul', not one of "),
        ("/json-instead-of-html", "is no sitemap and no feed that can be read: "),
    ],
)
async def test_what_is_no_whole_sitemap_is_one_error(site: Site, tmp_path: Path, path: str, cause: str) -> None:
    """The error names the address, and nothing is landed."""
    with pytest.raises(PermanentSourceError, match=re.escape(cause)) as raised:
        await land_one(listed(site, path), tmp_path)

    assert site.url in str(raised.value)
    assert list_files(tmp_path) == []


@pytest.mark.parametrize("endless", [{"max_body_bytes": 100}, {"max_body_bytes": "400"}])
async def test_a_sitemap_without_end_is_one_error(site: Site, tmp_path: Path, endless: dict[str, Any]) -> None:
    """What is too large as it is sent, or after decompression, is stopped at max_body_bytes."""
    with pytest.raises(SourceError, match=r"larger than requests\.max_body_bytes"):
        await land_one(listed(site, "/sitemap.xml.gz", requests=QUICK | endless), tmp_path)


async def test_a_pattern_that_is_in_no_address_is_one_error(site: Site) -> None:
    """The error names the pattern and the sitemap."""
    with pytest.raises(
        WrongPagesError, match=r"match: '/product/' is in no address that .*sitemap.xml lists; correct it"
    ):
        await crawl_from(listed(site, "/sitemap.xml", match="/product/"))


async def test_a_pattern_that_is_in_no_address_is_told_beside_pages_of_a_start(site: Site) -> None:
    """Pages that are read from elsewhere do not hide it."""
    source = listed(site, "/sitemap.xml", match="/product/", start=f"{site.url}/leaf/1")

    with pytest.raises(WrongPagesError, match=r"match: '/product/' is in no address"):
        await crawl_from(source)


async def test_a_page_on_another_host_is_told(site: Site) -> None:
    """Of a sitemap with pages on several hosts those of the source's own are read, and the others told of."""
    groups = await crawl_from(listed(site, "/sitemap-partly-elsewhere.xml"))

    (warning,) = groups[-1].warnings
    assert warning.startswith(
        "sitemap, feed, follow or links lead to http://other.example.com/2, and were left out; add"
    )


async def test_more_pages_than_allowed_are_an_error_before_one_is_asked_for(site: Site) -> None:
    """A sitemap tells how many there are."""
    with pytest.raises(PermanentSourceError, match=r"/leaf/4: more pages than max_pages \(4\)"):
        await crawl_from(listed(site, "/sitemap.xml", max_pages=4))

    assert len(site.seen) == 1


def test_a_robots_txt_names_its_sitemaps(site: Site) -> None:
    """Each is read as one of an index is, relative ones too."""
    request = httpx.Request("GET", "http://shop.example.com/robots.txt")
    text = "User-agent: *\nDisallow: /\nSitemap: http://shop.example.com/a.xml\nSitemap: /b.xml.gz\n"

    page = read_listing(httpx.Response(200, text=text, request=request), listed(site, "/sitemap.xml"))

    assert ([str(url) for url in page.follow], page.links) == (
        ["http://shop.example.com/a.xml", "http://shop.example.com/b.xml.gz"],
        [],
    )
