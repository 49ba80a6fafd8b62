"""The lines of a CSV text, each by itself: how a reader ends it that begins it within quotes, or outside of them, told of all at once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.line_quotes import INSIDE, OUTSIDE, LineQuotes, ReadLines
from tasks.convert.formats.csv.places import NextPlaces

_PIECE_BYTES = 256 * 1024


class LinesAlone:
    """The lines of a text, ended by whatever ends one, beside records of `width` fields."""

    def __init__(self, text: ByteView, quote: str, delimiter: str, width: int) -> None:
        self.quote, self.delimiter, self._width = quote, delimiter, width
        self._view, (self._starts, _) = text.to_numpy(), text.line_spans_of_any_end

    @cached_property
    def is_quote(self) -> np.ndarray:
        """Return which bytes are quotes."""
        return np.asarray(self._view == ord(self.quote))

    @cached_property
    def places(self) -> np.ndarray:
        """Return where the quotes stand."""
        return np.flatnonzero(self.is_quote)

    @cached_property
    def _pieces(self) -> list[LineQuotes]:
        """Return some lines at a time: what is told of them stays in the processor's cache."""
        if not len(self):
            return []
        edges, size = np.append(self._starts, len(self._view)), len(self._view)
        cuts = np.unique(np.append(np.searchsorted(self._starts, np.arange(0, size, _PIECE_BYTES)), len(self)))
        bounds = zip(
            cuts.tolist(), edges[cuts].tolist(), np.searchsorted(self.places, edges[cuts]).tolist(), strict=True
        )
        pieces = list[LineQuotes]()
        for (line, begin, first), (below, end, stop) in pairwise(bounds):
            view, starts = self._view[begin:end], self._starts[line:below] - begin
            pieces.append(LineQuotes(view, starts, self.places[first:stop] - begin, self.quote, self.delimiter))
        return pieces

    @cached_property
    def quotes(self) -> np.ndarray:
        """Return how many quotes each line has."""
        return _join(piece.quotes for piece in self._pieces)

    @cached_property
    def filled(self) -> np.ndarray:
        """Return the lines that have a quote."""
        return np.flatnonzero(self.quotes)

    def count_filled_before(self, lines: np.ndarray) -> np.ndarray:
        """Return how many of these stand before each of some lines."""
        return lines if len(self.filled) == len(self) else Marks(self.quotes > 0).count_before(lines)

    def __len__(self) -> int:
        return len(self._starts)

    @cached_property
    def delimiters(self) -> np.ndarray:
        """Return how many each line has, within quotes or not."""
        return _join(piece.delimiters for piece in self._pieces)

    @cached_property
    def from_outside(self) -> ReadLines:
        """Return what is read of each line as the first of a record."""
        return self._read(OUTSIDE)

    @cached_property
    def from_inside(self) -> ReadLines:
        """Return what is read of each line that begins within quotes."""
        return self._read(INSIDE)

    def _read(self, begin: int) -> ReadLines:
        read = [piece.read(begin) for piece in self._pieces]
        told = _join((each.told for each in read), np.uint8)
        return ReadLines(told, _join((each.delimiters for each in read), np.int32))

    @cached_property
    def _are_records(self) -> np.ndarray:
        """Return which lines are records by themselves, by the delimiters outside quotes or by all."""
        found: np.ndarray = self.delimiters == self._width - 1
        found |= self.from_outside.delimiters == self._width - 1
        return found & (self._width > 1)

    @cached_property
    def _are_whole(self) -> np.ndarray:
        """Return which lines are whole records by themselves, quoted as they ought to be."""
        read = self.from_outside
        found: np.ndarray = (read.delimiters == self._width - 1) & read.is_even
        return found & (self._width > 1)

    def have_whole(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether one of the lines from each to before another is a whole record by itself."""
        return self._whole.are_in(first, below)

    def have_records(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether one of the lines from each to before another is a record by itself."""
        return self._records.are_in(first, below)

    def have_others(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether one of these lines is none."""
        return self._others.are_in(first, below)

    def have_wide(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether one of the lines from each to before another has the delimiters of a record, or more."""
        return NextPlaces(self.delimiters >= self._width - 1).are_in(first, below)

    @cached_property
    def _whole(self) -> NextPlaces:
        return NextPlaces(self._are_whole)

    @cached_property
    def _records(self) -> NextPlaces:
        return NextPlaces(self._are_records)

    @cached_property
    def _others(self) -> NextPlaces:
        return NextPlaces(~self._are_records)

    def are_divided(self) -> np.ndarray:
        """Return which lines have the delimiters of a record, those between a quote and the next left out or not."""
        apart = _join(piece.count_apart() for piece in self._pieces)
        found: np.ndarray = (apart == self._width - 1) | (self.delimiters == self._width - 1)
        return found

    def find_ends(self, lines: np.ndarray) -> np.ndarray:
        """Return the line below the record that each of these begins; beyond the one below the last where it does not end."""
        ends = lines + 1
        odd = np.flatnonzero(self.from_outside.is_inside[lines])
        ends[odd] = self._closing.find_near(ends[odd]) + 1
        return ends

    def are_open(self, lines: np.ndarray) -> np.ndarray:
        """Return which of these begin a record that ends nowhere."""
        closing = np.flatnonzero(~self.from_inside.is_inside)
        is_open: np.ndarray = self.from_outside.is_inside[lines] & (lines >= int(closing.max(initial=-1)))
        return is_open

    @cached_property
    def _closing(self) -> NextPlaces:
        """Return the lines that close what is open above them."""
        return NextPlaces(~self.from_inside.is_inside)

    def count_fields(self, first: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many fields records have that begin in lines, and end above others, and whether one of their quotes closes a field that goes on."""
        read, (delimiters, junk) = self.from_outside, self._inner
        fields = read.delimiters[first] + delimiters.count(first + 1, below) + 1
        return fields, read.junk[first] | junk.are_in(first + 1, below)

    @cached_property
    def _inner(self) -> tuple[Sums, NextPlaces]:
        return Sums(self.from_inside.delimiters), NextPlaces(self.from_inside.junk)


class Sums:
    """Counts of lines, of which those of several are told."""

    def __init__(self, of_lines: np.ndarray) -> None:
        self._before = np.zeros(len(of_lines) + 1, np.int32)
        np.cumsum(of_lines, out=self._before[1:], dtype=np.int32)

    def count(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return the sum of those from each line to before another."""
        counts: np.ndarray = self._before[below] - self._before[first]
        return counts


def _join(pieces: Iterable[np.ndarray], kind: type[np.generic] = np.bool_) -> np.ndarray:
    """Return what is told of all lines, by what is of some at a time; of none it has values of a `kind`."""
    parts = list(pieces)
    return np.concatenate(parts) if parts else np.zeros(0, kind)
