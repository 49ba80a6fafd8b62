"""Lines of JSON, and their rows as texts, read line by line: what else reads them has to give the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, count
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.json.rows import (
    NoRow,
    NotARowError,
    NullsOf,
    Row,
    columns_of,
    decode_each,
    decode_together,
    flat_rows,
    names_of,
    nothing_declared,
    nothing_plain,
    reject_of,
    rows_of_line,
)
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.misfits import NO_MISFITS, cut_texts, make_records
from tasks.convert.schema.names import Naming
from tasks.convert.schema.types import Types

_OPENING, _CLOSING, _RETURN = b"{}\r"
_BLANKS = b" \t\n\r\v\f"

Line = tuple[int, int, bytes]
"""A line, after its number and its place among the bytes."""
Decode = Callable[[ByteView], Sequence[Any] | None]


@dataclass(frozen=True)
class JsonBlock:
    """Whole lines of JSON, in UTF-8, and the number of the first.

    With `typed` a value has the type it has in JSON (a text may still be a date
    or a timestamp); without it every value is a text of unknown type, and a line
    may itself tell why it is no row, as pages give them. Each element of the list
    in the column `explode` is a row of its own; a record that has none is a row
    only with `keeps_empty`. `told` are the same lines as they stand in the source,
    where others are read in their place: these are told of.
    """

    window: ByteView
    first_line: int = 1
    first_byte: int | None = 0
    typed: bool = True
    explode: str | None = None
    keeps_empty: bool = False
    naming: Naming = field(default_factory=Naming)
    nulls_of: NullsOf = nothing_declared
    told: ByteView | None = None

    def as_told(self) -> JsonBlock:
        """Return the lines as they stand in the source."""
        return self if self.told is None else replace(self, window=self.told, told=None)

    @cached_property
    def lines(self) -> Sequence[Line]:
        """Return the lines that are not blank, each with its number and with its place among the bytes."""
        texts = self.window.data.split(b"\n")
        starts = accumulate((len(text) + 1 for text in texts), initial=0)
        return [line for line in zip(count(self.first_line), starts, texts) if line[-1].strip()]

    @cached_property
    def numbers(self) -> np.ndarray:
        """Return the numbers of the lines that are not blank."""
        starts, stops = self.window.line_spans
        first = self.window.to_numpy()[np.minimum(starts, len(self.window) - 1)] if len(self.window) else starts
        may_be_blank = np.flatnonzero((starts == stops) | np.isin(first, list(_BLANKS)))
        spans = zip(starts[may_be_blank].tolist(), stops[may_be_blank].tolist(), strict=True)
        is_blank = [not bytes(self.window.view[start:stop]).strip() for start, stop in spans]
        return self.first_line + np.delete(np.arange(len(starts)), may_be_blank[np.array(is_blank, bool)])

    def has_object_in_each(self, objects: int) -> bool:
        """Return whether there is one of these objects in each line that is not blank, whatever blanks are around it."""
        return _has_object_in_each(self.window, objects) or self._has_object_in_filled(objects)

    def _has_object_in_filled(self, objects: int) -> bool:
        data, lines = self.window.to_numpy(), self.numbers - self.first_line
        if objects != len(lines):
            return False
        starts, stops = (each[lines] for each in self.window.line_spans)
        is_bare = (data[starts] == _OPENING) & (data[stops - 1] == _CLOSING)
        spans = zip(starts[~is_bare].tolist(), stops[~is_bare].tolist(), strict=True)
        others = (bytes(self.window.view[start:stop]).strip() for start, stop in spans)
        return all((line[0], line[-1]) == (_OPENING, _CLOSING) for line in others)

    def without(self, places: Collection[int]) -> ByteView:
        """Return the bytes with blanks in place of some of the lines that are not blank, so that all others stand where they stood."""
        data = bytearray(self.window.data)
        lines = self.numbers[np.array(list(places), np.int64)] - self.first_line
        starts, stops = (each[lines].tolist() for each in self.window.line_spans)
        for start, stop in zip(starts, stops, strict=True):
            data[start:stop] = b" " * (stop - start)
        return ByteView.of(data)

    def locate(self, places: np.ndarray) -> pa.Table:
        """Return the lines at these places among those that are not blank as records."""
        numbers, window = self.numbers[places], self.told or self.window
        starts, stops = (each[numbers - self.first_line] for each in window.line_spans)
        offsets = None if self.first_byte is None else self.first_byte + starts
        return make_records(numbers, cut_texts(window.view, starts, stops), offsets)


def read_flat(
    block: JsonBlock, decode: Decode = decode_together, is_plain: Callable[[str], bool] = nothing_plain
) -> RawBlock | None:
    """Return the rows of every line as texts, decoded together; None where a line is no row, or its list is to be exploded.

    Columns that are plain, by their names in the table, may be given in their type.
    """
    values = decode(block.window) if block.typed and block.explode is None else None
    if values is not None and block.has_object_in_each(len(values)):
        with suppress(RecursionError):  # which line is nested too deeply is told by reading each
            flat = flat_rows(block.window, values)
            if flat is not None:
                table, types = _as_texts(block, flat, is_plain=lambda name: is_plain(block.naming.rename([name])[0]))
                numbers = block.numbers.tolist()
                return RawBlock(table, len(flat), NO_MISFITS, block.locate, types, len(flat), lines=numbers)
    return None


def read_lines(block: JsonBlock) -> RawBlock:
    """Return the rows of every line as texts; a line that is no object is a misfit."""
    return read_flat(block) or read_flat(block, decode_each) or _read_each(block)


def _read_each(block: JsonBlock) -> RawBlock:
    rows: list[Row] = []
    places: list[int] = []
    unfit: dict[int, NotARowError] = {}
    more: dict[str, None] = {}
    lines = empty = 0
    for place, (_, _, line) in enumerate(block.lines):
        lines += 1
        found = rows_of_line(line, explode=block.explode, keeps_empty=block.keeps_empty, refusals=not block.typed)
        if isinstance(found, NotARowError):
            unfit[place] = found
        elif isinstance(found, NoRow):
            empty += 1
            more |= dict.fromkeys(found.names)
        else:
            rows += found
            places += [place] * len(found)
    table, types = _as_texts(block, rows, more)
    misfits = reject_of(block.locate(np.array(list(unfit), np.int64)), unfit.values())
    found_at = np.array(places, np.int64)

    def locate(indices: np.ndarray) -> pa.Table:
        return block.locate(found_at[indices])

    return RawBlock(table, len(rows) + len(misfits), misfits, locate, types, lines, empty=empty)


def _as_texts(
    block: JsonBlock, rows: Sequence[Row], more: Iterable[str] = (), is_plain: Callable[[str], bool] = nothing_plain
) -> tuple[pa.Table, Types | None]:
    names = names_of(rows, block.explode, more)
    table, types = columns_of(rows, names, typed=block.typed, nulls_of=block.nulls_of, is_plain=is_plain)
    names = block.naming.rename(table.column_names)
    types = dict(zip(names, types.values(), strict=True)) if types is not None else None
    return table.rename_columns(names), types


def _has_object_in_each(window: ByteView, objects: int) -> bool:
    """Return whether there is one object in each line: so many, and each line begins and ends as one."""
    data, ends = window.to_numpy(), window.line_ends
    if len(ends) and ends[-1] == len(data) - 1:
        ends = ends[:-1]
    if objects != len(ends) + 1 or data[0] != _OPENING or (data[ends + 1] != _OPENING).any():
        return False
    last = data[ends - 1]
    return bool((np.where(last == _RETURN, data[ends - 2], last) == _CLOSING).all())
