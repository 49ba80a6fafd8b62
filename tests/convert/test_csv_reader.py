"""CSV parsed into texts, every record accounted for."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import read_head
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.reader import read_texts
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY, misfits_of


def parse_csv(data: bytes, delimiter: str = ",") -> RawBlock:
    """Return the records of a file as texts."""
    head = read_head(ByteView.of(data), Reading(delimiter=delimiter, header=True, decimal="."), ".csv", list)
    if not head.names:
        return RawBlock(pa.table({}), 0, NO_MISFITS, lambda _: NO_MISFITS)
    return read_texts(CsvBlock(ByteView.of(data[head.size :]), head, head.lines + 1, head.size))


TWO_OF_ONE = "1 field, the header has 2"
FRAGMENTS = st.sampled_from([b"a", b"b", b",", b'"', b"\n", b"\r", b"\r\n", b" ", b"\\", b"\0", b"\xff", "é".encode()])


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (b"a,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
        (b"a,b\n1,2", {"a": ["1"], "b": ["2"]}),
        (b'a,b\n"1,1","2""2"\n', {"a": ["1,1"], "b": ['2"2']}),
        (b'a,b\n"x\ny\n",2\n', {"a": ["x\ny\n"], "b": ["2"]}),
        (b'a,b\n"x\r\ny",2\r\n3,4\r\n', {"a": ["x\r\ny", "3"], "b": ["2", "4"]}),
        (b'a,b\n1,x"y"\n"3"z, "4"\n', {"a": ["1", "3z"], "b": ['x"y"', ' "4"']}),
        (b"a,b\n\n1,2\n\n\n3,4\n\n", {"a": ["1", "3"], "b": ["2", "4"]}),
        (b"\n\r\na,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
        (b"a,b\r\n1,2\r\n3,4\r\n", {"a": ["1", "3"], "b": ["2", "4"]}),
        (b"a,b\r1,2\r3,4\r", {"a": ["1", "3"], "b": ["2", "4"]}),
        (b'"a\nb",c\n1,2\n', {"a\nb": ["1"], "c": ["2"]}),
        (b"a,b\n,\n", {"a": [None], "b": [None]}),
        (b'a\n""\n\nNA\n', {"a": [None, "NA"]}),
        (b"a,b\n1\x00,\x00\n", {"a": ["1\x00"], "b": ["\x00"]}),
        ("a,b\n1\u2028,2\x85\x0b\x0c\n".encode(), {"a": ["1\u2028"], "b": ["2\x85\x0b\x0c"]}),
        ("é,b\nü,☃\n".encode(), {"é": ["ü"], "b": ["☃"]}),
        (b"", {}),
        (b"\n\r\n", {}),
        (b"a,b", {"a": [], "b": []}),
        (b"a,b\r\n\r\n", {"a": [], "b": []}),
        (b"a,a,,a_2,a\n1,2,3,4,5\n", {"a": ["1"], "a_2": ["2"], "column_3": ["3"], "a_2_4": ["4"], "a_5": ["5"]}),
        (b"a,a_3,a, b \n1,2,3,4\n", {"a": ["1"], "a_3": ["2"], "a_3_3": ["3"], "b": ["4"]}),
        (b'""\n1\n', {"column_1": ["1"]}),
    ],
)
def test_every_record_is_a_row_of_texts(data: bytes, columns: dict[str, list[str | None]]) -> None:
    """Quotes, line ends, empty lines and names of columns are read as spreadsheets write them."""
    parsed = parse_csv(data)

    assert parsed.table.to_pydict() == columns
    assert (parsed.received, len(parsed.misfits)) == (parsed.table.num_rows, 0)


@pytest.mark.parametrize(
    ("data", "rows", "misfits"),
    [
        (b"a,b\n1,2\n3\n4,5,6\n7,8\n", [1, 7], [(3, "3", TWO_OF_ONE), (4, "4,5,6", "3 fields, the header has 2")]),
        (b"a,b\r\n1,2\r\n\r\n3\r\n7,8", [1, 7], [(4, "3", TWO_OF_ONE)]),
        (b"a,b\r1,2\r3\r7,8\r", [1, 7], [(3, "3", TWO_OF_ONE)]),
        (b"\n\na,b\n1,2\n3\n7,8\n", [1, 7], [(5, "3", TWO_OF_ONE)]),
        (b'"a\nx",b\n1,2\n3\n7,8\n', [1, 7], [(4, "3", TWO_OF_ONE)]),
        (
            b'a,b\n1,"2\n2"\n3\n\n"4\n\n",5,6\n7,8\n',
            [1, 7],
            [(4, "3", TWO_OF_ONE), (6, '"4\n\n",5,6', "3 fields, the header has 2")],
        ),
        (b"a,b\n \n7,8\n", [7], [(2, " ", TWO_OF_ONE)]),
        (b"a,b\n1,2\nx\xff,3\n7,8\n", [1, 7], [(3, r"x\xff,3", "not in the file's encoding")]),
        (
            b'a,b\n"1\n\xff",2\n\n3\n7,8\n',
            [7],
            [(2, '"1\n\\xff",2', "not in the file's encoding"), (5, "3", TWO_OF_ONE)],
        ),
        (b"a,b\r\n\xe9\r\n7,8\r\n", [7], [(2, r"\xe9", "not in the file's encoding")]),
    ],
)
def test_a_record_unlike_the_header_is_a_misfit(
    data: bytes, rows: list[int], misfits: list[tuple[int, str, str]]
) -> None:
    """A record with too few or too many fields, or not in UTF-8, is told with its first line and raw text."""
    parsed = parse_csv(data)

    assert [int(text) for text in parsed.table.column(0).to_pylist()] == rows
    assert misfits_of(parsed.misfits) == misfits
    assert parsed.received == len(rows) + len(misfits)


def test_rows_are_located_by_line_and_raw_text() -> None:
    """The records of rows are found after ragged ones, quoted line ends and empty lines."""
    parsed = parse_csv(b'a,b\n1,"2\n2"\n3\n\n4,5\r\n"x",y\n')

    records = parsed.locate(np.array([2, 0, 1]))

    assert list(zip(*(records[name].to_pylist() for name in ("line", "raw")), strict=True)) == [
        (7, '"x",y'),
        (2, '1,"2\n2"'),
        (6, "4,5"),
    ]


def test_tabs_delimit_where_asked() -> None:
    """With a tab as delimiter a comma is text."""
    parsed = parse_csv(b"a\tb\n1,5\t2\n3\n", "\t")

    assert parsed.table.to_pylist() == [{"a": "1,5", "b": "2"}]
    assert misfits_of(parsed.misfits) == [(3, "3", TWO_OF_ONE)]


@pytest.mark.parametrize(
    ("data", "rows", "lines"),
    [
        (b'a,b\n1,2\n"3,4\n5,6\n', ["1", "5"], [3]),
        (b'a,b\n1,"2\n3,4\n', ["3"], [2]),
        (b'a,b\n1,2\n3,"', ["1"], [3]),
        (b'a\n"""\n', [], [2]),
        (b'a,b\n"1,2\n3,4\n"5,6\n7,8\n', ["3", "7"], [2, 4]),
    ],
)
def test_a_line_whose_quote_is_never_closed_is_a_misfit(data: bytes, rows: list[str], lines: list[int]) -> None:
    """What follows such a line is read on; a later quote closes it only where its field ends there."""
    parsed = parse_csv(data)

    assert parsed.table.column(0).to_pylist() == rows
    assert [line for line, _, reason in misfits_of(parsed.misfits) if reason == "a quote is not closed"] == lines
    assert parsed.received == len(rows) + len(parsed.misfits)


@pytest.mark.parametrize("data", [b'a,"b\n1,2\n', b'\n"'])
def test_a_header_whose_quote_is_not_closed_is_refused(data: bytes) -> None:
    """The columns cannot be known."""
    with pytest.raises(TableError, match="the quote of its header is not closed; mend the header"):
        parse_csv(data)


@pytest.mark.parametrize("data", [b"caf\xe9,b\n1,2\n", b"\n\xff\xfea\x00,\x00b\x00\n"])
def test_a_header_that_is_not_utf_8_is_refused(data: bytes) -> None:
    """The first row is not taken for the header where the header cannot be read."""
    with pytest.raises(TableError) as caught:
        parse_csv(data)

    assert str(caught.value) == "its header is not UTF-8; save the file as UTF-8, or declare read.encoding"


@pytest.mark.parametrize("field", ["x" * 3_000_000, '"' + "x,\n" * 1_000_000 + '"'])
def test_a_field_may_be_long(field: str) -> None:
    """A field of millions of characters is one text."""
    parsed = parse_csv(f"a,b\n{field},2\n3\n".encode())

    assert parsed.table.to_pydict() == {"a": [field.strip('"')], "b": ["2"]}
    assert parsed.misfits["raw"].to_pylist() == ["3"]


@PROPERTY
@given(st.lists(FRAGMENTS, max_size=25), st.booleans())
def test_any_bytes_are_accounted_for(fragments: list[bytes], headed: bool) -> None:
    """Whatever the bytes, every record is a row or a misfit, and its raw text holds its fields; or one error is raised."""
    data = b"a,b\n" * headed + b"".join(fragments)

    try:
        parsed = parse_csv(data)
    except TableError:
        return

    rows = [list(row.values()) for row in parsed.table.to_pylist()]
    assert parsed.received == len(rows) + len(parsed.misfits)
    raws = parsed.locate(np.arange(len(rows)))["raw"].to_pylist()
    read_again = [next(csv.reader(io.StringIO(raw, newline=""))) for raw in raws]
    assert [[text or None for text in fields] for fields in read_again] == rows
