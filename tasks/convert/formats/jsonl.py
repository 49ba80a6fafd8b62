"""A block of JSON lines as typed columns: by pyarrow at once where it is as expected, else line by line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.format import ByteBlock, Cut, Place, StreamedFormat
from tasks.convert.formats.json_rows import (
    NoRow,
    NotARowError,
    NullsOf,
    Row,
    columns_of,
    nothing_declared,
    rows_of_line,
)
from tasks.convert.schema.blocks import RawBlock, Record, Rejection, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.names import Naming
from tasks.convert.schema.target import TableTarget
from tasks.convert.schema.types import ARROW_TYPES, SURE_IN_FLOAT, Types
from tasks.convert.schema.values import is_narrowest, narrow_type

_SAMPLE_LINES = 200
_AS_THEY_ARE = frozenset({"bool", "int", "long", "float", "string"})


@dataclass(frozen=True)
class JsonBlock:
    """Whole lines of JSON, in UTF-8, and the number of the first.

    With `typed` a value has the type it has in JSON (a text may still be a date
    or a timestamp); without it every value is a text of unknown type, and a line
    may itself tell why it is no row, as pages give them. Each element of the list
    in the column `explode` is a row of its own; a record that has none is a row
    only with `keeps_empty`.
    """

    window: ByteView
    first_line: int = 1
    first_byte: int | None = 0
    typed: bool = True
    explode: str | None = None
    keeps_empty: bool = False
    naming: Naming = field(default_factory=Naming)
    nulls_of: NullsOf = nothing_declared


class Jsonl(StreamedFormat):
    """A JSON object in each line."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def __init__(self, target: TableTarget) -> None:
        super().__init__(target)
        self._cut_off = ""

    def block(self, cut: Cut, place: Place) -> ByteBlock:
        """Return lines as a block."""
        target, window = self.target, cut.text
        options = target.typed, target.explode, target.keeps_empty, target.naming, target.nulls_of
        return ByteBlock(window, partial(parse_lines, JsonBlock(window, place.line, place.byte, *options)))

    def end(self, cut: Cut, place: Place) -> Sequence[ByteBlock | RawBlock]:
        """Return the last block; a file that is cut off ends within a line."""
        if not self.target.landed:
            self._cut_off = warn_of_cut_off(cut.text)
        return super().end(cut, place)

    @property
    def warnings(self) -> Sequence[str]:
        """Return a sentence where the file is cut off, else an empty one."""
        return (self._cut_off,)


def parse_lines(block: JsonBlock, schema: Schema) -> TypedBlock:
    """Return the rows of a block, typed, and the lines that do not fit."""
    if block.typed and block.explode is None and not schema.columns and not schema.frozen and block.naming == Naming():
        tried = schema.types or schema.guess or _sample_types(block)
        parsed = _parse_at_once(block, schema, tried) if tried else None
        if parsed is not None:
            return parsed
    return cast_block(read_lines(block), schema)


def warn_of_cut_off(window: ByteView) -> str:
    """Return a sentence where the last line of a file has no end, and is no JSON: nothing if it is whole."""
    last = window.from_place(window.rfind(b"\n") + 1).data
    if not last.strip():
        return ""
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        return "is cut off within its last line, and what follows is in no row; fetch the file again"
    return ""


def read_lines(block: JsonBlock) -> RawBlock:
    """Return the rows of every line as texts; a line that is no object is a misfit."""
    rows: list[Row] = []
    records: list[Record] = []
    misfits: list[Rejection] = []
    more: dict[str, None] = {}
    lines, end, empty = 0, 0, 0
    for number, line in enumerate(block.window.data.split(b"\n"), start=block.first_line):
        start, end = end, end + len(line) + 1
        if not line.strip():
            continue
        place = None if block.first_byte is None else block.first_byte + start
        record = Record(number, line.rstrip(b"\r").decode("utf-8", "backslashreplace"), place)
        lines += 1
        found = rows_of_line(line, explode=block.explode, keeps_empty=block.keeps_empty, refusals=not block.typed)
        if isinstance(found, NotARowError):
            misfits.append(Rejection(record, found.column, found.reason))
        elif isinstance(found, NoRow):
            empty += 1
            more |= dict.fromkeys(found.names)
        else:
            rows += found
            records += [record] * len(found)
    table, types = columns_of(rows, block.explode, typed=block.typed, nulls_of=block.nulls_of, more=more)
    names = block.naming.rename(table.column_names)
    types = dict(zip(names, types.values(), strict=True)) if types is not None else None
    table = table.rename_columns(names)

    def locate(indices: Sequence[int]) -> Sequence[Record]:
        return [records[index] for index in indices]

    return RawBlock(table, len(rows) + len(misfits), misfits, locate, types, lines, empty=empty)


def _parse_at_once(block: JsonBlock, schema: Schema, tried: Types) -> TypedBlock | None:
    """Return the block in the types that are tried; None where any value, or the number of lines, is not as expected."""
    names = list(tried)
    if not block.window.is_ascii and not _is_utf8(block.window.data):
        return None
    explicit = pa.schema(
        [(name, ARROW_TYPES[tried[name]] if tried[name] in _AS_THEY_ARE else pa.string()) for name in names]
    )
    options = {"explicit_schema": explicit, "unexpected_field_behavior": "error"}
    try:
        read = pa_json.read_json(
            pa.BufferReader(block.window.to_arrow()),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(block.window) + 1),
            parse_options=pa_json.ParseOptions(**options),
        )
        table = pa.table({n: read[n] if tried[n] == "null" else pc.cast(read[n], ARROW_TYPES[tried[n]]) for n in names})
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
        return None
    lines = block.window.lines
    if table.num_rows != lines and (schema.lines or table.num_rows != _count_filled(block.window.data)):
        return None
    known = [name for name in names if tried[name] != "null"]
    narrowest = schema.types is not None or all(is_narrowest(tried[name], table[name]) for name in known)
    new = any(table[name].null_count < table.num_rows for name in names if name not in known)
    if _is_in_doubt(table, tried) or not narrowest or new:
        return None
    own = {name: narrow_type(tried[name], table[name]) for name in names}
    own = {n: t for n, t in own.items() if t != "null" or json.dumps(n, ensure_ascii=False).encode() in block.window}
    numbers = range(block.first_line, block.first_line + table.num_rows) if schema.lines else None
    return TypedBlock(table, own, table.num_rows, (), table.num_rows, numbers)


def _count_filled(data: bytes) -> int:
    return sum(1 for line in data.split(b"\n") if line.strip())


def _is_in_doubt(table: pa.Table, types: Types) -> bool:
    """Return whether a line may be an object without keys, or a float a whole number that it cannot hold."""
    if table.num_rows and table.num_columns and all(column.null_count for column in table.columns):
        empty = pc.is_null(table.column(0))
        for column in table.columns[1:]:
            empty = pc.and_(empty, pc.is_null(column))
        if pc.any(empty).as_py():
            return True
    floats = [table[name] for name in table.column_names if types[name] == "float"]
    return any((pc.max(pc.abs(column)).as_py() or 0) >= SURE_IN_FLOAT for column in floats)


def _sample_types(block: JsonBlock) -> Types | None:
    """Return the types of the block's first lines."""
    end = 0
    for _ in range(_SAMPLE_LINES):
        end = block.window.find(b"\n", end) + 1
        if not end:
            return None  # so few lines need no haste
    texts = read_lines(JsonBlock(block.window.to_place(end)))
    return None if texts.misfits or not texts.types else texts.types


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
