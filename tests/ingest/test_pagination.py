"""Pages that are asked for by number or offset: what they are asked, where they end, and servers that count wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import PermanentSourceError
from tests.ingest.kinds import of_kind
from tests.ingest.sources import QUICK, api, land_one, list_files, read_rows
from tests.site.items import ITEMS
from tests.site.server import Site

UNTIL_EMPTY = {"pagination": {"kind": "page"}, "records_at": None}
SINGLE = {"pagination": {"kind": "single"}, "records_at": None}
ONE_AT_ONCE = QUICK | {"start_in_flight": 1, "max_in_flight": 1}


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
    assert set(site.paths) >= {f"/items-until-empty?page={page}" for page in range(1, 5)}


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("page, rows in the body", [{"limit": "3", "page": str(page)} for page in (1, 2, 3)]),
        ("page in a header", [{"x-page": "1"}, {"x-page": "2"}, {"x-page": "3"}]),
        ("page in the body", [{"page": 1}, {"page": 2}, {"page": 3}]),
        ("page, from 10 in steps of 10", [{"page": "10"}, {"page": "20"}, {"page": "30"}]),
        ("offset, rows in the body", [{"offset": "0"}, {"offset": "3"}, {"offset": "6"}]),
        ("offset, rows in a header", [{"offset": "0"}, {"offset": "3"}, {"offset": "6"}]),
        ("offset in the body", [{"limit": 3, "offset": 0}, {"limit": 3, "offset": 2}, {"limit": 3, "offset": 3}]),
        ("offset in a header", [{"x-limit": "3", "x-offset": str(offset)} for offset in (0, 2, 3)]),
    ],
)
async def test_the_page_is_asked_for_where_the_source_says(
    site: Site, tmp_path: Path, kind: str, asked: list[dict[str, Any]]
) -> None:
    """The number and the size of a page are sent in the query, in headers, or in the body; an offset that nobody counts is tried."""
    await land_one(of_kind(kind, site, "none", **ONE_AT_ONCE), tmp_path)

    assert [_said(site, number, set(asked[0])) for number in range(3)] == asked


def _said(site: Site, number: int, names: set[str]) -> dict[str, Any]:
    """Return what a request said of some names, wherever it said it; texts are those of a query or a header."""
    seen = site.seen[number]
    query = dict(pair.split("=") for pair in seen.path.partition("?")[2].split("&"))
    body = json.loads(seen.body) if seen.body else {}
    assert not body or body["query"] == "all"
    return {name: value for name, value in {**seen.headers, **query, **body}.items() if name in names}


async def test_partition_values_go_into_the_body_of_a_post(site: Site, tmp_path: Path) -> None:
    """A placeholder in the body takes the partition's value, and the page's number stands beside it."""
    body = {"where": {"month": "{month}"}, "text": "in {month}"}
    changes = {"method": "POST", "body": body, "partitions": {"month": [4]}}
    source = api(site, "/paged/none", **changes, pagination={"kind": "page", "pages_at": "pages", "place": "body"})

    landed = await land_one(source, tmp_path)

    assert (landed.partition, read_rows(landed.path)) == ("month=4", ITEMS)
    assert [(seen.method, seen.path, seen.headers["content-type"]) for seen in site.seen] == [
        ("POST", "/paged/none", "application/json")
    ] * 3
    assert sorted((json.loads(seen.body) for seen in site.seen), key=lambda sent: sent["page"]) == [
        {"where": {"month": 4}, "text": "in 4", "page": page} for page in (1, 2, 3)
    ]


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
        (
            "/turning/round",
            {"pages_at": None},
            r"page=4 gave the same 2 records as the first page; pagination.param 'page' does not turn the page",
        ),
        ("/pages-below-zero", {}, r"pages_at: 'pages' is -1, not a number of pages or rows; name the place"),
        ("/too-many-pages", {}, r"max_pages \(100000\): the server tells of 1000000; raise max_pages"),
        ("/items", {"max_pages": 2}, r"max_pages \(2\): the server tells of 3; raise max_pages"),
        ("/items", {"pages_at": "meta.pages"}, r"'meta' meets the keys items, pages; correct pagination.pages_at"),
        ("/items", {"pages_at": "pages.total"}, r"'total' meets 3; correct pagination.pages_at"),
        ("/items", {"pages_at": "items"}, r"pages_at: 'items' is \[\{'id': 1.*, not a number of pages or rows"),
        ("/items", {"pages_at": None, "pages_header": "X-No"}, r"pages_header: the answer has no header 'X-No'; corr"),
        (
            "/items",
            {"pages_at": None, "pages_header": "Content-Type"},
            r"pages_header: 'Content-Type' is 'application/json', not a number of pages or rows",
        ),
        ("/no-records", {}, r"records_at: 'items' is not in the body, 'items' meets the keys data, pages; correct"),
        ("/records-not-a-list", {}, r"records_at: 'items' is {'id': 1}, not a list; name the path"),
        ("/third-page-broken", {}, r"page=3: records_at: 'items' is not in the body, 'items' meets the keys error"),
        (
            "/paged/none",
            {"kind": "offset", "pages_at": None, "size": 5},
            r"offset=0: a page has 3 rows where pagination.size says 5, and more follow, .*: set size: 3",
        ),
        (
            "/paged/none",
            {"kind": "offset", "pages_at": None, "size": 2, "size_param": None},
            r"offset=0: a page has 3 rows where pagination.size says 2, and more follow, .*: set size: 3",
        ),
        (
            "/same-page-for-ever",
            {"kind": "offset", "pages_at": None, "size": 9},
            r"offset=7 gave the same 7 records as the page before; pagination.param 'offset' does not turn the page",
        ),
    ],
)
async def test_a_body_that_is_not_what_the_source_says_is_one_error(
    site: Site, tmp_path: Path, path: str, pagination: dict[str, Any], sentence: str
) -> None:
    """A body without its records or its count is named with the cure, asked for once, and leaves no file."""
    named = {"kind": "page", "pages_at": "pages"} | pagination
    source = api(
        site, path, pagination={name: value for name, value in named.items() if value is not None or "size" in name}
    )

    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(source, tmp_path)

    assert list_files(tmp_path) == []
    assert len(site.paths) == len(set(site.paths))


async def test_a_body_that_is_no_list_cannot_be_the_last_page(site: Site, tmp_path: Path) -> None:
    """Where pages are asked for until one is empty, a body that is one record would be asked for, for ever."""
    with pytest.raises(
        PermanentSourceError, match=r"the body is not a list, so that no page is ever empty.*records_at"
    ):
        await land_one(api(site, "/items", **UNTIL_EMPTY), tmp_path)

    assert site.paths == ["/items?page=1"]


async def test_pages_of_one_record_end_where_there_is_none(site: Site, tmp_path: Path) -> None:
    """With end_statuses a page may be one record; a status of them is the end, even of the first page."""
    pagination = {"kind": "page", "end_statuses": [404]}

    landed = await land_one(api(site, "/turning/one", pagination=pagination, records_at=None), tmp_path / "some")
    nothing = await land_one(api(site, "/404", pagination=pagination, records_at=None), tmp_path / "none")

    assert (read_rows(landed.path), read_rows(nothing.path)) == ([{"page": 1}, {"page": 2}, {"page": 3}], [])


@pytest.mark.parametrize(("path", "requests"), [("/rows-from/plain", 4), ("/rows-from/clamped", 3)])
async def test_offsets_of_few_rows_are_one_page(site: Site, tmp_path: Path, path: str, requests: int) -> None:
    """A first page that is short is the last where no row follows, or where the server has a last page for any larger offset."""
    landed = await land_one(api(site, path, pagination={"kind": "offset"}), tmp_path)

    assert (read_rows(landed.path), landed.pages, landed.requests) == (ITEMS, 1, requests)


async def test_the_server_may_have_a_page_size_of_its_own(site: Site, tmp_path: Path) -> None:
    """Where the server tells the number of pages or rows, or pages end with an empty one, fewer rows a page than asked for are no harm."""
    counted: dict[str, Any] = {"kind": "page", "pages_at": "pages", "size_param": "limit", "size": 500}
    by_rows: dict[str, Any] = {"kind": "page", "total_at": "total", "size": 5}
    uncounted: dict[str, Any] = {"kind": "page", "size_param": "limit", "size": 500}

    landed = [
        await land_one(api(site, "/paged/none", pagination=counted), tmp_path / "counted"),
        await land_one(api(site, "/paged/none", pagination=by_rows), tmp_path / "by rows"),
        await land_one(api(site, "/paged/none", pagination=uncounted), tmp_path / "uncounted"),
    ]

    assert [(read_rows(one.path), one.warnings) for one in landed] == [(ITEMS, ())] * 3


async def test_as_many_pages_as_allowed_are_landed(site: Site, tmp_path: Path) -> None:
    """Exactly max_pages pages before the empty one are no mistake."""
    source = api(site, "/items-until-empty", pagination={"kind": "page", "max_pages": 3}, records_at=None)

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == ITEMS


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max_pages": 2}, r"max_pages \(2\): this one still has records; raise max_pages"),
        ({"max_rows": 5}, r"more rows than pagination.max_rows \(5\): 6 so far; raise max_rows"),
    ],
)
async def test_pages_beyond_what_is_allowed_are_gone_on_from_when_more_is(
    site: Site, tmp_path: Path, limits: dict[str, int], sentence: str
) -> None:
    """More than allowed is an error; when more is allowed the pages that have come are not asked for again."""
    pagination = {"kind": "page"}

    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(
            api(site, "/items-until-empty", pagination=pagination | limits, records_at=None, requests=ONE_AT_ONCE),
            tmp_path,
        )

    before = list_files(tmp_path), len(site.paths)
    landed = await land_one(
        api(site, "/items-until-empty", pagination=pagination, records_at=None, requests=ONE_AT_ONCE), tmp_path
    )
    assert (before[0], read_rows(landed.path)) == ([], ITEMS)
    assert "/items-until-empty?page=1" not in site.paths[before[1] :]


async def test_a_limit_lowered_meanwhile_does_not_pass_for_the_end(site: Site, tmp_path: Path) -> None:
    """A run that goes on beyond what is now allowed is an error, not a partition that is complete."""
    source = api(site, "/failing-from/3", pagination={"kind": "page"}, records_at=None, requests=ONE_AT_ONCE)
    with pytest.raises(PermanentSourceError, match="403 Forbidden"):
        await land_one(source, tmp_path)

    lowered = source.model_copy(update={"pagination": source.pagination.model_copy(update={"max_pages": 1})})
    with pytest.raises(PermanentSourceError, match="403 Forbidden"):
        await land_one(lowered, tmp_path)

    assert list_files(tmp_path) == []
