"""Links to the next page that lead nowhere, and pages that come again under another address."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.ingest.landing.plan import Landed
from tasks.ingest.results import resolve_unproven
from tests.ingest.fetching import crawl_from, crawl_names, read_rows, state_of
from tests.ingest.fetching import pages as crawled
from tests.ingest.sources import land_one, pages
from tests.site.server import Site


async def landed_of(site: Site, folder: Path, path: str, follow: str | None = "a[rel=next]::attr(href)") -> Landed:
    """Return a partition that begins at a page, as a run with it alone has it."""
    source = pages(site, path, follow=follow)
    (landed,) = resolve_unproven(source, [await land_one(source, folder / path.strip("/"))])
    assert isinstance(landed, Landed)
    return landed


@pytest.mark.parametrize("path", ["/page-3", "/page-that-links-nowhere", "/page-that-links-on?to=%23"])
async def test_follow_that_leads_to_no_page_is_told(site: Site, tmp_path: Path, path: str) -> None:
    """It matches nothing, or what scripts make of a link: rows of further pages would be missing without a word."""
    (warning,) = (await landed_of(site, tmp_path, path)).warnings

    assert f"follow: 'a[rel=next]::attr(href)' leads to no other page on GET {site.url}{path}: " in warning
    assert warning.endswith("correct the selector, or take follow out where there is one page")


@pytest.mark.parametrize(("path", "follow"), [("/page-1", "a[rel=next]::attr(href)"), ("/page-3", None)])
async def test_follow_that_leads_on_is_not_doubted(site: Site, tmp_path: Path, path: str, follow: str | None) -> None:
    """On the last page it matches nothing, and where it is not declared there is nothing to doubt."""
    assert (await landed_of(site, tmp_path, path, follow)).warnings == ()


async def test_a_short_partition_beside_long_ones_is_not_doubted(site: Site, tmp_path: Path) -> None:
    """Another partition shows that the selector is right."""
    source = pages(site, "/page-3")
    outcomes = [await land_one(pages(site, path), tmp_path / path[1:]) for path in ("/page-3", "/page-1")]

    assert resolve_unproven(source, outcomes) == outcomes


async def test_a_page_that_comes_again_is_a_reject(site: Site) -> None:
    """A server that ignores the number of the page gives the first one again and again."""
    groups = await crawl_from(crawled(site, "/fan?page=1", "/fan?page=2", follow=None))

    assert read_rows(groups) == [
        {"name": "all"},
        {
            "$reject": f"this page is the same as {site.url}/fan?page=1, which was read before",
            "url": f"{site.url}/fan?page=2",
        },
    ]


async def test_a_page_with_the_rows_of_another_is_told(site: Site) -> None:
    """What stands beside the rows is another each time, so the rows come; where they have a key they are dropped by it."""
    (*_, last) = groups = await crawl_from(crawled(site, "/counted/1"))
    (*_, keyed) = await crawl_from(crawled(site, "/counted/1", key=["name"]))

    assert [row["name"] for row in read_rows(groups)] == ["1a", "1b", "2a", "2b", "1a", "1b"]
    assert last.warnings == (
        f"1 page with the same rows as another that was read before, the first of them {site.url}/counted/1?again has "
        f"those of {site.url}/counted/1: their rows are in the table twice; where it is the same page by another "
        "address, have follow and links leave that out, or declare the key of the rows",
    )
    assert keyed.warnings == ()


async def test_a_page_that_comes_again_is_known_after_a_kill(site: Site) -> None:
    """What was read before is part of the state."""
    source = crawled(site, "/fan?page=1", "/fan?page=2", follow=None)
    (first,) = await crawl_from(source, stop_after=1)

    (again,) = await crawl_from(source, state_of(first))

    assert b"is the same as" in again.lines[0]


async def test_a_list_of_links_is_not_its_own_page_of_rows(site: Site) -> None:
    """One page may be both: it is read once as each."""
    source = crawled(site, "/same-page-twice", rows="li", links="a[rel=next]::attr(href)", follow=None)

    assert await crawl_names(source) == ["d", None]
