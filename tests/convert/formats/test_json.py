"""JSON documents: lists of objects, wherever in a document they stand."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json import document as json_document
from tasks.convert.formats.json.document import read_records
from tasks.convert.formats.json.jsonl import parse_lines
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.schema.blocks import Schema
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY, misfits_of


def read(data: bytes | str, **reading: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str, str]]]:
    """Return the rows and the misfits of a document."""
    blocks = list(read_records(data if isinstance(data, bytes) else data.encode(), Reading.model_validate(reading)))
    rows = [row for block in blocks for row in block.table.to_pylist()]
    misfits = [misfit for block in blocks for misfit in misfits_of(block.misfits)]
    assert sum(block.received for block in blocks) == len(rows) + len(misfits)
    return rows, misfits


def test_elements_are_rows_and_nested_objects_their_columns() -> None:
    """Objects are flattened, lists kept as JSON, and one that lacks a key has null there."""
    rows, misfits = read('[{"a": {"b": 1, "c": [1, "é"]}}, {"a": {"b": true}, "d": null}]')

    assert rows == [{"a.b": "1", "a.c": '[1, "é"]', "d": None}, {"a.b": "true", "a.c": None, "d": None}]
    assert misfits == []


def test_an_element_that_is_no_object_is_a_misfit() -> None:
    """Each is told by its number, its text and its reason, and the others are rows."""
    rows, misfits = read('[{"a": 1}, 2, null, ["é"], {}, {"a": "\\ud800"}, {"a": {"b": 1}, "a.b": 2}, {"a": 3}]')

    assert rows == [{"a": "1"}, {"a": "3"}]
    assert misfits == [
        (2, "2", "not a JSON object"),
        (3, "null", "not a JSON object"),
        (4, '["é"]', "not a JSON object"),
        (5, "{}", "an object without keys"),
        (6, '{"a": "\\ud800"}', "half of a surrogate pair is not a text"),
        (7, '{"a": {"b": 1}, "a.b": 2}', "two values for one column, by a nested key and by one with a dot"),
    ]


def test_records_stand_where_they_are_declared_to() -> None:
    """A path leads to the list; a document that is one object is one record."""
    document = '{"meta": {"page": 1}, "data": {"items": [{"a": 1}]}}'

    assert read(document, records_at="data.items")[0] == [{"a": "1"}]
    assert read('{"a": 1}')[0] == [{"a": "1"}]
    with pytest.raises(
        TableError,
        match=r"^records_at: 'data.rows' is not in the document, there are items; correct read.records_at$",
    ):
        read(document, records_at="data.rows")
    with pytest.raises(TableError, match=r"^holds 1, which is no list of records; name the list as read.records_at$"):
        read(document, records_at="meta.page")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_document_may_be_in_any_unicode(encoding: str) -> None:
    """Marks and NULs tell UTF-16 and UTF-32; another encoding may be declared."""
    declared = {"encoding": "utf-32"} if encoding == "utf-32" else {}

    assert read('[{"a": "é"}]'.encode(encoding), **declared)[0] == [{"a": "é"}]
    assert read('[{"a": "é"}]'.encode("cp1252"), encoding="cp1252")[0] == [{"a": "é"}]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", r"line 1 column 1 \(char 0\)"),
        (b'[{"a": 1},\n{"a": ', r"line 2 column 7 \(char 17\)"),
        (b'[{"a": "\xff"}]', "byte 0xff in position 8"),
        (b'{"a": 1}\n{"a": 2}', r"Extra data: line 2 column 1 \(char 9\)"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_document_is_one_sentence(document: bytes, said: str) -> None:
    """What is no JSON says where, and what else it may be."""
    with pytest.raises(
        TableError, match=rf"is not a JSON document \(.*{said}.*\); mend it, or declare read.format: jsonl"
    ):
        read(document)


def test_deep_nesting_ends_no_run() -> None:
    """However deep, a document is read, is a misfit or is refused."""
    for depth in (*range(100, 2_000, 50), *range(895, 905), *range(970, 1010)):
        for record in ('{"a":' * depth + "1" + "}" * depth, '{"a":' + "[" * depth + "]" * depth + "}"):
            try:
                rows, misfits = read(f"[{record}]")
            except TableError:
                continue
            assert len(rows) + len(misfits) == 1


@pytest.mark.parametrize("depth", [*range(895, 905), *range(970, 1010)])
def test_a_line_nested_about_as_deep_as_can_be_written_is_a_row_or_a_reject(depth: int) -> None:
    """Whichever it is, the lines around it are rows, and no run ends."""
    for deep in ('{"a":' * depth + "1" + "}" * depth, '{"a":' + "[" * depth + "]" * depth + "}"):
        block = JsonBlock(ByteView.of(f'{{"a":1}}\n{deep}\n{{"a":2}}\n'.encode()))

        parsed = parse_lines(block, Schema())

        assert parsed.table.num_rows + len(parsed.misfits) == 3
        assert set(parsed.misfits["reason"].to_pylist()) <= {"nested too deeply"}


def test_many_records_come_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks hold so many records each, numbered through the whole document."""
    monkeypatch.setattr(json_document, "_BLOCK_RECORDS", 3)

    rows, misfits = read(json.dumps([{"a": n} if n % 4 else n for n in range(10)]))

    assert [row["a"] for row in rows] == ["1", "2", "3", "5", "6", "7", "9"]
    assert [line for line, _, _ in misfits] == [1, 5, 9]


@PROPERTY
@given(st.binary())
def test_any_bytes_are_rows_or_one_sentence(data: bytes) -> None:
    """Whatever a file holds, nothing but our own error is raised."""
    with contextlib.suppress(TableError):
        read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@PROPERTY
@given(st.lists(JSON))
def test_any_list_is_as_many_rows_and_misfits(values: list[Any]) -> None:
    """Each element is a row or a misfit, half surrogates among its letters or not."""
    rows, misfits = read(json.dumps(values))

    assert len(rows) + len(misfits) == len(values)
