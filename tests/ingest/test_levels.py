"""Links over several levels: categories, lists and pages, within limits that are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.config.limit import Limit
from tasks.core.errors import WrongPagesError
from tests.ingest.fetching import crawl_from, crawl_names, pages, read_rows
from tests.ingest.sources import land_one
from tests.site.server import Site

SHELVES: dict[str, Any] = {"links": ["a.shelf::attr(href)", "a.leaf::attr(href)"], "rows": "main"}
LEAVES = ["leaf 11", "leaf 12", "leaf 21", "leaf 22", "leaf 31", "leaf 32"]


async def test_links_lead_over_levels_to_the_rows(site: Site) -> None:
    """Each level has its selector, follow turns the pages of a level, and the pages of the last one give rows."""
    assert await crawl_names(pages(site, "/shelves", **SHELVES)) == LEAVES
    assert sorted(site.paths)[-4:] == ["/shelf/1", "/shelf/2", "/shelf/3", "/shelves"]


async def test_one_level_may_be_written_as_a_list(site: Site) -> None:
    """A list of one selector is as good as the selector."""
    lists = pages(site, "/list-1", links=["a:not([rel])::attr(href)"])

    assert await crawl_names(lists) == ["item 1", "item 2", "item 3"]


async def test_what_lies_deeper_than_allowed_is_told(site: Site) -> None:
    """Rows within max_depth come, and a warning says how many links were left out, and the first."""
    groups = await crawl_from(pages(site, "/shelves", max_depth=2, **SHELVES))

    assert [row["name"] for row in read_rows(groups)] == LEAVES[:4]
    assert groups[-1].warnings == (
        "max_depth: 2 links leading farther than 2 from a first page, the first of them "
        f"to {site.url}/leaf/31, left out; raise max_depth if their pages are the source's",
    )


async def test_the_end_of_what_is_allowed_is_told_where_pages_are_turned(site: Site) -> None:
    """The same for links of follow; where none is left out there is no warning."""
    warnings = {depth: (await crawl_from(pages(site, "/page-1", max_depth=depth)))[-1].warnings for depth in (1, 2)}

    assert [len(warnings[depth]) for depth in (1, 2)] == [1, 0]
    assert warnings[1][0].startswith(
        "max_depth: 1 link leading farther than 1 from a first page, the first of them to "
    )


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ({"start": "shelves", "follow": None, **SHELVES}, ["/shelves", "/shelf/1", "/shelf/2", "/leaf/11", "/leaf/12"]),
        (
            {"sitemap": "sitemap-index.xml", "rows": "main"},
            ["/sitemap-index.xml", "/sitemap.xml.gz", "/sitemap-more.xml", "/leaf/1", "/leaf/2"],
        ),
        ({"start": "page-1"}, ["/page-1", "/page-2"]),
    ],
)
async def test_a_limit_counts_pages_with_rows_alone(
    site: Site, tmp_path: Path, source: dict[str, Any], asked: list[str]
) -> None:
    """Two pages with rows come, beside the lists that lead there, of which no further ones are read."""
    addresses: dict[str, Any] = {key: f"{site.url}/{source[key]}" for key in ("start", "sitemap") if key in source}
    changes: dict[str, Any] = {"start": (), **source, **addresses}
    limited = pages(site, **changes).limited(Limit(2, tmp_path))
    landed = await land_one(limited, tmp_path)

    assert landed.rows == (3 if "page-1" in asked[0] else 2)
    assert site.paths[0] == asked[0]
    assert {*asked} <= {*site.paths}  # the two lists of a sitemap are read at once
    assert len(site.paths) <= len(asked) + 1


@pytest.mark.parametrize(
    ("links", "cause"),
    [
        (
            ["a.shelf::attr(href)", "a.book::attr(href)"],
            r"links: 'a.book::attr\(href\)' matches nothing on any of 3 pages",
        ),
        (["a.rack::attr(href)", "a.leaf::attr(href)"], r"links: 'a.rack::attr\(href\)' matches nothing on .*/shelves;"),
    ],
)
async def test_a_level_that_leads_nowhere_is_one_error(site: Site, links: list[str], cause: str) -> None:
    """The error names the selector of the level, and the pages it was looked for on."""
    with pytest.raises(WrongPagesError, match=cause):
        await crawl_from(pages(site, "/shelves", **SHELVES | {"links": links}))


async def test_a_level_that_is_too_deep_is_one_error(site: Site) -> None:
    """Where no page with rows may be reached, the links that lead there are named."""
    with pytest.raises(WrongPagesError, match=r"'a.leaf::attr\(href\)' matches 4 links on .* or raise max_depth"):
        await crawl_from(pages(site, "/shelves", max_depth=1, **SHELVES))
