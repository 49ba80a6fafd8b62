"""Blocks of JSON lines that pyarrow does not read as they are: what is odd of them is read by itself, and the rest at once."""

from __future__ import annotations

from tasks.convert.formats.json.damaged import read_but_damaged
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.formats.json.mixed import read_but_mixed
from tasks.convert.formats.json.odd import read_but_odd
from tasks.convert.schema.blocks import RawBlock, Schema

_WAYS = (read_but_mixed, read_but_damaged, read_but_odd)


def read_apart(block: JsonBlock, schema: Schema) -> RawBlock | None:
    """Return the rows of all lines as `read_lines` does: keys of several kinds, damaged lines, or odd lines apart; None where more is in doubt."""
    return next((found for read in _WAYS if (found := read(block, schema)) is not None), None)
