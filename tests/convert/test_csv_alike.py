"""Records of CSV that pyarrow tells apart give what Python's reader gives: texts, rejects, their lines and what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.at_once import read_texts_at_once
from tasks.convert.formats.csv.format import cut_records
from tasks.convert.formats.csv.header import read_head
from tasks.convert.formats.csv.parse import CsvBlock, parse_typed
from tasks.convert.formats.csv.reader import parse_csv, read_texts
from tasks.convert.formats.csv.second import warn_elsewhere
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.misfits import sort_misfits
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY

_FIELDS = ("1", "02", "x", "", " ", "é", "a b", "id", "name", "NA", "-1.50", '""', '"x"', '"a ""b"""', '"1,2"', '""""')
_ODD = (
    '"',
    'a"b',
    '"a"b',
    '"a" ',
    ' "a"',
    '"a\nb"',
    "\r",
    "a\rb",
    '"a""',
    '"a\\"b"',
    "a\\",
    '"a\n\n#b"',
    "\udcff",
    '"\udce9"',
    "\0",
    "\x0b",
    "\u2028",
)
_STRAY = ("1", "x", "", "id", 'a"b', 'a""', ' "a"', 'é"', "02")
_LINES = (
    "",
    "",
    " ",
    ",",
    ",,",
    '""',
    "id,name",
    "id,name,v",
    "\udcff",
    "1",
    '"',
    "# x",
    '#"',
    "x,y",
    '"",""',
    "\r",
    '"id","name"',
)


def block_of(text: str, **reading: Any) -> CsvBlock:
    """Return the records of a file below its header, or all where it has none."""
    window, declared = ByteView.of(text.encode("utf-8", "surrogateescape")), {"delimiter": ",", "quote": '"', **reading}
    head = read_head(window, Reading(**declared), ".csv", list)
    cut = cut_records(window.from_place(head.size), head, Reading(**declared), final=True)
    return CsvBlock(cut.plain, head, head.lines + 1, head.size, None if cut.is_plain else cut.text)


def told(block: RawBlock) -> dict[str, Any]:
    """Return all that a block tells, to be compared."""
    return {
        "columns": block.table.to_pydict(),
        "received": block.received,
        "misfits": block.misfits.to_pylist(),
        "located": block.locate(np.arange(block.table.num_rows)).to_pylist(),
        "warnings": list(block.warnings),
    }


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw a file of mostly plain records."""
    width = draw(st.integers(1, 3))
    some = draw(st.sampled_from([_FIELDS, _FIELDS, (*_FIELDS, *_ODD), _STRAY]))
    record = st.lists(st.sampled_from(some), min_size=width, max_size=width).map(",".join)
    lines = draw(st.lists(record, min_size=1, max_size=12))
    for line in draw(st.just([]) | st.lists(st.sampled_from(_LINES), max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return end.join([",".join(("id", "name", "v")[:width]), *lines]) + draw(st.sampled_from([end, ""]))


@PROPERTY
@given(texts(), st.booleans())
def test_records_told_apart_at_once_are_those_of_the_reader(text: str, has_header: bool) -> None:
    """Whatever fields and lines hold, both ways give the same, unless the fast one leaves it to the other."""
    try:
        block = block_of(text, header=has_header)
    except TableError:
        assume(False)
    at_once = read_texts_at_once(block)
    event("by the reader" if at_once is None else "at once")

    assert at_once is None or told(at_once) == told(read_texts(block))


@pytest.mark.parametrize(
    "odd",
    [
        "1",
        "1,2,3",
        "007,x",
        "id,name",
        '"id","name"',
        '5,"a ""b"" c"',
        '"5, or 6",x',
        "5,\udcff",
        "\udcff",
        ",x",
    ],
)
def test_a_record_that_is_unlike_the_others_need_not_have_all_read_one_by_one(odd: str) -> None:
    """One of too few fields, of padded numbers, the header once more, quoted or not in the encoding leaves the others fast."""
    lines = [f"{n},name {n}" for n in range(60)]
    for place in (0, 30, 60):
        block = block_of("\n".join(["id,name", *lines[:place], odd, *lines[place:]]) + "\n", header=True)

        at_once = read_texts_at_once(block)

        assert at_once is not None
        assert told(at_once) == told(read_texts(block))


def rows_of(block: TypedBlock) -> dict[str, Any]:
    """Return all that a typed block tells, to be compared."""
    return {
        "rows": block.table.to_pylist(),
        "types": {name: str(kind) for name, kind in block.types.items()},
        "received": block.received,
        "misfits": sort_misfits(block.misfits).to_pylist(),
        "lines": None if block.lines is None else list(block.lines),
        "warnings": list(block.warnings),
    }


@PROPERTY
@given(texts(), st.booleans(), st.booleans(), st.sampled_from([{}, {}, {"comment": "#"}, {"escape": "\\"}]))
def test_rows_of_a_block_are_those_of_the_reader(
    text: str, has_header: bool, has_lines: bool, read: dict[str, str]
) -> None:
    """Whichever way is taken: values, types, rejects, the lines that rows came from, and what is told."""
    try:
        block = block_of(text, header=has_header, **read)
    except TableError:
        assume(False)
    schema = Schema(lines=has_lines)
    assume(block.head.names)

    assert rows_of(parse_csv(block, schema)) == rows_of(cast_block(read_texts(block), schema))


@pytest.mark.parametrize(
    "lines",
    [
        [*["5,2024-05-06"] * 4, "7,0001-01-01"],
        [*["5,x"] * 4, "\t007,x"],
        ["\ufeff1,x", "2,y", "3,z"],
        ["5,nan(ind)", *["6,1.5"] * 40],
        ["5,-nan(ind)", *["6,1.5"] * 40],
        [*["5,1.5"] * 40, "6,+nan"],
    ],
)
def test_a_value_that_pyarrow_reads_in_its_own_way_is_that_of_the_reader(lines: list[str]) -> None:
    """A date or number padded, a mark of the encoding within, and other ways to write what is no number."""
    block = block_of("\n".join(["id,name", *lines]) + "\n", header=True)

    # As texts, for nan is unlike itself.
    assert repr(rows_of(parse_csv(block, Schema()))) == repr(rows_of(cast_block(read_texts(block), Schema())))
    at_once = read_texts_at_once(block)
    assert at_once is None or told(at_once) == told(read_texts(block))


@pytest.mark.parametrize(
    "lines",
    [
        ["007,2024-05-06", "8,2024-05-06"],
        [" 007,2024-05-06", "8,2024-05-06"],
        ["\t007,2024-05-06", "8,2024-05-06"],
        ["+7,2024-05-06", "8,2024-05-06"],
        ["8,2024-05-06", "\t007,2024-05-06"],
        ["8,2024-05-06", "7,0001-01-01"],
        ["\ufeff8,2024-05-06", "7,2024-05-06"],
    ],
)
def test_a_padded_value_in_a_block_of_expected_types_is_what_the_reader_takes_it_for(lines: list[str]) -> None:
    """Wherever it stands, at the first byte too: what the blocks before it were guessed to be does not make it a number."""
    block = block_of("\n".join(["id,name", *lines]) + "\n", header=True)

    parsed, read = (
        parse_typed(block, Schema(guess={"id": "int", "name": "date"}), warn_elsewhere),
        cast_block(read_texts(block), Schema()),
    )
    assert parsed is None or (parsed.types, rows_of(parsed)) == (read.types, rows_of(read))
