"""A block of CSV as texts, every record that is not like the header a misfit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.parse import CsvBlock, read_block
from tasks.convert.formats.csv.records import UNDECODABLE, Records, is_utf8
from tasks.convert.formats.header import REPEATED, find_repeats, find_second, warn_of_repeats, warn_of_second_header
from tasks.convert.schema.blocks import RawBlock, Record, Rejection
from tasks.convert.schema.types import TypeName, Types, are_null_texts, infer_type, take_out

_POINT_NUMBER = r"^\s*[+-]?\d*\.\d+\s*$"
_COMMA_NUMBER = r"^\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*$"


def read_texts(block: CsvBlock, columns: Mapping[str, Column] | None = None) -> RawBlock:
    """Return every record of a block as texts; one that is not like the header is a misfit.

    What is declared of `columns` to mean null is none of the values that tell a column of numbers.
    """
    block, undecodable = _drop_undecodable(block)
    records = block.records
    names = block.head.names
    ragged: dict[int, str] = {}
    try:
        table = read_block(block, dict.fromkeys(names, pa.string()), ragged)
        whole = table.num_rows + len(ragged) == len(records.spans) and not records.broken
    except (pa.ArrowInvalid, OverflowError):
        whole = False
    if not whole:
        table, ragged = _table_of(records, names)
    kept = [index for index in range(len(records.spans)) if index not in ragged]
    if repeats := find_repeats(block.head.fields, [records.spans[index].fields for index in kept]):
        table = table.take(pa.array([row for row in range(table.num_rows) if row not in repeats], pa.int64()))
        ragged |= {kept[row]: REPEATED for row in repeats}
        kept = [index for index in kept if index not in ragged]

    def locate(rows: Sequence[int]) -> Sequence[Record]:
        return records.locate([kept[row] for row in rows])

    misfits = [
        Rejection(record, None, reason)
        for record, reason in zip(records.locate(list(ragged)), ragged.values(), strict=True)
    ]
    misfits = [*undecodable, *records.broken, *misfits]
    plain, types = read_decimals(block, table, columns or {})
    received = table.num_rows + len(misfits)
    told = warn_of_repeats(sorted(misfit.record.line for misfit in misfits if misfit.reason == REPEATED))
    told += _warn_of_second_header(records, block.head)
    return RawBlock(plain, received, misfits, locate, types, warnings=[*records.warnings, *told])


def _warn_of_second_header(records: Records, head: Head) -> list[str]:
    """Return a sentence on a record that looks like the header of another table, if one does."""
    spans = records.spans
    blank = [not any(span.fields) for span in spans]
    below = {n for n in range(1, len(spans)) if not blank[n] and (blank[n - 1] or spans[n].start > spans[n - 1].end)}
    rows = [span.fields for span in spans]
    place = find_second(rows, {n for n in below if tuple(rows[n]) != head.fields}) if below and head.fields else None
    return [] if place is None else [warn_of_second_header(f"line {records.locate([place])[0].line:,}")]


def read_decimals(block: CsvBlock, texts: pa.Table, columns: Mapping[str, Column]) -> tuple[pa.Table, Types | None]:
    """Return texts without what is declared to mean null, and where the file has decimal commas with points and types.

    A column of a declared type is read as that type is.
    """
    nulls = {name: take_out(texts[name], columns[name].nulls) for name in texts.column_names if name in columns}
    texts = pa.table({name: nulls.get(name, texts[name]) for name in texts.column_names})
    if block.head.dialect.decimal != ",":
        return texts, None
    inferred = [name for name in texts.column_names if name not in columns or columns[name].type is None]
    points = with_decimal_points(block, texts.select(inferred))
    types: dict[str, TypeName] = {n: columns[n].type or "null" for n in texts.column_names if n not in inferred}
    types |= types_of(block, texts.select(inferred), points) or {}
    return pa.table({n: points[n] if n in inferred else texts[n] for n in texts.column_names}), types


def _table_of(records: Records, names: Sequence[str]) -> tuple[pa.Table, dict[int, str]]:
    """Return records as texts by Python's reader alone: slower, but never out of step."""
    ragged = {
        index: f"{len(span.fields)} fields, the header has {len(names)}"
        for index, span in enumerate(records.spans)
        if len(span.fields) != len(names)
    }
    rows = [span.fields for index, span in enumerate(records.spans) if index not in ragged]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table(
        {n: pa.array([v or None for v in c], pa.string()) for n, c in zip(names, columns, strict=True)}
    ), ragged


def _drop_undecodable(block: CsvBlock) -> tuple[CsvBlock, list[Rejection]]:
    """Return the block with the records that cannot be decoded emptied, and these records as misfits."""
    if block.window.data.isascii():
        return block, []
    try:
        block.window.data.decode("utf-8")
    except UnicodeDecodeError:
        records = block.records
    else:
        return block, []
    lines, misfits = list(records.lines), []
    bad = [(s.start, s.end) for s in records.spans if not is_utf8("".join(lines[s.start : s.end]))]
    bad += [(m.record.line - block.first_line,) * 2 for m in records.broken]
    for start, end in bad:
        end = max(end, start + 1)  # noqa: PLW2901 - a broken line is one line
        if is_utf8("".join(lines[start:end])):
            continue
        misfits.append(Rejection(records.record(start, end), None, UNDECODABLE))
        for number in range(start, end):
            lines[number] = "\r" if number and lines[number - 1].endswith("\r") else "\n"  # \r\n would be one end
    data = "".join(lines).encode("utf-8", "surrogateescape")
    return replace(block, window=ByteView.of(data), raw=block.raw or block.window), misfits


def with_decimal_points(block: CsvBlock, texts: pa.Table) -> pa.Table:
    """Return texts with points in the columns of numbers where the file has decimal commas."""
    if block.head.dialect.decimal != ",":
        return texts
    columns = {}
    for name in texts.column_names:
        column = texts[name]
        filled = pc.if_else(are_null_texts(column), None, column)
        numbers = pc.all(pc.match_substring_regex(filled, _COMMA_NUMBER)).as_py()
        columns[name] = pc.replace_substring(column, ",", ".") if numbers else column
    return pa.table(columns)


def types_of(block: CsvBlock, texts: pa.Table, points: pa.Table) -> Types | None:
    """Return the types of a file with decimal commas, in which 1.234 is no number; None for any other file."""
    if block.head.dialect.decimal != ",":
        return None
    pointed = {n: pc.any(pc.match_substring_regex(texts[n], _POINT_NUMBER)).as_py() for n in texts.column_names}
    return {name: "string" if pointed[name] else infer_type(points[name]) for name in texts.column_names}
