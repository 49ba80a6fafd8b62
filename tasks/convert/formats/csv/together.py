"""The records of many small CSV files with heads that are alike, read at once: each file's rows, types and rejects are those that it has alone."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.content import MARK
from tasks.convert.formats.csv.at_once import reject_unlike
from tasks.convert.formats.csv.lines import without_records
from tasks.convert.formats.csv.parse import CsvBlock, read_typed
from tasks.convert.formats.csv.places import list_places
from tasks.convert.formats.csv.quotes import are_paired
from tasks.convert.formats.csv.spans import MANY_LINES, RecordSpans
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_known
from tasks.convert.schema.misfits import NO_MISFITS
from tasks.convert.schema.points import may_be_grouped

_FEW = 4  # are read as fast one by one


def parse_together(blocks: Sequence[CsvBlock], schema: Schema) -> list[TypedBlock | None]:
    """Return the rows of each block, all records of a file, typed; None of one that is to be read by itself: of such an odd record only its own lines tell.

    Where one has values of other types than the others, these are read without it.
    """
    found: list[TypedBlock | None] = [None] * len(blocks)
    alike: dict[Hashable, list[int]] = {}
    for place, block in enumerate(blocks):
        alike.setdefault(block.head.kind, []).append(place)
    waiting = [(places, schema) for places in alike.values()]
    anew = replace(schema, guess=None)  # of others the first may have told what is none of these
    while waiting:
        places, tried = waiting.pop()
        if len(places) < _FEW:
            continue
        parsed = _parse([blocks[place] for place in places], tried)
        found_here = {place: each for place, each in zip(places, parsed or (), strict=False) if each is not None}
        for place, each in found_here.items():
            found[place] = each
        left = [place for place in places if place not in found_here]
        half = len(left) // 2 if tried.guess is None and not found_here else 0
        waiting += [(left[half:], anew), (left[:half], anew)]
    return found


def may_be_joined(block: CsvBlock) -> bool:
    """Return whether lines above and below the block would change nothing of it: each record ends where it does alone, and has a value."""
    dialect, window = block.head.dialect, block.window
    if block.raw is not None or block.told is not None or not dialect.quoting.is_plain:
        return False
    if len(block.head.names) < 2 or not window or window.lines_of_any_end != window.lines:  # noqa: PLR2004 - of one column the values tell what is the header again
        return False
    data, quote = window.data, dialect.quote
    if data.startswith(MARK) or b"\0" in data or line_without_values(dialect.delimiter, quote).search(data):
        return False
    if not window.is_ascii and len(window.undecodable):
        return False
    return not quote or quote.encode() not in window or are_paired(window.to_numpy(), quote, dialect.delimiter)


@cache
def line_without_values(delimiter: str, quote: str) -> re.Pattern[bytes]:
    """Return how a line without any value is written, be it blank."""
    return re.compile(rb"^[%b]*$(?!\Z)" % re.escape(f"{delimiter}{quote} \t\v\f\r").encode(), re.MULTILINE)


def _parse(blocks: Sequence[CsvBlock], schema: Schema) -> list[TypedBlock | None] | None:
    """Return the rows of each block; None where something in one of them is to be read by itself."""
    texts = [block.window.data if block.window.data.endswith(b"\n") else block.window.data + b"\n" for block in blocks]
    joined = CsvBlock(ByteView.of(b"".join(texts)), blocks[0].head)
    if (records := joined.spans) is None:
        return None
    is_row = records.widths == len(joined.head.names)
    sizes = records.below - records.lines
    if not is_row.any() or (sizes > np.where(is_row, MANY_LINES, 1)).any():
        return None  # of lines within quotes that may be records it is told in each file
    rows = joined
    if not is_row.all():
        rows = without_records(joined, list_places(records.lines[~is_row], records.below[~is_row]))
    raw = read_typed(rows, replace(schema, lines=False))
    if raw is None or raw.table.num_rows != np.count_nonzero(is_row):
        return None
    edges: list[int] = np.searchsorted(records.starts, np.cumsum([0, *map(len, texts)])).tolist()
    before = np.append(0, np.cumsum(is_row))
    each = [_Records(block, records, is_row, *bounds) for block, bounds in zip(blocks, pairwise(edges), strict=True)]
    return [
        _cast(own, replace(raw, table=raw.table.slice(begin, end - begin)), schema)
        for own, (begin, end) in zip(each, pairwise(before[edges].tolist()), strict=True)
    ]


@dataclass(frozen=True)
class _Records:
    """The records of a block among those of all: from the one at `first` to before `stop`."""

    block: CsvBlock
    all: RecordSpans
    are_rows: np.ndarray
    first: int
    stop: int

    @property
    def above(self) -> int:
        """Return how many lines of other files stand above."""
        return int(self.all.lines[self.first])

    def find(self, *, rows: bool) -> np.ndarray:
        """Return the places of those that are rows, or of the others."""
        return self.first + np.flatnonzero(self.are_rows[self.first : self.stop] == rows)

    def locate(self, rows: np.ndarray) -> pa.Table:
        """Return some of the rows as they stand in the file."""
        places = self.find(rows=True)[rows]
        return self.block.locate(self.all.lines[places] - self.above, self.all.below[places] - self.above)

    def reject(self) -> pa.Table:
        """Return the records that are no rows."""
        found, begin = self.all.take(self.find(rows=False)), self.all.starts[self.first]
        lines, below = found.lines - self.above, found.below - self.above
        own = replace(found, lines=lines, below=below, starts=found.starts - begin, stops=found.stops - begin)
        return reject_unlike(self.block, own)

    def number_lines(self) -> list[int]:
        """Return in which line of the file each row begins."""
        lines: list[int] = self.block.number_lines(self.all.lines[self.find(rows=True)] - self.above).tolist()
        return lines


def _cast(own: _Records, raw: RawBlock, schema: Schema) -> TypedBlock | None:
    """Return the rows of one block; None where it has none, or has narrower types alone."""
    received, rows = own.stop - own.first, raw.table.num_rows
    floats = [name for name, kind in (raw.types or {}).items() if kind == "float"]
    if not rows or (not raw.is_decided and any(may_be_grouped(raw.table[name]) for name in floats)):
        return None
    alone = replace(
        raw,
        received=received,
        misfits=NO_MISFITS if rows == received else own.reject(),
        locate=partial(own.locate),
        lines=own.number_lines() if schema.lines else None,
    )
    typed = cast_known(alone, schema)
    if typed is None or raw.is_decided:
        return typed
    # Of numbers that were read as texts the points may tell.
    return typed if all(name in floats for name, kind in typed.types.items() if kind == "float") else None
