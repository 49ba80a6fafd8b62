"""Where requests carry what names a page, what a partition is of, and what is new: in the address, a header, the body."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from pydantic import ValidationError

from tasks.config import ApiSource
from tasks.core.body_paths import put_at
from tasks.core.errors import PermanentSourceError, SourceError
from tests.ingest.sources import QUICK, api, land_one, read_rows
from tests.ingest.test_incremental import rows_at
from tests.site.items import ITEMS, PAGE_ITEMS
from tests.site.landing import kept_at
from tests.site.server import Site

PLACES: dict[str, dict[str, Any]] = {
    "query": {"place": "query", "param": "from"},
    "header": {"place": "header", "param": "X-From"},
    "body": {"place": "body", "param": "variables.from", "body": {"variables": {"first": 3}}},
    "list in the body": {"place": "body", "param": "asks.0.from", "body": {"asks": [{"of": "items"}]}},
    "path": {"place": "placeholder", "url": "/{at}/items"},
    "text of a parameter": {"place": "placeholder", "params": {"q": "items from={at}"}},
    "text of a header": {"place": "placeholder", "headers": {"X-Search": "from={at}"}},
    "text of the body": {"place": "placeholder", "body": {"query": "{ items from={at} }"}},
}
KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "page": ({"kind": "page", "pages_at": "pages"}, None),
    "offset": ({"kind": "offset", "size": PAGE_ITEMS, "size_param": None}, None),
    "cursor": ({"kind": "cursor", "cursor_at": "next"}, "c1"),
    "keyset": ({"kind": "keyset", "value_at": "id", "has_more_at": "more"}, 0),
}


def placed(site: Site, kind: str, place: str) -> ApiSource:
    """Return a source of a kind of pages that is asked for the next of them in a place."""
    said = PLACES[place]
    pagination, start = KINDS[kind]
    started = {"start": start} if start is not None and said["place"] == "placeholder" else {}
    named = {"place": said["place"], "param": said.get("param", "at")}
    posted = {"method": "POST", "idempotent": True} if "body" in said else {}
    keys = {key: said[key] for key in ("params", "headers", "body") if key in said}
    return api(site, f"/from/{kind}{said.get('url', '')}", pagination=pagination | named | started, **keys, **posted)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_pages_is_turned_in_each_place(site: Site, tmp_path: Path, kind: str, place: str) -> None:
    """Whatever names the next page, and wherever it goes, all rows come, each request having failed once."""
    landed = await land_one(placed(site, kind, place), tmp_path)

    assert await asyncio.to_thread(read_rows, landed.path) == ITEMS


async def test_a_value_in_a_path_is_quoted(site: Site, tmp_path: Path) -> None:
    """A cursor with a slash stays one part of the path, beside a partition whose value looks like its placeholder."""
    source = api(
        site,
        "/from/cursor/{at}/items",
        pagination={"kind": "cursor", "cursor_at": "next", "param": "at", "place": "placeholder", "start": "a/b"},
        partitions={"part": ["{at}"]},
        requests=QUICK | {"attempts": 1},
    )
    with pytest.raises(SourceError):
        await land_one(source, tmp_path)

    assert site.paths[0] == "/from/cursor/a%2Fb/items?part=%7Bat%7D"


@pytest.mark.parametrize("value", [".", ".."])
async def test_a_value_that_leads_out_of_its_path_is_one_error(site: Site, tmp_path: Path, value: str) -> None:
    """Dots alone would be left out of the path, and another address be asked for; beside others they are sent."""
    plain = {"pagination": {"kind": "single"}, "partitions": {"id": [value]}}

    with pytest.raises(PermanentSourceError, match=re.escape(f"make {value!r} of a part of {site.url}/orders/")):
        await land_one(api(site, "/orders/{id}/items", **plain), tmp_path)
    await land_one(api(site, "/orders/1{id}/items", **plain), tmp_path / "beside")

    assert site.paths == [f"/orders/1{value}/items"]


async def test_a_partition_stands_in_parameters_and_headers(site: Site, tmp_path: Path) -> None:
    """Its value is sent where its placeholder is, and nowhere else; other braces stay."""
    source = api(
        site,
        "/from/page",
        pagination={"kind": "page", "param": "from", "pages_at": "pages"},
        partitions={"region": ["eu"], "month": [3]},
        params={"q": "{region} {other} {}"},
        headers={"X-Region": "in-{region}", "Accept": "text/{region}"},
    )
    await land_one(source, tmp_path)

    assert {seen.headers["x-region"] for seen in site.seen} == {"in-eu"}
    assert {seen.headers["accept"] for seen in site.seen} == {"text/eu"}
    assert unquote_plus(site.paths[0]) == "/from/page?q=eu {other} {}&month=3&from=1"


async def test_a_value_that_no_header_carries_is_one_error(site: Site, tmp_path: Path) -> None:
    """It names the header and the value, and nothing is asked."""
    source = api(site, "/from/page", partitions={"region": ["a\nb"]}, headers={"X-Region": "{region}"})

    with pytest.raises(PermanentSourceError, match=r"headers.X-Region is 'a\\nb', which a header cannot carry"):
        await land_one(source, tmp_path)

    assert site.seen == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"pagination": {"kind": "page", "place": "body", "param": "variabels.page"}, "body": {"variables": {}}},
            r"pagination.param: 'variabels.page' is no path in the body, which has no 'variabels'; add it to body, or correct param",
        ),
        (
            {"pagination": {"kind": "page", "place": "body", "param": "a.1.page"}, "body": {"a": [{}]}},
            r"'a.1.page' is no path in the body, which has no '1'",
        ),
        (
            {"pagination": {"kind": "page", "place": "placeholder"}},
            r"pagination.param: \{page\} stands nowhere; write it in url, params, headers or body",
        ),
        (
            {"pagination": {"kind": "page", "place": "placeholder"}, "url": "http://{page}.example.com/"},
            r"\{page\} stands in the host of url; write it behind the host",
        ),
        (
            {"pagination": {"kind": "page", "place": "placeholder"}, "partitions": {"page": [1]}, "params": {"p": "{page}"}},
            r"pagination.param: \{page\} is a partition, too; give one of them another name",
        ),
        (
            {"pagination": {"kind": "cursor", "cursor_at": "a", "place": "placeholder"}, "params": {"p": "{cursor}"}},
            r"\{cursor\} stands in the first request, too, which no page names; add pagination.start",
        ),
        (
            {"pagination": {"kind": "page", "place": "placeholder", "param": "a-b"}},
            r"'a-b' is no name of a placeholder; write one of letters, digits and _, e.g. page",
        ),
        (
            {"incremental": {"field": "at", "param": "a.since", "start": 0, "place": "body"}, "key": ["id"]},
            r"incremental.param: 'a.since' is no path in the body, which has no 'a'",
        ),
    ],
)  # fmt: skip
def test_a_place_that_is_not_there_is_one_mistake(changes: dict[str, Any], sentence: str) -> None:
    """It is told before anything is asked, with the key and the cure."""
    with pytest.raises(ValidationError, match=sentence):
        ApiSource.model_validate({"url": "http://127.0.0.1/", "method": "POST"} | changes)


def test_of_a_body_only_what_the_path_leads_through_is_made_anew() -> None:
    """The body of one request is not that of another, and a name that is like all of the path comes first."""
    body: dict[str, Any] = {"a": {"b": [{"c": 1}, 2]}, "d": {}, "a.b": 3}

    assert put_at(body, "a.b.0.c", 5) == {"a": {"b": [{"c": 5}, 2]}, "d": {}, "a.b": 3}
    assert put_at(body, "a.b", 5) == {"a": {"b": [{"c": 1}, 2]}, "d": {}, "a.b": 5}
    assert (body, put_at(body, "d.e", 1)["d"]) == ({"a": {"b": [{"c": 1}, 2]}, "d": {}, "a.b": 3}, {"e": 1})


def growing(site: Site, params: dict[str, str] | None = None, /, **incremental: Any) -> ApiSource:
    """Return a source of what is newer than what has landed, which asks a server that tells what it was asked."""
    plain = {"field": "at", "param": "since", "start": "2024-01-01"}
    return api(
        site,
        "/since-anywhere",
        pagination={"kind": "single"},
        method="POST",
        idempotent=True,
        key=["id"],
        incremental=plain | incremental,
        body={"filter": {"and": [{}]}},
        params=params or {},
    )


def bodies(site: Site) -> list[Any]:
    """Return the bodies of the requests."""
    return [json.loads(seen.body) for seen in site.seen]


@pytest.mark.parametrize(
    ("form", "first", "then"),
    [
        ("iso", "2024-01-01T00:00:00Z", "2024-03-01T10:30:00.250000Z"),
        ("epoch_s", 1704067200, 1709289000),
        ("epoch_ms", 1704067200000, 1709289000250),
        ("%Y/%m/%d %H:%M", "2024/01/01 00:00", "2024/03/01 10:30"),
        (None, "2024-01-01", "2024-03-01T12:30:00.25+02:00"),
    ],
)
async def test_what_is_new_is_asked_for_within_the_body(
    site: Site, tmp_path: Path, form: str | None, first: Any, then: Any
) -> None:
    """The largest value and the time of the run stand at their paths, as the format says, in UTC."""
    kept_at(site).rows = rows_at("2024-02-01T00:00:00Z", "2024-03-01T12:30:00.25+02:00")
    source = growing(
        site, place="body", param="filter.and.0.from", until="filter.and.0.to", **({"format": form} if form else {})
    )
    for _ in range(2):
        await land_one(source, tmp_path)

    asked = [body["filter"]["and"][0] for body in bodies(site)]
    assert [each["from"] for each in asked] == [first, then]
    assert all(type(each["to"]) is type(first) and each["to"] > each["from"] for each in asked)


async def test_a_number_that_is_a_text_is_no_date(site: Site, tmp_path: Path) -> None:
    """Milliseconds whose first digits could be those of a date are asked on from as they are."""
    kept_at(site).rows = rows_at("1712010101234")
    source = growing(site, place="query", format="epoch_ms", start=0)
    for _ in range(2):
        await land_one(source, tmp_path)

    assert "since=1712010101234" in site.paths[-1]


async def test_what_is_new_stands_in_a_text(site: Site, tmp_path: Path) -> None:
    """A server that is asked by a query in a language of its own gets the value within it, and the end beside it."""
    kept_at(site).rows = rows_at("2024-02-01T00:00:00Z")
    params = {"jql": 'updated >= "{since}" AND updated < "{now}"'}
    source = growing(site, params, place="placeholder", until="now", format="%Y-%m-%d")
    for _ in range(2):
        await land_one(source, tmp_path)

    asked = [unquote_plus(path.partition("jql=")[2]).split(" AND ")[0] for path in site.paths]
    assert asked == ['updated >= "2024-01-01"', 'updated >= "2024-02-01"']
    assert all("{" not in path for path in map(unquote_plus, site.paths))


async def test_a_run_that_goes_on_asks_up_to_the_same_time(site: Site, tmp_path: Path) -> None:
    """The pages after those of a run that ended early are of the same rows: both were asked for up to one time."""
    kept_at(site).rows, kept_at(site).broken_from = rows_at(*range(1, 13)), 3
    source = api(
        site,
        "/since",
        pagination={"kind": "page", "pages_at": "pages"},
        key=["id"],
        incremental={"field": "at", "param": "since", "start": 0, "until": "until", "format": "epoch_ms"},
        requests=QUICK | {"max_in_flight": 1, "start_in_flight": 1, "attempts": 1},
    )
    with pytest.raises(SourceError):
        await land_one(source, tmp_path)
    kept_at(site).broken_from = 99

    landed = await land_one(source, tmp_path)

    assert (landed.resumed_from, landed.rows) == (2, 12)
    assert len({path.partition("until=")[2].partition("&")[0] for path in site.paths}) == 1


@pytest.mark.parametrize(
    ("incremental", "sentence"),
    [
        ({"start": 0, "until": "to"}, "start is a number, 0, which tells not how until is written; add format: epoch_s"),
        ({"start": 0, "format": "iso"}, "format: 'iso' is of times, and start is a number; write epoch_s or epoch_ms"),
        ({"format": "epoch"}, "format: 'epoch' is no way to write a time; write iso, epoch_s, epoch_ms, or e.g. %Y-%m-%d"),
        ({"format": "%Y-%Q"}, "format: '%Y-%Q' is none of strptime"),
        ({"format": "%m-%d"}, "format: '%m-%d' has no year"),
    ],
)  # fmt: skip
def test_a_format_that_writes_no_time_is_one_mistake(site: Site, incremental: dict[str, Any], sentence: str) -> None:
    """It is told before anything is asked."""
    with pytest.raises(ValidationError, match=sentence):
        growing(site, **incremental)


async def test_a_value_that_is_no_time_is_one_error(site: Site, tmp_path: Path) -> None:
    """A field of numbers cannot be written as a day: the second run says so, and asks nothing."""
    kept_at(site).rows = rows_at(5)
    source = growing(site, place="query", format="%Y-%m-%d")
    await land_one(source, tmp_path)

    with pytest.raises(
        PermanentSourceError, match=r"^incremental.format: '%Y-%m-%d' is of times, and the largest value"
    ):
        await land_one(source, tmp_path)

    assert len(site.seen) == 1
