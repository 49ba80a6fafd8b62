"""Documents split into records give what they give when they are read as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Column, Reading
from tasks.convert.formats.format import ByteBlock
from tasks.convert.formats.json.document import Json, RecordBlock, read_records, split_records
from tasks.convert.formats.json.table import read_at_once
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.names import Naming
from tasks.convert.schema.target import TableTarget
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY
from tests.convert.test_jsonl_alike import objects, told

_ROWS = 230  # more than are read one by one to learn what the others are like
_ODD = ("5", "null", "[1]", "{}", '"x"', '{"a": {"b": NaN}}', '{"a": 1e400}', r'{"a": "\ud800"}', "{\n}")


def _target(**declared: Any) -> TableTarget:
    return TableTarget("rows", Path("staged"), declared.pop("columns", {}), **declared)


def _by_both(document: str, target: TableTarget, schema: Schema) -> tuple[Any, Any]:
    """Return what a document gives that is split, and that is read as a whole."""
    found: list[list[Any]] = []
    for read in (Json().blocks, _read_whole):
        try:
            blocks = list(read(document.encode(), target))
            typed = (each.parse(schema) if isinstance(each, ByteBlock) else cast_block(each, schema) for each in blocks)
            found.append([_as_values(told(each)) for each in typed])
        except TableError as error:
            found.append([str(error)])
    return found[0], found[1]


def _as_values(block: dict[str, Any]) -> dict[str, Any]:
    """Return what a block tells with the records that are misfits as values: of a document that is split they are told as they stand, else as Python writes them."""
    misfits = [misfit | {"raw": repr(json.loads(misfit["raw"]))} for misfit in block["misfits"]]
    return block | {"misfits": misfits}


def _read_whole(data: bytes, target: TableTarget) -> list[RawBlock]:
    return list(read_records(data, target.reading, target.nulls_of))


@st.composite
def _documents(draw: st.DrawFn) -> str:
    records = draw(st.lists(draw(objects()), min_size=1, max_size=6))
    records = (records * _ROWS)[:_ROWS]
    for odd in draw(st.just([]) | st.lists(st.sampled_from(_ODD), max_size=2)):
        records.insert(draw(st.integers(0, _ROWS)), odd)
    return draw(st.sampled_from(["[{}]", " [\n{}\n]\n", '{{"data": [{}]}}', "[{}", "[{}, 01]"])).format(
        ",\n".join(records)
    )


@PROPERTY
@given(_documents(), st.booleans())
def test_records_of_a_split_document_are_those_of_the_whole(document: str, lines: bool) -> None:
    """Whatever a document holds, its rows, types, rejects, numbers and errors are the same."""
    reading = Reading(records_at="data") if document.startswith("{") else Reading()
    split, whole = _by_both(document, _target(reading=reading), Schema(lines=lines))

    assert split == whole


def test_records_of_a_document_need_not_be_read_one_by_one() -> None:
    """Records as they mostly are, over several lines each, are parsed at once."""
    document = "[" + ",".join(f'{{"id": {n},\n "o": {{"x": [1, {n}]}}, "t": "2013-01-01"}}' for n in range(_ROWS)) + "]"
    records = split_records(document.encode(), None)
    assert records is not None
    block = RecordBlock(document.encode(), None, records, 0, _target())

    assert read_at_once(block.as_lines(), Schema()) is not None
    assert [told(block.parse(Schema()))] == _by_both(document, _target(), Schema())[1]


def test_a_value_that_does_not_fit_is_told_with_its_record() -> None:
    """What is declared refuses a record, which is told by its number and as it stands in the document."""
    records = [f'{{"id": {n}, "Name": "é"}}' for n in range(_ROWS)] + ['{"id":\n 7.5, "Name":"\\u00e9"}']
    target = _target(columns={"id": Column(type="int")}, naming=Naming(clean=True))

    (block,) = Json().blocks(f"[{','.join(records)}]".encode(), target)
    assert isinstance(block, ByteBlock)
    (misfit,) = block.parse(Schema(target.columns)).misfits.to_pylist()

    assert (misfit["line"], misfit["raw"]) == (_ROWS + 1, records[-1])


@pytest.mark.parametrize("document", ["[1, 2", '{"a": 1}', "5", "", '{"data": [1]} x'])
def test_what_cannot_be_split_is_read_as_a_whole(document: str) -> None:
    """A damaged document, or one of one record, is not split."""
    assert split_records(document.encode(), None) is None


def test_records_that_are_large_come_few_together() -> None:
    """What is parsed at once is bounded by its size, so that a document's memory is little more than its text."""
    record = '{"a": "' + "x" * 400_000 + '"}'
    document = f"[{','.join([record] * 40)}]".encode()

    blocks = list(Json().blocks(document, _target()))
    tables = [block.parse(Schema()).table for block in blocks if isinstance(block, ByteBlock)]

    assert [table.num_rows for table in tables] == [10, 10, 10, 10]
