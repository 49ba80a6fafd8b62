"""Raw files as ingest lands them: of many frames, with lines that tell why a page gave no row, and in slices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.config import PagesSource
from tasks.convert.files.opening import DamagedError, Stream
from tasks.core.errors import TableError
from tasks.raw.selection import read_slice
from tests.convert.conftest import api_source, frames_of, land, make_table, read_rejects, read_rows

LINES = [json.dumps({"id": number, "text": "x" * number}) for number in range(300)]


def pages_source(**columns: Any) -> PagesSource:
    """Return a pages source with these columns."""
    return PagesSource.model_validate(
        {"kind": "pages", "start": "http://127.0.0.1/list", "rows": "li", "columns": columns}
    )


def read_raw(path: Path, data: bytes) -> bytes:
    """Return what is in a compressed file of these bytes; with a damaged end, what tells of it."""
    path.write_bytes(data)
    stream = Stream(path)
    try:
        text = stream.read_some(2**20)
        return text if stream.is_intact else stream.read_some(2**20)
    finally:
        stream.close()


def test_every_frame_of_a_file_is_read(tmp_path: Path) -> None:
    """Page groups are frames of their own, one after another; empty ones are nothing."""
    data = frames_of() + frames_of(*LINES) + frames_of() + frames_of("end")

    assert read_raw(tmp_path / "all.jsonl.zst", data) == "\n".join([*LINES, "end", ""]).encode()


def test_a_file_cut_off_in_its_last_frame_is_an_error(tmp_path: Path) -> None:
    """Wherever within the last frame a file ends, it is not taken for whole."""
    data, last = frames_of(*LINES), frames_of(LINES[-1])

    for cut in range(1, len(last)):
        with pytest.raises(DamagedError, match=r"its \.zst compression is damaged or cut off"):
            read_raw(tmp_path / "all.jsonl.zst", data[:-cut])


def test_a_file_that_lacks_its_last_frame_is_an_error(tmp_path: Path) -> None:
    """A file that ends between two frames is told by the lines that were landed, rows of the same line aside."""
    source = api_source(explode="lines")
    lines = [f'{{"id": {number}, "lines": [1, 2, 3]}}' for number in range(3)]
    raw = land(tmp_path, source, "all", *lines)
    manifest = raw.with_name("all.json")
    table = make_table(tmp_path, source)
    raw.write_bytes(frames_of(*lines[:2]))
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "file_bytes": raw.stat().st_size}))

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, source)

    assert (table.rows_received, table.rows_table, table.rows_duplicate) == (9, 3, 6)
    assert str(caught.value) == (
        "raw/rows/all.jsonl.zst: holds 2 rows, but 3 were landed; delete it and run again, and it alone is fetched anew"
    )


def test_a_page_that_gave_no_row_is_a_reject(tmp_path: Path) -> None:
    """The reason is the page's, the raw text its line; lists are JSON texts, and declared types are those of rows."""
    source = pages_source(
        name="b::text",
        tags={"select": "i::text", "all": True},
        price={"select": "s::text", "type": "float"},
        n="u::text",
    )
    refused = '{"$reject":"rows: nothing matches \'li\'","url":"http://127.0.0.1/list?page=2"}'
    bad = '{"name":"c","tags":["y"],"price":"free","n":"4"}'
    land(
        tmp_path,
        source,
        "all",
        '{"name":"a","tags":["x","é\\"z"],"price":"1.50","n":"3"}',
        refused,
        '{"name":null,"tags":[],"price":null,"n":null}',
        bad,
    )

    table = make_table(tmp_path, source)

    assert read_rows(tmp_path) == [
        {"name": "a", "tags": '["x", "é\\"z"]', "price": 1.5, "n": 3},
        {"name": None, "tags": "[]", "price": None, "n": None},
    ]
    reject = {"source": "rows", "file": "raw/rows/all.jsonl.zst"}
    assert read_rejects(tmp_path) == [
        reject | {"line": 2, "column": None, "reason": "rows: nothing matches 'li'", "raw": refused, "byte_offset": 57},
        reject | {"line": 4, "column": "price", "reason": "'free' is not a float", "raw": bad, "byte_offset": 181},
    ]
    assert (table.rows_received, table.rows_table, table.rows_rejected) == (4, 2, 2)


def test_pages_that_all_gave_no_row_make_no_table(tmp_path: Path) -> None:
    """Every line is a reject: the source fails and names the reason."""
    source = pages_source(name="b::text")
    land(tmp_path, source, "all", *['{"$reject": "nothing", "url": "http://127.0.0.1/"}'] * 3)

    with pytest.raises(TableError, match=r"^3 rows came and none entered the table, most often because nothing \(3\)"):
        make_table(tmp_path, source)


@pytest.mark.parametrize(
    "line",
    ['{"$reject": "x"}', '{"$reject": 1, "url": "http://127.0.0.1/"}', '{"$reject": "x", "url": "u", "name": "a"}'],
)
def test_a_column_that_is_named_like_a_reason_is_a_column(tmp_path: Path, line: str) -> None:
    """Only a line of exactly a reason and an address is a page's reject."""
    source = pages_source(**dict.fromkeys(json.loads(line), "b::text"))
    land(tmp_path, source, "all", line)

    make_table(tmp_path, source)

    assert [{name: str(value) for name, value in row.items()} for row in read_rows(tmp_path)] == [
        {name: str(value) for name, value in json.loads(line).items()}
    ]


def test_an_api_may_have_a_column_that_is_named_like_a_reason(tmp_path: Path) -> None:
    """What an API calls $reject is a value like any other."""
    land(tmp_path, api_source(key=[]), "all", '{"$reject": "x", "url": "http://127.0.0.1/"}')

    make_table(tmp_path, api_source(key=[]))

    assert read_rows(tmp_path) == [{"$reject": "x", "url": "http://127.0.0.1/"}]


def test_with_a_slice_other_partitions_may_be_missing(tmp_path: Path) -> None:
    """All that is landed makes the table; what the slice covers has to be landed."""
    source = api_source(partitions={"month": {"range": [1, 6]}})
    for month in (1, 3, 4):
        land(tmp_path, source, f"month={month}", f'{{"id": {month}}}')

    table = make_table(tmp_path, source, only=read_slice("month=3..4"))
    rows = read_rows(tmp_path)
    with pytest.raises(TableError) as of_slice:
        make_table(tmp_path, source, only=read_slice("month=3..5"))
    with pytest.raises(TableError) as of_all:
        make_table(tmp_path, source)
    partial = make_table(tmp_path, source, only=read_slice("month=3..5"), allow_partial=True)

    assert (table.files, sorted(row["id"] for row in rows), partial.files) == (3, [1, 3, 4], 3)
    assert str(of_slice.value) == (
        "3 of 6 partitions are not landed, 1 of which this run asks for, the first is month=5; run ingest first"
    )
    assert str(of_all.value) == "3 of 6 partitions are not landed, the first is month=2; run ingest first"


def test_nothing_landed_is_no_table_whatever_the_slice(tmp_path: Path) -> None:
    """A source of which no partition is landed is told, also where the slice covers none."""
    source = api_source(partitions={"month": {"range": [1, 2]}})

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, source, only=read_slice("month=3"))

    assert str(caught.value) == "2 of 2 partitions are not landed, the first is month=1; run ingest first"
