"""Blocks of JSON lines, read at once where pyarrow reads them as they are; else what is odd of them is read by itself, and the rest at once."""

from __future__ import annotations

from tasks.convert.formats.json.damaged import read_but_damaged
from tasks.convert.formats.json.lines import JsonBlock, read_lines
from tasks.convert.formats.json.mixed import read_but_mixed
from tasks.convert.formats.json.names import SAMPLE_BYTES
from tasks.convert.formats.json.no_numbers import mask, unmask
from tasks.convert.formats.json.odd import read_but_odd
from tasks.convert.formats.json.table import SAMPLE_LINES, read_at_once
from tasks.convert.schema.blocks import RawBlock, Schema

_WAYS = (read_at_once, read_but_mixed, read_but_damaged, read_but_odd)


def read_rows(block: JsonBlock, schema: Schema) -> RawBlock:
    """Return the rows of all lines as `read_lines` does: at once, or with keys of several kinds, damaged lines, or odd lines apart.

    Raises:
        TableError: they have too many different columns.

    """
    masked = mask(block, schema)
    found = unmask(_read(masked, schema), masked, schema) if masked is not None else None
    return found or _read(block, schema)


def _read(block: JsonBlock, schema: Schema) -> RawBlock:
    if block.window.lines <= SAMPLE_LINES and len(block.window) <= SAMPLE_BYTES:
        return read_lines(block)  # every other way reads so many first
    ways = (found for read in _WAYS if (found := read(block, schema)) is not None)
    return next(ways, None) or read_lines(block)
