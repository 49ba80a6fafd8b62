"""JSON lines parsed into texts, with the types that JSON gives."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.schema.types import TypeName
from tests.convert.conftest import misfits_of


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"x", "not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"a": 1} {"a": 2}', "not JSON: Extra data: line 1 column 10 (char 9)"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"a"', "not a JSON object"),
        (b"{}", "an object without keys"),
        (rb'{"a": "\ud800"}', "half of a surrogate pair is not a text"),
        (rb'{"\uDFFF": 1}', "half of a surrogate pair is not a text"),
        (b'{"a": {"b": 1}, "a.b": 2}', "two values for one column, by a nested key and by one with a dot"),
    ],
)
def test_a_line_that_is_no_object_is_a_misfit(line: bytes, reason: str) -> None:
    """A line that cannot be a row is told with its number, its text and why; the others are rows."""
    parsed = read_lines(JsonBlock(ByteView.of(b'{"a": 1}\n\n' + line + b'\n{"a": 2}')))

    assert parsed.table.to_pylist() == [{"a": "1"}, {"a": "2"}]
    assert misfits_of(parsed.misfits) == [(3, line.decode(), reason)]
    assert parsed.received == 3
    assert parsed.locate(np.array([1, 0]))["line"].to_pylist() == [4, 1]


def test_bytes_that_are_not_utf_8_are_a_misfit() -> None:
    """Bytes that are no text are shown as escapes."""
    parsed = read_lines(JsonBlock(ByteView.of(b'{"a": "\xff"}\n{"a": "\\\xff"}\n')))

    assert misfits_of(parsed.misfits) == [(1, r'{"a": "\xff"}', "not UTF-8"), (2, r'{"a": "\\xff"}', "not UTF-8")]


@pytest.mark.parametrize(("depth", "opening", "closing"), [(100_000, b'{"a":', b"}"), (100_000, b"[", b"]")])
def test_a_line_nested_too_deeply_is_a_misfit(depth: int, opening: bytes, closing: bytes) -> None:
    """A line that would exhaust the stack is a misfit like any other."""
    parsed = read_lines(JsonBlock(ByteView.of(b'{"b": ' + opening * depth + b"1" + closing * depth + b"}")))

    assert parsed.misfits["reason"].to_pylist() == ["nested too deeply"]


def test_nested_objects_are_columns_and_lists_are_json() -> None:
    """The key of a nested object's value is its path; lists and empty objects are kept as JSON text."""
    parsed = read_lines(
        JsonBlock(
            ByteView.of(b'{"a": {"b": {"c": 1}, "d": null}, "e": [1, {"f": "\xc3\xa9"}], "g": {}}\r\n{"e": "x"}\n')
        )
    )

    assert parsed.table.to_pylist() == [
        {"a.b.c": "1", "a.d": None, "e": '[1, {"f": "é"}]', "g": "{}"},
        {"a.b.c": None, "a.d": None, "e": "x", "g": None},
    ]
    assert parsed.types == {"a.b.c": "int", "a.d": "null", "e": "string", "g": "string"}


@pytest.mark.parametrize(
    ("values", "texts", "type_name"),
    [
        ("1 -2 null", ["1", "-2", None], "int"),
        ("9223372036854775807 1", ["9223372036854775807", "1"], "int"),
        ("9223372036854775808 1", ["9223372036854775808", "1"], "string"),
        ("1 1.5 1e3", ["1", "1.5", "1000.0"], "float"),
        ("true false", ["true", "false"], "bool"),
        ("true 1", ["true", "1"], "string"),
        ('1 "1"', ["1", "1"], "string"),
        ('"1" "2"', ["1", "2"], "string"),
        ('"true" ""', ["true", ""], "string"),
        ("null null", [None, None], "null"),
        ('"2013-01-01" null', ["2013-01-01", None], "date"),
        ('"2013-01-01T05:00:00" "2013-01-01"', ["2013-01-01T05:00:00", "2013-01-01"], "timestamp"),
        ('"2013-01-01T05:00:00Z"', ["2013-01-01T05:00:00Z"], "timestamp_utc"),
        ('"2013-01-01T05:00:00Z" 5', ["2013-01-01T05:00:00Z", "5"], "string"),
        ('{"b":1} 5', [None, "5"], "int"),
    ],
)
def test_values_have_the_type_they_have_in_json(values: str, texts: list[str | None], type_name: TypeName) -> None:
    """Numbers and truth values are typed by JSON; texts are times or texts, however they look."""
    parsed = read_lines(JsonBlock(ByteView.of("\n".join(f'{{"a": {value}}}' for value in values.split(" ")).encode())))

    assert parsed.table["a"].to_pylist() == texts
    assert parsed.types is not None
    assert parsed.types["a"] == type_name


def test_without_types_values_are_texts_of_unknown_type() -> None:
    """What pages give is typed later, by its texts."""
    parsed = read_lines(JsonBlock(ByteView.of(b'{"a": "1", "b": true}'), typed=False))

    assert parsed.table.to_pylist() == [{"a": "1", "b": "true"}]
    assert parsed.types is None
