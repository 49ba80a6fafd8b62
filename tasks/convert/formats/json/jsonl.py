"""JSON lines: each an object, or a list whose values have names, read in blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.format import ByteBlock, Cut, Place, StreamedFormat
from tasks.convert.formats.json.apart import read_rows
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.misfits import make_misfits
from tasks.convert.schema.names import is_of_table
from tasks.convert.schema.target import TableTarget
from tasks.core.json_shape import name_lines, read_names


class Jsonl(StreamedFormat):
    """A JSON object in each line."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    keys: ClassVar[frozenset[str]] = frozenset({"encoding", "names"})
    has_lists: ClassVar[bool] = True

    def __init__(self, target: TableTarget) -> None:
        super().__init__(target)
        self._cut_off = ""
        declared = target.reading.names
        self._list_names = None if declared == "first" else declared

    def begin(self, text: ByteView, *, final: bool) -> Place | None:
        """Return where the records begin: behind the first line that is not blank, where it has the names."""
        if self.target.reading.names != "first":
            return super().begin(text, final=final)
        data = text.data
        start = len(data) - len(data.lstrip())
        end = data.find(b"\n", start) + 1 or (len(data) if final else 0)
        if not end and not final:
            return None
        try:
            line = data[start:end]
            self._list_names = tuple(read_names(line)) if line.startswith(b"[") else None
        except (ValueError, RecursionError):  # no JSON, and a reject
            self._list_names = None
        return Place(0, 0) if self._list_names is None else Place(data.count(b"\n", 0, end), end)

    def block(self, cut: Cut, place: Place) -> ByteBlock:
        """Return lines as a block."""
        target, window = self.target, cut.text
        options = target.typed, target.explode, target.keeps_empty, target.naming, target.nulls_of
        lines = JsonBlock(window, place.line, place.byte, *options)
        if self._list_names is None:
            return ByteBlock(window, partial(parse_lines, lines))
        return ByteBlock(window, partial(_parse_named, lines, self._list_names))

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
    return cast_block(_read(block, schema), schema)


def _parse_named(block: JsonBlock, names: Sequence[str], schema: Schema) -> TypedBlock:
    """Return the same of lines that are lists, whose values have these names; they are told of as they stand."""
    window = b"\n".join(name_lines(block.window.data.split(b"\n"), names))
    found = _read(replace(block, window=ByteView.of(window)), schema)

    def tell(records: pa.Table) -> pa.Table:
        return block.locate(np.searchsorted(block.numbers, records["line"].to_numpy()))

    misfits = make_misfits(tell(found.misfits), found.misfits["reason"], found.misfits["column"])
    told = replace(found, locate=lambda rows: tell(found.locate(rows)), misfits=misfits)
    return cast_block(told, schema)


def _read(block: JsonBlock, schema: Schema) -> RawBlock:
    """Return the rows of a block with the columns alone that are of the table."""
    try:
        found = read_rows(block, schema)
    except RecursionError:  # which line is nested too deeply is told by reading each
        found = read_lines(block)
    names = list(filter(is_of_table, found.table.column_names))
    return found if len(names) == len(found.table.column_names) else replace(found, table=found.table.select(names))


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
