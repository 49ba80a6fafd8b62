"""Bodies: records stay the text they were received as, and what is none is quoted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import PermanentSourceError
from tasks.core.json_text import list_entries, list_items, take_json, to_lines, to_value
from tests.ingest.sources import api, land_one, list_files
from tests.site.server import Site

SINGLE = {"pagination": {"kind": "single"}, "records_at": None}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def read_lines(raw: Path) -> list[bytes]:
    """Return the lines of a raw file, as they are."""
    with pa.input_stream(str(raw), compression="zstd") as stream:
        return bytes(stream.read()).removesuffix(b"\n").split(b"\n")


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (
            "/body/exact",
            [b'{"big": 123456789012345678901234567890, "price": 1.10, "e": "\\u00e9", "a": 1, "a": 2, "x": 1E5}'],
        ),
        ("/body/pretty", [b'{"a":1.10,"b":[1,"x\\ny"]}', b"2"]),
        ("/body/nan", [b'{"a": NaN, "b": 1.10,"c": "\\u00e9"}', b'{"a": -Infinity}']),
        ("/body/bom", [b'{"a": 1.10}']),
        ("/body/utf-16", ['{"a": 1.10, "b": "\u017e"}'.encode()]),
        ("/body/utf-16-without-mark", ['{"a": 1.10, "b": "\u017e"}'.encode()]),
        ("/body/latin-1", ['{"a": "caf\xe9"}'.encode()]),
        ("/body/not-utf-8", [b'{"a": "caf\xe9", "b": 1.10}', b'{"a": "\xc3\xa9"}']),
        ("/body/half-a-pair", [b'{"a": "\\ud83d", "b": 1.10}']),
        ("/body/line-separators", ['{"a": "\u2028\x85"}'.encode()]),
        ("/body/spaces", [b'{"items" : [ 1 , {"a" : 2} ,3 ] }']),
        ("/body/scalar", [b'"text"']),
        ("/body/null", [b""]),
        ("/paged/204?at=0", [b""]),
        ("/body/large", [b'{"id": %d}' % number for number in range(20_000)]),
    ],
)
async def test_records_are_landed_as_they_were_received(
    site: Site, tmp_path: Path, path: str, lines: list[bytes]
) -> None:
    """Digits, escapes, doubled keys and broken bytes stay; a record is one line of UTF-8, and nothing is no record."""
    landed = await land_one(api(site, path, **SINGLE), tmp_path)

    assert read_lines(landed.path) == lines
    assert landed.rows == (0 if lines == [b""] else len(lines))


@pytest.mark.parametrize(
    ("path", "records_at", "lines"),
    [
        ("/body/spaces", "items", [b"1", b'{"a" : 2}', b"3"]),
        ("/body/null-items", "items", [b""]),
        ("/no-records", "data.rows", [b'{"id":%d,"name":"item %d"}' % (number, number) for number in range(1, 8)]),
    ],
)
async def test_records_are_found_at_their_path(
    site: Site, tmp_path: Path, path: str, records_at: str, lines: list[bytes]
) -> None:
    """The list at a dotted path is the records; null, as some servers write it, is a list of none."""
    landed = await land_one(api(site, path, pagination={"kind": "single"}, records_at=records_at), tmp_path)

    assert read_lines(landed.path) == lines


@pytest.mark.parametrize(
    ("path", "records_at", "sentence"),
    [
        ("/broken-json", None, r"answered application/json, which is not JSON: '\{\"items\": .*'; correct the address"),
        ("/deep-json", None, r"answered application/json, which is not JSON: '\[\[\[.*'; correct the address"),
        ("/html-instead-of-json", None, r"answered text/html, which is not JSON: '<h1>Please log in</h1>'; correct"),
        ("/body/nothing", None, r"answered application/json, which is not JSON: ''; correct the address"),
        ("/body/control", None, r"which is not JSON: '\[\"a b\"\]'"),
        ("/body/two", None, r"which is not JSON: '\[1\] \[2\]'"),
        (
            "/body/exact",
            "items",
            r"records_at: 'items' is not in the body, 'items' meets \[\{'big': 1234.*; correct rec",
        ),
        ("/body/scalar", "a.b", r"records_at: 'a.b' is not in the body, 'a' meets 'text'; correct records_at"),
        ("/body/spaces", "items.a", r"'a' meets \[1, \{'a': 2\}, 3\]; correct records_at"),
        ("/no-records", "data", r"records_at: 'data' is \{'rows': \[\{'id': 1.*, not a list; name the path"),
        ("/items", "rows", r"'rows' meets the keys items, pages; correct records_at"),
    ],
)
async def test_a_body_without_its_records_is_quoted(
    site: Site, tmp_path: Path, path: str, records_at: str | None, sentence: str
) -> None:
    """What is there instead of the records stands in the error, beside the request and the cure."""
    with pytest.raises(PermanentSourceError, match=rf"^GET {site.url}{path}.*{sentence}"):
        await land_one(api(site, path, **SINGLE | {"records_at": records_at}), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (1, [])


async def test_a_body_of_many_or_odd_keys_is_quoted_in_short(site: Site, tmp_path: Path) -> None:
    """Keys that are many are cut, and what cannot be shown stands in quotes."""
    site.echo_body = json.dumps({"\x1b[31m": 1} | {f"key {number}": 1 for number in range(1000)}).encode()

    with pytest.raises(
        PermanentSourceError, match=r"'items' meets the keys '\\x1b\[31m', key 0, key 1.{,180} …; correct"
    ):
        await land_one(api(site, "/echo/body", pagination={"kind": "single"}), tmp_path)


@settings(max_examples=50)
@given(
    records=st.lists(values),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_any_records_are_taken_apart_and_mean_the_same(
    records: list[Any], indent: int | None, ascii_only: bool, encoding: str
) -> None:
    """However a server writes its records, each is a line, and all mean what they meant."""
    text = json.dumps({"items": records}, indent=indent, ensure_ascii=ascii_only)
    body = text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace")

    entries = list_entries(take_json(body)) or {}
    lines = to_lines(list_items(entries["items"]) or [], entries["items"])

    assert [b"\n" in line or b"\r" in line for line in lines] == [False] * len(records)
    if ascii_only:
        assert [json.dumps(json.loads(line)) for line in lines] == [json.dumps(record) for record in records]


@given(st.binary() | st.text().map(str.encode) | values.map(lambda value: json.dumps(value)[:-1].encode()))
def test_no_body_is_more_than_an_error(body: bytes) -> None:
    """Whatever a server sends, it is JSON or ValueError, as Python's own reader has it for what is UTF-8."""
    try:
        value = take_json(body)
    except ValueError:
        return

    list_items(value), list_entries(value), to_value(value)
    assert b"\n" not in to_lines([value], value)[0]


def test_a_number_beyond_python_stays_a_text() -> None:
    """A count or a cursor of thousands of digits is no reason to stop in the middle."""
    digits = "9" * 5000

    assert to_value(take_json(digits.encode())) == digits
    assert math.isnan(to_value(take_json(b"NaN")))
