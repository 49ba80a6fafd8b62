"""What one answer of an API shows: where its rows are, and how its pages go on."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tasks.ingest.api.outline import outline_api

ROWS = [{"id": number} for number in range(3)]

CERTAIN: dict[str, tuple[Any, dict[str, str], dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "an address in the body": (
        {"results": ROWS, "next": "/items?page=2", "count": 9}, {}, {},
        {"records_at": "results"}, {"kind": "next_url", "next_at": "next"},
    ),
    "an address within an object of links": (
        {"_embedded": {"items": ROWS}, "_links": {"next": {"href": "http://h/2"}}}, {}, {},
        {"records_at": "_embedded.items"}, {"kind": "next_url", "next_at": "_links.next.href"},
    ),
    "an address whose name has a dot": (
        {"value": ROWS, "@odata.nextLink": "http://h/?$skip=3"}, {}, {},
        {"records_at": "value"}, {"kind": "next_url", "next_at": '"@odata.nextLink"'},
    ),
    "a Link header": (
        ROWS, {"Link": '<http://h/2>; rel="next"'}, {}, {}, {"kind": "link_header"},
    ),
    "a cursor": (
        {"data": ROWS, "meta": {"next_cursor": "abc", "total": 9}}, {}, {},
        {"records_at": "data"}, {"kind": "cursor", "cursor_at": "meta.next_cursor", "param": "cursor"},
    ),
    "a cursor whose parameter is known": (
        {"items": ROWS, "nextPageToken": "abc"}, {}, {"pageToken": "x"},
        {"records_at": "items"}, {"kind": "cursor", "cursor_at": "nextPageToken", "param": "pageToken"},
    ),
    "a cursor within an object": (
        {"results": ROWS, "paging": {"next": {"after": "3"}}}, {}, {},
        {"records_at": "results"}, {"kind": "cursor", "cursor_at": "paging.next.after", "param": "after"},
    ),
    "the number of pages": (
        {"items": ROWS, "page": 1, "pages": 3, "total": 9}, {}, {},
        {"records_at": "items"}, {"kind": "page", "param": "page", "pages_at": "pages"},
    ),
    "pages that are counted from 0": (
        {"content": ROWS, "page": {"number": 0, "size": 3, "totalPages": 3}}, {}, {},
        {"records_at": "content"}, {"kind": "page", "param": "page", "start": 0, "pages_at": "page.totalPages"},
    ),
    "pages whose parameter was asked for": (
        ROWS, {"X-Total-Pages": "3"}, {"p": "1"}, {}, {"kind": "page", "param": "p", "pages_header": "X-Total-Pages"},
    ),
    "the number of rows, and of the page": (
        {"rows": ROWS, "meta": {"page": 1, "per_page": 3, "total": 9}}, {}, {},
        {"records_at": "rows"}, {"kind": "page", "param": "page", "size": 3, "total_at": "meta.total"},
    ),
    "an offset": (
        {"items": ROWS, "offset": 0, "limit": 3, "total": 9}, {}, {},
        {"records_at": "items"},
        {"kind": "offset", "param": "offset", "size_param": "limit", "size": 3, "total_at": "total"},
    ),
}  # fmt: skip
"""By what an answer shows: its body, its headers, what was asked; the keys of its rows, and its pagination."""


@pytest.mark.parametrize("name", CERTAIN)
def test_what_an_answer_shows_is_certain(name: str) -> None:
    """An address, a cursor or a count says how the pages go on, and the largest list of objects where the rows are."""
    body, headers, params, rows, pagination = CERTAIN[name]

    outline = outline_api(body, httpx.Headers(headers), params)

    assert outline.rows == rows
    assert outline.paging is not None
    assert (outline.paging.declared, outline.paging.is_certain) == (pagination, True)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"items": ROWS, "total": 9}, "9 rows in total, and has 3"),
        ({"data": ROWS, "has_more": True}, "has_more that there is more"),
        ({"data": ROWS, "next": None}, "names no next page in next"),
        ({"data": ROWS, "pages": 3}, "nothing tells by which parameter"),
        ({"data": ROWS, "next": "abc"}, "nothing tells by which parameter"),
    ],
)
def test_what_an_answer_only_hints_at_is_in_doubt(body: Any, told: str) -> None:
    """An answer that says there is more, and not how it is asked for, makes no pagination certain, and says why."""
    paging = outline_api(body, httpx.Headers(), {}).paging

    assert paging is not None
    assert not paging.is_certain
    assert told in paging.why


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ([{"id": 1}], {}),
        ({"id": 1, "items": ROWS}, {}),
        ({"tags": [{"a": 1}], "users": ROWS}, {"records_at": "users"}),
        ({"errors": [{"a": 1}] * 9, "users": ROWS}, {"records_at": "users"}),
        ({"a.b": {"c": ROWS}}, {"records_at": '"a.b".c'}),
        ({"hourly": {"time": [1, 2], "temp": [3, 4]}}, {"records_at": "hourly", "shape": "columns"}),
        ({"a1": {"x": 1, "y": 2}, "b2": {"x": 3}}, {"shape": "by_id", "id_column": "id"}),
        ({"a1": {"id": 1, "y": 2}, "b2": {"id": 3}}, {"shape": "by_id", "id_column": "key"}),
        ([["name", "n"], ["a", 1]], {"names": "first"}),
        ([["a", "b"], ["c", "d"]], {}),
        ({"data": []}, {"records_at": "data"}),
    ],
)
def test_rows_are_found_in_every_shape(body: Any, rows: dict[str, Any]) -> None:
    """A list of objects, columns, records by their ids and lists of values are told apart; a record with an id is one row."""
    outline = outline_api(body, httpx.Headers(), {})

    assert (outline.rows, outline.paging) == (rows, None)
