"""JSON lines: each an object, read in blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.format import ByteBlock, Cut, Place, StreamedFormat
from tasks.convert.formats.json.apart import read_rows
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.names import is_of_table
from tasks.convert.schema.target import TableTarget


class Jsonl(StreamedFormat):
    """A JSON object in each line."""

    name: ClassVar[str] = "jsonl"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    has_lists: ClassVar[bool] = True

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
    try:
        found = read_rows(block, schema)
    except RecursionError:  # which line is nested too deeply is told by reading each
        found = read_lines(block)
    return cast_block(_of_table(found), schema)


def _of_table(block: RawBlock) -> RawBlock:
    """Return a block with the columns alone that are of the table."""
    names = list(filter(is_of_table, block.table.column_names))
    return block if len(names) == len(block.table.column_names) else replace(block, table=block.table.select(names))


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
