"""Where records stand in a body, and what they are: in a list by place, as lists, or one a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import PermanentSourceError
from tests.ingest.sources import api, land_one, read_rows
from tests.site.odd import odd_at
from tests.site.server import Site

SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}, "records_at": None}
NAMED = [{"name": "Alabama", "state": "01"}, {"name": "Alaska", "state": "02"}]
UNNAMED = ("the records are lists, and their values are named col0, col1, …; ",)


@pytest.mark.parametrize(
    ("body", "records_at"),
    [
        ([{"page": 1, "pages": 1}, NAMED], 1),
        ([{"page": 1, "pages": 1}, NAMED], "1"),
        ({"data": [{"items": NAMED}]}, "data.0.items"),
        ({"data": {"0": NAMED}}, "data.0"),
        ([[1], [[NAMED]]], "1.0.0"),
    ],
)
async def test_a_number_in_a_path_is_a_place_in_a_list(
    site: Site, tmp_path: Path, body: Any, records_at: int | str
) -> None:
    """Where a body, or a part of it, is a list, its elements are counted from 0."""
    site.echo_body = json.dumps(body).encode()

    landed = await land_one(api(site, "/echo/body", **SINGLE | {"records_at": records_at}), tmp_path)

    assert read_rows(landed.path) == NAMED


async def test_a_place_beyond_a_list_is_quoted(site: Site, tmp_path: Path) -> None:
    """A place that a list has not is an error as a name that an object has not."""
    site.echo_body = b"[[1]]"

    with pytest.raises(PermanentSourceError, match=r"records_at: '1' is not in the body, '1' meets \[\[1\]\]; correct"):
        await land_one(api(site, "/echo/body", **SINGLE | {"records_at": "1"}), tmp_path)


async def test_what_is_said_of_the_records_is_not_a_record(site: Site, tmp_path: Path) -> None:
    """A body of an object and a list of objects is not two records: the error names the place of the list."""
    site.echo_body = json.dumps([{"page": 1}, NAMED]).encode()

    with pytest.raises(PermanentSourceError, match=r"an object and a list of 2 objects; write records_at: '1'"):
        await land_one(api(site, "/echo/body", **SINGLE), tmp_path)


@pytest.mark.parametrize(
    ("names", "body", "rows"),
    [
        ("first", '[["name", "state"], ["Alabama", "01"], ["Alaska", "02"]]', NAMED),
        (["name", "state"], '[["Alabama", "01"], ["Alaska", "02"]]', NAMED),
        (None, "[[1.10, null], [2, [3]]]", [{"col0": 1.1, "col1": None}, {"col0": 2, "col1": [3]}]),
        (["a"], "[[1, 2], [3], []]", [{"a": 1, "col1": 2}, {"a": 3}, {}]),
        ("first", '[["a", "a", "", 7], [1, 2, 3, 4]]', [{"a": 1, "col1": 2, "col2": 3, "col3": 4}]),
        ("first", '[["a"]]', []),
        ("first", "[]", []),
        ("first", '[{"a": 1}]', [{"a": 1}]),
        (["a"], "[[1], null, {}]", [{"a": 1}, None, {}]),
    ],
)
async def test_records_that_are_lists_become_objects(
    site: Site, tmp_path: Path, names: Any, body: str, rows: list[Any]
) -> None:
    """Values take the names that are declared, those of the first record, or those of their places."""
    site.echo_body = body.encode()

    landed = await land_one(api(site, "/echo/body", **SINGLE, names=names), tmp_path)

    assert read_rows(landed.path) == rows
    assert [warning[: len(UNNAMED[0])] for warning in landed.warnings] == list(UNNAMED if names is None else ())


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("kind", ["page", "cursor"])
async def test_names_of_the_first_page_are_those_of_all(site: Site, tmp_path: Path, kind: str, repeated: bool) -> None:
    """A first record that names the values may stand on each page or on the first; elsewhere it is a row."""
    head = [["id", "name"]]
    odd_at(site, pages=[[*head, [1, "a"]], [*(head if repeated else []), [2, "b"], [3, "c"]]])
    pagination = {"kind": "page"} if kind == "page" else {"kind": "cursor", "cursor_at": "meta.next"}

    landed = await land_one(api(site, f"/odd/{kind}", pagination=pagination, names="first"), tmp_path)

    assert read_rows(landed.path) == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]


@pytest.mark.parametrize(
    ("body", "kind", "rows"),
    [
        (b'{"a":1}\n{"a":2}\n', "application/x-ndjson", [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\r\n\r\n{"a":2}', "application/json", [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\n[2]\n3', "text/plain", [{"a": 1}, [2], 3]),
        (b'\x1e{"a":1}\n\x1e{"a":2}\n', "application/geo+json-seq", [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\n', "application/jsonl; charset=utf-8", [{"a": 1}]),
        (b"[1]\n", "application/jsonl", [{"col0": 1}]),
        (b"", "application/x-ndjson", []),
        (b"[1,\n2]", "application/json", [1, 2]),
        (b'{"items":\n[1]}', "application/x-ndjson", [{"items": [1]}]),
    ],
)
async def test_a_body_of_lines_is_their_records(
    site: Site, tmp_path: Path, body: bytes, kind: str, rows: list[Any]
) -> None:
    """JSON lines are told by their type, or by being no other JSON; what is one JSON value stays that."""
    site.echo, site.echo_body = kind, body

    landed = await land_one(api(site, "/echo/typed", **SINGLE), tmp_path)

    assert read_rows(landed.path) == rows


@pytest.mark.parametrize("body", [b'{"a":1}\n{"a"', b'{"a":1},\n{"a":2}', b"[1\n2]", b"<p>1</p>\n2"])
async def test_lines_that_are_not_all_json_are_an_error(site: Site, tmp_path: Path, body: bytes) -> None:
    """A body that has been cut off in a line is not landed as the lines before."""
    site.echo, site.echo_body = "application/x-ndjson", body

    with pytest.raises(PermanentSourceError, match="answered application/x-ndjson, which is not JSON"):
        await land_one(api(site, "/echo/typed", **SINGLE), tmp_path)


async def test_pages_of_lines_are_read_until_two_are_empty(site: Site, tmp_path: Path) -> None:
    """A page of one line is a list of one record, not one record that can never be the last."""
    site.echo, site.echo_body = "application/x-ndjson", b""

    landed = await land_one(api(site, "/echo/typed", pagination={"kind": "page"}, records_at=None), tmp_path)

    assert (landed.rows, landed.requests) == (0, 2)
