"""Lines of JSON parsed by pyarrow at once, where it reads them as Python does: the rows that line by line they give."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import MARK
from tasks.convert.formats.json.columns import (
    Exploded,
    JsonColumn,
    JsonColumns,
    flatten_table,
    may_be_empty,
)
from tasks.convert.formats.json.lines import JsonBlock, read_flat
from tasks.convert.formats.json.member_columns import read_members
from tasks.convert.formats.json.names import LinesRead
from tasks.convert.formats.json.rows import is_replaced
from tasks.convert.formats.json.shape import InDoubtError, Known, Shape
from tasks.convert.formats.json.types import ColumnTypes, is_plain
from tasks.convert.schema.blocks import RawBlock, Schema
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.schema.names import MAX_CELLS, refuse_width
from tasks.convert.schema.types import TypeName

SAMPLE_LINES = 100
_TELLING_LINES = 16  # whether rows have few of the names
_MORE_PLACES, _MORE_LINES = 20, 100  # of a block with keys that its first lines have not
_EMPTY = re.compile(rb"\{\s*\}|^\s*null", re.MULTILINE)
_NO_JSON = re.compile(r"JSON parse error: (?!unexpected field|Column\(/.* changed )")


class SparseError(InDoubtError):
    """Rows have few of the names: pyarrow writes a null for each that one has not, ten times as many as there are values."""


@dataclass(frozen=True)
class NamedBlock:
    """The rows of a block, the columns that they were made of, by their names in the source, and which records they are of, where a list is exploded."""

    block: RawBlock
    columns: Mapping[str, JsonColumn]
    exploded: Exploded | None


def read_at_once(block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does, but numbers and times in their types; None where any of them is in doubt.

    Raises:
        TableError: they have too many different columns.

    """
    try:
        return _read_named(block, schema, sample_lines).block
    except SparseError:
        return _read_sparse(block, schema)
    except (InDoubtError, RecursionError):
        return None


def _read_sparse(block: JsonBlock, schema: Schema) -> RawBlock | None:
    with suppress(InDoubtError):
        return read_members(block, schema)
    return read_flat(block, is_plain=partial(is_plain, schema))


def read_named(
    block: JsonBlock, schema: Schema, sample_lines: int = SAMPLE_LINES, shape: Shape | None = None
) -> NamedBlock | None:
    """Return the same with the columns by their names in the source; with a `shape` those of its keys alone, whatever others there are."""
    try:
        return _read_named(block, schema, sample_lines, shape)
    except (InDoubtError, RecursionError):
        return None


def _read_named(block: JsonBlock, schema: Schema, sample_lines: int, shape: Shape | None = None) -> NamedBlock:
    lines = LinesRead(block.explode, keeps_empty=block.keeps_empty, refusals=not block.typed)
    if shape is not None:
        lines.shape, lines.is_known = shape, True
    _refuse_doubtful_bytes(block.window)
    start = 0
    for count in (min(_TELLING_LINES, sample_lines), sample_lines - _TELLING_LINES):
        start = lines.read_first(block.window, count, start)
        if block.typed and block.explode is None and shape is None and lines.are_sparse:
            raise SparseError
    table = _parse(block, schema, lines)
    columns = flatten_table(table, lines.shape, block.explode, keeps_empty=block.keeps_empty)
    return _as_rows(block, schema, columns, _names_met(block, columns, lines, start), table.num_rows)


def _refuse_doubtful_bytes(window: ByteView) -> None:
    if window.to_place(len(MARK)).data == MARK:
        raise InDoubtError
    if not window.is_ascii:
        try:
            str(window.view, "utf-8")
        except UnicodeDecodeError as error:
            raise InDoubtError from error


def _parse(block: JsonBlock, schema: Schema, lines: LinesRead) -> pa.Table:
    """Return the records of a block as pyarrow reads them, of the shape that the lines have which were read."""
    hints = {**(schema.guess or {}), **(schema.types or {})}

    def known(name: str) -> TypeName | None:
        return hints.get(block.naming.rename([name])[0])

    tried = _arrow_schema(block, lines, known)
    others = "ignore" if lines.is_known else "error"
    table = _read_json(block.window, tried, others)
    if table is None and not lines.is_known:
        lines.read_some(block.window, _MORE_LINES, _MORE_PLACES)
        more = _arrow_schema(block, lines, known)
        table = None if more.equals(tried) else _read_json(block.window, more, others)
    if table is None or _may_be_other_lines(table, block):
        raise InDoubtError
    return table


def _arrow_schema(block: JsonBlock, lines: LinesRead, known: Known) -> pa.Schema:
    names = list(lines.shape.names(explode=block.explode))
    if len(names) > len(set(names)) or not names or len(names) * len(block.window.line_ends) > MAX_CELLS:
        raise InDoubtError
    return pa.schema(list(lines.shape.arrow(known, explode=block.explode)))


def _read_json(window: ByteView, explicit: pa.Schema, others: str) -> pa.Table | None:
    """Return lines in exactly the types that are asked for; None where any value is another, or a key and `others` are an "error".

    Raises:
        InDoubtError: a line is no JSON, which no types change.

    """
    options = {"explicit_schema": explicit, "unexpected_field_behavior": others}
    try:
        return pa_json.read_json(
            pa.BufferReader(window.to_arrow()),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(window) + 1),
            parse_options=pa_json.ParseOptions(**options),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError) as error:
        if _NO_JSON.match(str(error)):
            raise InDoubtError from error
        return None


def _may_be_other_lines(table: pa.Table, block: JsonBlock) -> bool:
    """Return whether a line may be none or several objects, part of one, or one without keys."""
    window = block.window
    if not block.has_object_in_each(table.num_rows):
        return True
    if not all(column.null_count for column in table.columns):
        return False
    empty = pc.is_null(table.column(0))
    for column in table.columns[1:]:
        empty = pc.and_(empty, pc.is_null(column))
    return bool(pc.any(empty).as_py()) and _EMPTY.search(window.view) is not None


def _names_met(block: JsonBlock, columns: JsonColumns, lines: LinesRead, start: int) -> list[str]:
    """Return the names of the columns in the order of the lines: of those that were read, and of what turns up later."""
    window = block.window
    for column in columns.leaves:
        lines.seek(window, column.place, start)
    for column in columns.objects:
        nothing = column.values.null_count or may_be_empty(column, window)
        if nothing and column.place.name == block.explode:
            if may_be_empty(column, window):
                raise InDoubtError
        elif nothing:
            lines.seek(window, column.place, start, only_nothing=True)
    return lines.names()


def _as_rows(block: JsonBlock, schema: Schema, columns: JsonColumns, names: Sequence[str], records: int) -> NamedBlock:
    """Return the columns that have these names as rows."""
    found = {column.place.name: column for column in (*columns.objects, *columns.leaves)}
    unmet = found.keys() - names
    if any(column.rows.null_count < len(column.rows) for column in columns.leaves if column.place.name in unmet):
        raise InDoubtError
    names = [name for name in names if name in found and not _is_replaced(name, names, found, block)]
    exploded = columns.exploded
    rows = records if exploded is None else len(exploded.records)
    refuse_width(len(names), rows)
    renamed = block.naming.rename(names)
    types = ColumnTypes(block, schema, all_records=exploded is None or not exploded.empty)
    read = [types.read(found[name], new) for name, new in zip(names, renamed, strict=True)]
    table = pa.table([pa.chunked_array([values]) for values, _ in read], renamed)
    raw = RawBlock(
        table,
        rows,
        NO_MISFITS,
        _locator(block, exploded),
        dict(zip(renamed, (kind for _, kind in read), strict=True)),
        records,
        empty=0 if exploded is None else exploded.empty,
        lines=_lines(block, exploded, records) if schema.lines else None,
    )
    return NamedBlock(raw, {name: found[name] for name in names}, exploded)


def _is_replaced(name: str, names: Sequence[str], found: Mapping[str, JsonColumn], block: JsonBlock) -> bool:
    """Return whether a column is that of the list whose elements all have columns of their own."""
    if name != block.explode or not is_replaced(name, names):
        return False
    return found[name].shape.is_object or found[name].rows.null_count == len(found[name].rows)


def _locator(block: JsonBlock, exploded: Exploded | None) -> Callable[[np.ndarray], pa.Table]:
    def locate(rows: np.ndarray) -> pa.Table:
        return block.locate(rows if exploded is None else exploded.records.to_numpy()[rows])

    return locate


def _lines(block: JsonBlock, exploded: Exploded | None, records: int) -> Sequence[int]:
    """Return the line of each row; each line that is not blank is a record."""
    lines: Sequence[int] = range(block.first_line, block.first_line + records)
    if block.window.lines != records:
        lines = block.numbers.tolist()
    return lines if exploded is None else [lines[record] for record in exploded.records.to_pylist()]
