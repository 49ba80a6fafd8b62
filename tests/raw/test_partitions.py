"""Partitions: which there are, what they are called, and where they are asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import ApiSource, Incremental, PagesColumn, PagesSource, Scalar
from tasks.config.base import ConfigModel
from tasks.ingest.api.paginators.page import PagePagination
from tasks.ingest.api.urls import first_url
from tasks.raw.partitions import Partition, fill_texts, list_partitions, request_fingerprint

SAFE_NAME = re.compile(r"[A-Za-z0-9._~%=,-]{1,140}")
SCALARS = st.text(max_size=200) | st.integers() | st.floats(allow_nan=False)


def api(url: str = "http://127.0.0.1/items", **keys: Any) -> ApiSource:
    """Return an API source."""
    return ApiSource.model_validate({"url": url, **keys})


def test_a_source_without_partitions_is_one_whole() -> None:
    """Where no partitions are declared there is one, named all."""
    assert [(p.name, p.values) for p in list_partitions(api())] == [("all", ())]


def test_partitions_are_every_combination_in_order() -> None:
    """Each value of one key meets each of the others; the last key varies fastest; a range has both its ends."""
    source = api(partitions={"origin": ["JFK", "EWR"], "month": {"range": [9, 11]}})

    assert [partition.name for partition in list_partitions(source)] == [
        "origin=JFK,month=9",
        "origin=JFK,month=10",
        "origin=JFK,month=11",
        "origin=EWR,month=9",
        "origin=EWR,month=10",
        "origin=EWR,month=11",
    ]


def test_a_value_that_is_given_twice_is_one_partition() -> None:
    """Values that make the same request are fetched once, where they stand first."""
    assert [p.name for p in list_partitions(api(partitions={"part": ["b", 1, "a", "1", "b"]}))] == [
        "part=b",
        "part=1",
        "part=a",
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a/b", "part=a%2Fb"),
        ("a=b,c", "part=a%3Db%2Cc"),
        ("..", "part=.."),
        ("", "part="),
        ("Zürich 東京", "part=Z%C3%BCrich%20%E6%9D%B1%E4%BA%AC"),
        (-1.5, "part=-1.5"),
    ],
)
def test_a_name_is_quoted(value: Scalar, name: str) -> None:
    """A name is a file's name on every system, and shows its value."""
    assert Partition((("part", value),)).name == name


def test_long_names_stay_distinct() -> None:
    """A name too long for a file is cut, and ends in a digest of the whole."""
    first, second = (Partition((("part", "x" * 300 + end),)).name for end in "ab")

    assert first != second
    assert (first[:120], len(first)) == (second[:120], len(second)) == ("part=" + "x" * 115, 133)


@given(st.lists(st.tuples(SCALARS, SCALARS), min_size=2, max_size=5))
def test_names_are_safe_and_as_distinct_as_their_values(values: list[tuple[Scalar, Scalar]]) -> None:
    """Two partitions have the same name only when their values are written the same; every name is safe for a file."""
    partitions = [Partition(tuple(zip(("a", "b"), pair, strict=True))) for pair in values]

    assert all(SAFE_NAME.fullmatch(partition.name) for partition in partitions)
    written = {(str(first), str(second)) for first, second in values}
    assert len({partition.name for partition in partitions}) == len(written)


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("http://h/items", {}, "http://h/items?part=a%2Fb+c&month=3"),
        ("http://h/{part}", {}, "http://h/a%2Fb%20c?month=3"),
        ("http://h/{part}/{month}/{part}", {}, "http://h/a%2Fb%20c/3/a%2Fb%20c"),
        ("http://h/{{part}}/{part}/{month}", {}, "http://h/%7Bpart%7D/a%2Fb%20c/3"),
        ("http://h/items?q=1&q=2", {"per_page": 5}, "http://h/items?q=1&q=2&per_page=5&part=a%2Fb+c&month=3"),
        ("http://h/items?m={month}", {"part": "own"}, "http://h/items?m=3&part=a%2Fb+c"),
        ("http://h/items?per_page=1", {"per_page": 5}, "http://h/items?per_page=5&part=a%2Fb+c&month=3"),
    ],
)
def test_values_stand_in_the_address_or_follow_it(url: str, params: dict[str, Scalar], expected: str) -> None:
    """A value takes its placeholder, quoted, or else becomes a parameter; an address keeps its own query."""
    source = api(url, params=params, partitions={"part": ["a/b c"], "month": [3]})

    assert str(first_url(source, list_partitions(source)[0])) == expected


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ({"part": "{part}"}, {"part": "a/b c"}),
        ({"month": "{month}", "ratio": "{ratio}"}, {"month": 3, "ratio": 0.5}),
        ({"where": "month = {month} and part = {part}"}, {"where": "month = 3 and part = a/b c"}),
        ({"deep": [{"list": ["{month}", 1, None, True, "{month}!"]}]}, {"deep": [{"list": [3, 1, None, True, "3!"]}]}),
        ({"query": "{ user(id: {month}) { name } }"}, {"query": "{ user(id: 3) { name } }"}),
        ({"query": "{other} {} {{month}} {month:d} { month }"}, {"query": "{other} {} {3} {month:d} { month }"}),
        ({"{month}": "the key stays"}, {"{month}": "the key stays"}),
        ({"odd": "{a.b} {braces}"}, {"odd": "1 {month}"}),
        ({}, {}),
    ],
)
def test_values_stand_in_the_body(body: Any, filled: Any) -> None:
    """A placeholder alone takes the value with its type, one within a text takes it as text, once; other braces stay."""
    values = (("part", "a/b c"), ("month", 3), ("ratio", 0.5), ("a.b", 1), ("braces", "{month}"))

    assert fill_texts(body, Partition(values)) == filled


def test_a_body_without_partitions_stays() -> None:
    """Where there is nothing to fill in, a body is as it stands in the file."""
    body = {"query": "{all} { x }", "size": 10}

    assert fill_texts(body, Partition(())) == body


@pytest.mark.parametrize(
    ("url", "body", "expected"),
    [
        ("http://h/items", {"m": "{month}"}, "http://h/items?part=a"),
        ("http://h/{part}", {"deep": [{"m": "up to {month}"}]}, "http://h/a"),
        ("http://h/{part}", {"part": "{part}", "{month}": 1}, "http://h/a?month=3"),
        ("http://h/items", {"query": "{ month part }"}, "http://h/items?part=a&month=3"),
        ("http://h/items", None, "http://h/items?part=a&month=3"),
    ],
)
def test_values_of_the_body_are_no_parameters(url: str, body: Any, expected: str) -> None:
    """A value that stands in the address or in the body is sent there alone."""
    source = api(url, method="POST", body=body, partitions={"part": ["a"], "month": [3]})

    assert str(first_url(source, list_partitions(source)[0])) == expected


PARTITION = Partition((("part", "a"), ("month", 3)))
API = {
    "url": "http://h/{part}",
    "method": "POST",
    "partitions": {"part": ["a"], "month": [3]},
    "key": ["id"],
    "pagination": {"kind": "page", "size": 10},
    "incremental": {"field": "at", "param": "since", "start": 0, "format": "epoch_ms"},
    "columns": {"id": "int"},
    "explode": "lines",
}
PAGES = {
    "key": ["id"],
    "start": "http://h/{part}",
    "rows": "tr",
    "partitions": {"part": ["a"], "month": [3]},
    "columns": {"id": {"select": "td"}},
}
AUTH = {"kind": "bearer", "token": {"env": "TOKEN"}}

# Of each key: a change of it, and whether what is landed is fetched again because of it.
OF_ALL: dict[str, tuple[Any, bool]] = {
    "partitions": ({"part": ["a", "b"], "month": {"range": [1, 12]}}, False),
    "headers": ({"Accept-Language": "fr"}, True),
    "auth": (AUTH, False),
    "tls": ({"ca": "/etc/ssl/company.pem"}, False),
    "requests": ({"max_in_flight": 3, "attempts": 1}, False),
    "refresh": ({"after": "24h"}, False),
    "key": (["id", "at"], False),
    "table": ({"contract": "freeze"}, False),
    "checks": ([{"not_null": "id"}], False),
    "keep": ("first", False),
}
OF_API: dict[str, tuple[Any, bool]] = {
    **OF_ALL,
    "url": ("http://other/{part}", True),
    "method": ("GET", True),
    "body": ({"a": 1}, True),
    "graphql": ({"query": "query($part: String, $month: Int) { a }"}, True),
    "idempotent": (True, False),
    "params": ({"per_page": 5}, True),
    "pagination": ({"kind": "offset", "size": 10}, True),
    "answer": ({"kind": "json", "member": "*.json"}, True),
    "job": (None, False),
    "records_at": ("items", True),
    "names": (["id"], True),
    "error_at": ("error", True),
    "explode": ("tags", False),
    "incremental": ({"field": "id", "param": "since", "start": 0}, True),
    "columns": ({"id": "float", "at": "timestamp"}, False),
    "allow_hosts": (["cdn"], False),
    "explode_empty": ("keep", False),
    "tables": ({"tagged": {"explode": "tags", "take": {"row": "id"}, "key": ["row"]}}, False),
    "shape": ("columns", True),
    "id_column": ("id", True),
    "privacy": ({"drop": ["email"]}, True),
}
OF_PAGES: dict[str, tuple[Any, bool]] = {
    **OF_ALL,
    "start": (["http://h/{part}", "http://h/more"], True),
    "sitemap": ("http://h/sitemap.xml", True),
    "feed": ("http://h/feed.xml", True),
    "match": ("/{part}/", True),
    "follow": ("a::attr(href)", True),
    "links": ("a::attr(href)", True),
    "rows": ("tbody tr", True),
    "columns": ({"id": "td + td"}, True),
    "allow_hosts": (["cdn"], True),
    "pairs": ("dl", True),
    "render": (True, True),
    "download": ({"select": "img::attr(src)", "into": "picture"}, True),
    "robots": ("ignore", False),
    "max_crawl_delay_s": (5.0, False),
    "max_depth": (2, True),
    "max_pages": (5, False),
    "privacy": ({"keep": ["id"]}, True),
}
OF_PAGINATION: dict[str, tuple[Any, bool]] = {
    "param": ("p", True),
    "start": (0, True),
    "step": (2, True),
    "pages_at": ("pages", True),
    "pages_header": ("X-Pages", True),
    "place": ("header", True),
    "size_param": ("n", True),
    "size": (20, True),
    "total_at": ("total", True),
    "total_header": ("X-Total", True),
    "end_statuses": ([404], True),
    "max_pages": (5, False),
    "max_rows": (5, False),
}
OF_INCREMENTAL: dict[str, tuple[Any, bool]] = {
    "field": ("id", True),
    "param": ("after", True),
    "start": (5, True),
    "overlap": (5, False),
    "place": ("header", True),
    "until": ("until", True),
    "format": ("epoch_s", True),
}
OF_COLUMN: dict[str, tuple[Any, bool]] = {
    "select": ("td + td", True),
    "all": (True, True),
    "default": ("0", True),
    "type": ("string", False),
    "rename": ("number", False),
    "required": (True, False),
    "nulls": (["-"], False),
    "format": ("%d/%m/%Y", False),
    "thousands": (",", False),
    "decimal": (",", False),
    "strip": (True, False),
    "pattern": ("(.*)", False),
    "true": (["ja"], False),
    "false": (["nein"], False),
    "drop": (True, False),
    "expression": ("id || id", False),
    "unit": ("s", False),
    "origin": (1900, False),
}


def invalidates(source: type[ApiSource | PagesSource], before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Return whether a change of a source makes what is landed of a partition stale."""
    one, other = (request_fingerprint(source.model_validate(keys), PARTITION) for keys in (before, after))
    return one != other


@pytest.mark.parametrize(("key", "change", "expected"), [(key, *row) for key, row in OF_API.items()])
def test_a_change_of_an_api_invalidates_what_it_changes(key: str, change: Any, expected: bool) -> None:
    """What decides the answers makes a landed partition stale; how they are asked for does not."""
    beside = {"shape": "by_id"} if key == "id_column" else {}
    api = {name: value for name, value in API.items() if key != "tables" or name != "incremental"}

    assert invalidates(ApiSource, api, {**api, **beside, key: change}) is expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"poll": {"header": "Location", "every": "9s", "status_at": "state", "done": [1]}}, False),
        ({"id_at": "job.id"}, True),
        ({"download": {"url_at": "file"}}, True),
    ],
)
def test_how_a_job_is_asked_invalidates_nothing(change: dict[str, Any], expected: bool) -> None:
    """A job that was made stays the same however it is asked whether it is done; where its file is decides the rows."""
    api = {**API, "pagination": {"kind": "single"}, "job": {"poll": {"header": "X-Job"}}}

    assert invalidates(ApiSource, api, {**api, "job": {**api["job"], **change}}) is expected  # type: ignore[dict-item]


@pytest.mark.parametrize(("key", "change", "expected"), [(key, *row) for key, row in OF_PAGES.items()])
def test_a_change_of_pages_invalidates_what_it_changes(key: str, change: Any, expected: bool) -> None:
    """The same for pages, whose selectors decide what is landed."""
    pages = {**PAGES, "feed": "http://h/feed.xml"} if key == "match" else PAGES

    assert invalidates(PagesSource, pages, {**pages, key: change}) is expected


def test_where_the_secret_of_hashes_is_held_invalidates_nothing() -> None:
    """A block of another name may hold the same one; which one rows are hashed with is known beside them."""
    one, other = (
        api(privacy={"hash": {"fields": ["id"], "secret": secret}}) for secret in ({"env": "A"}, {"secret_block": "b"})
    )

    assert request_fingerprint(one, PARTITION) == request_fingerprint(other, PARTITION)


@pytest.mark.parametrize(
    ("part", "key", "change", "expected"),
    [
        (part, key, *row)
        for part, rows in (("pagination", OF_PAGINATION), ("incremental", OF_INCREMENTAL))
        for key, row in rows.items()
    ],
)
def test_a_change_within_an_api_invalidates_what_it_changes(part: str, key: str, change: Any, expected: bool) -> None:
    """Of pagination all but its guards, of incremental all but its overlap."""
    assert invalidates(ApiSource, API, {**API, part: {**API[part], key: change}}) is expected  # type: ignore[dict-item]


@pytest.mark.parametrize(("key", "change", "expected"), [(key, *row) for key, row in OF_COLUMN.items()])
def test_a_change_of_a_pages_column_invalidates_what_it_changes(key: str, change: Any, expected: bool) -> None:
    """Of a column where its value stands, and not what becomes of it."""
    typed = {
        "format": "date",
        **dict.fromkeys(("thousands", "decimal", "strip"), "float"),
        "true": "bool",
        "false": "bool",
        "unit": "timestamp",
        "origin": "date",
    }
    needed = {"type": typed[key]} if key in typed else {}
    columns = {"id": {"select": "td"}, "other": {"select": "td"}}
    changed = {**columns, "other": {"select": "td", **needed, key: change}}

    assert invalidates(PagesSource, {**PAGES, "columns": columns}, {**PAGES, "columns": changed}) is expected


@pytest.mark.parametrize(
    ("model", "table"),
    [
        (ApiSource, OF_API),
        (PagesSource, OF_PAGES),
        (PagePagination, OF_PAGINATION),
        (Incremental, OF_INCREMENTAL),
        (PagesColumn, OF_COLUMN),
    ],
)
def test_every_key_is_decided_on(model: type[ConfigModel], table: dict[str, tuple[Any, bool]]) -> None:
    """A key that joins a model joins its table here: whether a change of it makes what is landed stale."""
    assert set(model.model_fields) - {"kind"} == set(table)


def test_each_kind_of_pagination_is_a_request_of_its_own() -> None:
    """Kinds whose other keys have their defaults differ by the kind alone."""
    kinds = [
        {"kind": "single"},
        {"kind": "page"},
        {"kind": "offset"},
        {"kind": "link_header"},
        {"kind": "cursor", "cursor_at": "next"},
        {"kind": "next_url", "next_at": "next"},
    ]

    fingerprints = {request_fingerprint(api(pagination=pagination), PARTITION) for pagination in kinds}

    assert len(fingerprints) == len(kinds)


def test_a_default_that_is_written_out_changes_nothing() -> None:
    """A key with its default is as good as one that is left out."""
    plain = api("http://h/{part}", partitions={"part": ["a"]})
    written = api("http://h/{part}", partitions={"part": ["a"]}, method="GET", params={}, pagination={"kind": "single"})

    assert request_fingerprint(plain, PARTITION) == request_fingerprint(written, PARTITION)


def test_a_value_that_joins_leaves_the_others_as_they_are() -> None:
    """Each partition has the fingerprint of its own values, whatever other values there are."""
    before = api(partitions={"part": ["a", "b"], "month": {"range": [1, 2]}})
    after = api(partitions={"part": ["c", "b", "a"], "month": [2, 1, 3]})

    prints = [{p.name: request_fingerprint(source, p) for p in list_partitions(source)} for source in (before, after)]

    assert prints[0].items() <= prints[1].items()
    assert len(set(prints[1].values())) == len(prints[1]) == 9
