"""The cells of a sheet as columns of texts, gathered piece by piece: those of a row that holds no value are not kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, zip_longest
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.errors import TableError
from tasks.core.imports import import_once

MAX_ROWS = 1_048_576  # Excel's own
MAX_CELLS = 16 * 1024 * 1024  # each of some 60 bytes, of which few are kept
CURE = "save the sheet as .csv, which is read piece by piece"
EXACT = 2.0**53  # from here on a float may be another whole number than the one that is written
_BEYOND_INT = 2.0**63
_PIECE_CELLS, _PIECE_ROWS, _HEAD_ROWS = 32 * 1024, 256, 32
_NULLS = ("", "#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!")

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Row = Sequence[str]


@dataclass(frozen=True)
class Grid:
    """The rows of a sheet that hold a value, in their order: their numbers from 0, and their columns as texts.

    `written` tells of each cell of a column whether it is a text in the sheet too.
    """

    numbers: Numbers
    columns: Sequence[pa.ChunkedArray]
    written: Sequence[pa.ChunkedArray]

    @property
    def height(self) -> int:
        """Return how many rows the sheet has, with blank ones between."""
        return 0 if self.is_empty else int(self.numbers[-1]) + 1

    @property
    def width(self) -> int:
        """Return how many columns it has."""
        return len(self.columns)

    @property
    def is_empty(self) -> bool:
        """Return whether no row holds a value."""
        return not len(self.numbers)

    def number(self, place: int) -> int:
        """Return the number of a row by its place among those that hold a value."""
        return int(self.numbers[place])

    def place(self, number: int) -> int:
        """Return the place of the first row from a number on."""
        return int(np.searchsorted(self.numbers, number))

    def find_alike(self, row: Row, start: int) -> Numbers:
        """Return the places, from one on, of the rows that are as this one."""
        alike = np.arange(start, len(self.numbers))
        for column, text in zip(self.columns, row, strict=True):
            values = column.slice(start) if len(alike) == len(self.numbers) - start else column.take(pa.array(alike))
            alike = alike[pc.equal(values.fill_null(""), text).to_numpy()]
            if not len(alike):
                break
        return alike

    def find_filled(self) -> np.ndarray:
        """Return of each row whether a value of it is more than blanks."""
        filled = np.zeros(len(self.numbers), dtype=bool)
        for column in self.columns:
            texts = pc.utf8_trim_whitespace(column).fill_null("")
            filled |= pc.not_equal(texts, "").to_numpy()
        return filled

    def take(self, places: Numbers | pa.Array, numbers: Numbers | None = None) -> Grid:
        """Return the rows at some places, a blank one where that is null; `numbers` are theirs."""
        chosen = pa.array(places)
        columns = [column.take(chosen) for column in self.columns]
        written = [column.take(chosen).fill_null(fill_value=False) for column in self.written]
        return Grid(self.numbers[places] if numbers is None else numbers, columns, written)

    def with_blank_rows(self, first: int) -> Grid:
        """Return the same with the rows without a value that stand between others, from a place on."""
        numbers = np.concatenate([self.numbers[:first], np.arange(self.numbers[first], self.height)])
        places = np.searchsorted(self.numbers, numbers)
        return self.take(pa.array(places, mask=self.numbers[places] != numbers), numbers)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Return some of its rows, with an empty text for null; they are numbered from 0 without blank ones."""
        columns = (column.slice(start, max(0, stop - start)).fill_null("").to_pylist() for column in self.columns)
        return list(zip(*columns, strict=True))


class GridBuilder:
    """Takes the rows of a sheet some at a time, and gives its grid.

    `doubtful` are the columns, from 0, with a number that its reader may have
    rounded, or a time that may be that of a day before 1900.
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[list[pa.Array], list[pa.Array]]] = []
        self._numbers: list[Numbers] = []
        self._width = self._count = 0
        self.doubtful: set[int] = set()

    def add(self, rows: Iterator[Sequence[Any]], width: int = 0, left: int = 0, height: int = MAX_ROWS) -> None:
        """Add all rows of a sheet, of at most this height, which may be of different widths, right of so many blank columns.

        Raises:
            TableError: the sheet would not fit in memory, or has rows that none has.

        """
        most, first = max(_PIECE_ROWS, _PIECE_CELLS // max(1, width)), 0
        # Without what stands above them most columns are of one kind, which takes half the time; of few rows that is one mostly.
        head = 1 if height <= _PIECE_ROWS else _HEAD_ROWS
        while piece := list(islice(rows, most if first else head)):
            if first + len(piece) > MAX_ROWS:
                raise TableError(f"its sheet has a row beyond {MAX_ROWS:,}, the last of Excel's; save it anew as .xlsx")
            blank = [(pa.nulls(len(piece), pa.string()), pa.array(np.zeros(len(piece), bool)))] * left
            self._add(first, blank + [self._texts(values, left + n) for n, values in enumerate(zip_longest(*piece))])
            first += len(piece)

    def build(self) -> Grid:
        """Return the grid of all rows."""
        numbers = np.concatenate(self._numbers) if self._numbers else np.array([], np.int64)
        columns = [self._column(place, 0, pa.string()) for place in range(self._width)]
        return Grid(numbers, columns, [self._column(place, 1, pa.bool_()) for place in range(self._width)])

    def _column(self, place: int, part: int, type_: pa.DataType) -> pa.ChunkedArray:
        """Return a column of all pieces; some may be narrower than the sheet."""
        found = (piece[part] for piece in self._pieces)
        return pa.chunked_array(
            [arrays[place] if place < len(arrays) else pa.nulls(len(arrays[0]), type_) for arrays in found], type_
        )

    def _add(self, first: int, parts: list[tuple[pa.Array, pa.Array]]) -> None:
        """Keep the columns of the rows from a number on, as far as they hold a value."""
        while parts and parts[-1][0].null_count == len(parts[-1][0]):
            parts.pop()
        if not parts:
            return
        texts, written = [text for text, _ in parts], [is_text for _, is_text in parts]
        filled = np.logical_or.reduce([column.is_valid().to_numpy(zero_copy_only=False) for column in texts])
        if not filled.all():
            texts, written = ([column.filter(pa.array(filled)) for column in each] for each in (texts, written))
        self._pieces.append((texts, written))
        self._numbers.append(first + np.flatnonzero(filled))
        self._count, self._width = self._count + len(texts[0]), max(self._width, len(texts))
        if self._count * self._width > MAX_CELLS:
            raise TableError(
                f"its sheet reaches over more than {MAX_CELLS:,} cells: delete what stands far from its table, or {CURE}"
            )

    def _texts(self, values: Sequence[Any], place: int) -> tuple[pa.Array, pa.Array]:
        """Return cells of a column as texts, and which of them are texts in the sheet."""
        kinds = set(map(type, values))
        if time in kinds or (float in kinds and _are_beyond(values)):
            self.doubtful.add(place)
        texts = _texts_of(values, kinds)
        if str not in kinds:
            return texts, pa.array(np.zeros(len(values), bool))
        written = [type(value) is str for value in values] if len(kinds) > 1 else np.ones(len(values), bool)
        null = pc.is_in(texts, value_set=_nulls())
        return pc.if_else(null, pa.scalar(None, pa.string()), texts), pa.array(written, pa.bool_())


def _texts_of(values: Sequence[Any], kinds: set[type]) -> pa.Array:
    """Return cells as texts; mostly those of a column are of one kind."""
    if kinds == {str}:
        return pa.array(values, pa.string())
    if kinds == {float}:
        return _texts_of_numbers(values)
    if kinds == {time} and not any(map(_MICROSECOND, values)):
        return pa.array(values, pa.time32("s")).cast(pa.string())
    if kinds == {date}:
        return pa.array(values, pa.date32()).cast(pa.string())
    if kinds == {datetime} and not any(map(_MICROSECOND, values)):
        texts = pa.array(values, pa.timestamp("us")).cast(pa.timestamp("s")).cast(pa.string())
        return pc.replace_substring_regex(pc.binary_replace_slice(texts, 10, 11, "T"), "T00:00:00$", "")
    return pa.array([_TEXTS.get(type(value), str)(value) for value in values], pa.string())


def _texts_of_numbers(values: Sequence[float]) -> pa.Array:
    """Return numbers as texts, whole ones without a point."""
    numbers = np.array(values)
    if not (np.abs(numbers) < _BEYOND_INT).all():
        return pa.array(map(_of_number, values), pa.string())
    whole = numbers == np.floor(numbers)
    digits = pa.array(numbers.astype(np.int64)).cast(pa.string())
    return digits if whole.all() else pc.if_else(pa.array(whole), digits, pa.array(map(repr, values), pa.string()))


def _are_beyond(values: Sequence[Any]) -> bool:
    """Return whether one of the numbers is so large that it may stand for another."""
    numbers = [value for value in values if type(value) is float]
    return max(numbers) >= EXACT or min(numbers) <= -EXACT


@lru_cache(maxsize=1)
def _nulls() -> pa.Array:
    return pa.array(_NULLS, pa.string())  # when first needed: the first array made of Python's values imports pandas


_MICROSECOND = attrgetter("microsecond")


def _of_number(value: float) -> str | None:
    if value.is_integer():
        return str(int(value))
    return None if math.isnan(value) else repr(value)


def _of_moment(value: datetime) -> str:
    """Return a time in ISO 8601; at midnight it is a date."""
    return value.isoformat().removesuffix("T00:00:00")


def _of_duration(value: timedelta) -> str:
    return str(import_once("pandas").Timedelta(value).isoformat())


def _of_blank(_: Any) -> None:
    return None


_TEXTS: Mapping[type, Callable[[Any], str | None]] = {
    float: _of_number,
    bool: {True: "true", False: "false"}.__getitem__,
    date: date.isoformat,
    datetime: _of_moment,
    time: time.isoformat,
    timedelta: _of_duration,
    type(None): _of_blank,
}
