"""The pages of an API: each kind of pagination, and servers that count wrongly or never end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import PermanentSourceError
from tests.ingest.sources import api, land_one, list_files, read_rows
from tests.site import ITEMS, Site

UNTIL_EMPTY = {"pagination": {"kind": "page"}, "records_at": None}
SINGLE = {"pagination": {"kind": "single"}, "records_at": None}


async def test_counted_pages_are_landed_in_order(site: Site, tmp_path: Path) -> None:
    """The first page tells how many there are; all of them are landed, in order, with one request each."""
    landed = await land_one(api(site, "/items"), tmp_path)

    assert (landed.partition, landed.path, landed.reused) == ("all", tmp_path / "all.jsonl.zst", False)
    assert (landed.rows, landed.pages, landed.requests, landed.retries) == (7, 3, 3, 0)
    assert read_rows(landed.path) == ITEMS
    assert sorted(site.paths) == ["/items?page=1", "/items?page=2", "/items?page=3"]
    assert list_files(tmp_path) == ["all.json", "all.jsonl.zst"]


async def test_no_pages_are_no_rows(site: Site, tmp_path: Path) -> None:
    """A count of no pages is believed: the partition is landed, with no rows."""
    landed = await land_one(api(site, "/no-pages"), tmp_path)

    assert (landed.rows, landed.requests, read_rows(landed.path)) == (0, 1, [])


async def test_pages_are_asked_for_until_one_is_empty(site: Site, tmp_path: Path) -> None:
    """Without a count pages are asked for, ever more at once, until one is empty; fewer are asked for in vain than came."""
    landed = await land_one(api(site, "/items-until-empty", **UNTIL_EMPTY), tmp_path)

    assert (landed.rows, landed.pages, read_rows(landed.path)) == (7, 3, ITEMS)
    assert 4 <= landed.requests <= 6
    assert sorted(site.paths) == [f"/items-until-empty?page={page}" for page in range(1, landed.requests + 1)]


async def test_pages_may_begin_at_another_number(site: Site, tmp_path: Path) -> None:
    """The first page has the number that start says."""
    pagination = {"kind": "page", "start": 2}

    landed = await land_one(api(site, "/items-until-empty", pagination=pagination, records_at=None), tmp_path)

    assert read_rows(landed.path) == ITEMS[3:]


@pytest.mark.parametrize(
    ("path", "changes", "rows"),
    [
        ("/items", {"records_at": "items"}, ITEMS[:3]),
        ("/items-until-empty", {}, ITEMS[:3]),
        ("/one-record", {}, [{"id": 1}]),
        ("/empty", {}, []),
        ("/no-records", {"records_at": "data.rows"}, ITEMS),
        ("/redirect", {"records_at": "items"}, ITEMS[:3]),
    ],
)
async def test_a_single_request_brings_its_records(
    site: Site, tmp_path: Path, path: str, changes: dict[str, Any], rows: list[Any]
) -> None:
    """One request brings the list at records_at, the body's own list, or the body as one record."""
    landed = await land_one(api(site, path, **SINGLE | changes), tmp_path)

    assert (read_rows(landed.path), landed.pages, landed.requests) == (rows, 1, len(site.seen))


@pytest.mark.parametrize(
    ("path", "pagination", "sentence"),
    [
        (
            "/same-page-for-ever",
            {"pages_at": None},
            r"page=2 gave the same 7 records as the page before; pagination.param 'page' does not turn the page: correct it",
        ),
        ("/pages-below-zero", {}, r"pages_at: 'pages' is -1, not a number of pages or rows; name the place"),
        ("/too-many-pages", {}, r"max_pages \(100000\): the server tells of 1000000; raise max_pages"),
        ("/items", {"max_pages": 2}, r"max_pages \(2\): the server tells of 3; raise max_pages"),
        ("/items", {"pages_at": "meta.pages"}, r"'meta' meets the keys items, pages; correct pagination.pages_at"),
        ("/items", {"pages_at": "pages.total"}, r"'total' meets 3; correct pagination.pages_at"),
        ("/no-records", {}, r"records_at: 'items' is not in the body, 'items' meets the keys data, pages; correct"),
        ("/records-not-a-list", {}, r"records_at: 'items' is {'id': 1}, not a list; name the path"),
        ("/third-page-broken", {}, r"page=3: records_at: 'items' is not in the body, 'items' meets the keys error"),
    ],
)
async def test_a_body_that_is_not_what_the_source_says_is_one_error(
    site: Site, tmp_path: Path, path: str, pagination: dict[str, Any], sentence: str
) -> None:
    """A body without its records or its count is named with the cure, asked for once, and leaves no file."""
    source = api(site, path, pagination={"kind": "page", "pages_at": "pages"} | pagination)

    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(source, tmp_path)

    assert list_files(tmp_path) == []
    assert len(site.paths) == len(set(site.paths))


async def test_as_many_pages_as_allowed_are_landed(site: Site, tmp_path: Path) -> None:
    """Exactly max_pages pages before the empty one are no mistake."""
    source = api(site, "/items-until-empty", pagination={"kind": "page", "max_pages": 3}, records_at=None)

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == ITEMS


async def test_one_page_more_than_allowed_is_refused(site: Site, tmp_path: Path) -> None:
    """A page beyond max_pages that still has records ends the partition."""
    source = api(site, "/items-until-empty", pagination={"kind": "page", "max_pages": 2}, records_at=None)

    with pytest.raises(PermanentSourceError, match=r"max_pages \(2\): this one still has records; raise max_pages"):
        await land_one(source, tmp_path)

    assert list_files(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/broken-json", r"answered application/json, which is not JSON: '\{\"items\": .*'; correct the address"),
        ("/deep-json", r"answered application/json, which is not JSON: '\[\[\[.*'; correct the address"),
        ("/html-instead-of-json", r"answered text/html, which is not JSON: '<h1>Please log in</h1>'; correct"),
    ],
)
async def test_a_body_that_is_not_json_is_quoted(site: Site, tmp_path: Path, path: str, sentence: str) -> None:
    """The beginning of a body that is not JSON stands in the error."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(api(site, path), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (1, [])
