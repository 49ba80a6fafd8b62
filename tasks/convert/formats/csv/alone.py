"""The lines of a CSV text, each by itself: how a reader ends it that begins it within quotes, or outside of them, told of all at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.quotes import are_of

_OUTSIDE, _INSIDE, _CLOSED = range(3)  # of a field, in one, or behind a quote that may close one
_AT_ONCE = 64  # quotes of a line, of which that many are told a turn of all lines at a time
# By what was before a quote, and whether it begins a field (2), stands beside another (1), or neither.
_AFTER = np.array(
    [
        [_OUTSIDE, _OUTSIDE, _INSIDE, _INSIDE],
        [_CLOSED, _CLOSED, _CLOSED, _CLOSED],
        [_OUTSIDE, _INSIDE, _INSIDE, _INSIDE],
    ],
    np.uint8,
)


@dataclass(frozen=True)
class ReadLines:
    """What a reader finds in each line that it begins in quotes, or outside: whether it ends in quotes, and how many delimiters stand outside of them.

    `junk` is how many quotes close a field that goes on, `stray` how many are characters of one.
    """

    is_inside: np.ndarray
    delimiters: np.ndarray
    junk: np.ndarray
    stray: np.ndarray


class LinesAlone:
    """The lines of a text, ended by whatever ends one."""

    def __init__(self, text: ByteView, quote: str, delimiter: str) -> None:
        self.quote, self.delimiter = quote, delimiter
        self._marks = f"{delimiter}\r\n".encode()
        self._text, self._view = text, text.to_numpy()
        self._starts, self._stops = text.line_spans_of_any_end

    @cached_property
    def is_quote(self) -> np.ndarray:
        """Return which bytes are quotes."""
        return np.asarray(self._view == ord(self.quote))

    @cached_property
    def places(self) -> np.ndarray:
        """Return where the quotes stand."""
        return np.flatnonzero(self.is_quote)

    @cached_property
    def before(self) -> np.ndarray:
        """Return how many quotes stand before each line, and in all of them."""
        return Marks(self.is_quote).count_before(np.append(self._starts, len(self._view)))

    @cached_property
    def quotes(self) -> np.ndarray:
        """Return how many quotes each line has."""
        return np.diff(self.before)

    @cached_property
    def _filled(self) -> np.ndarray:
        """Return the lines that have a quote."""
        return np.flatnonzero(self.quotes)

    @cached_property
    def _first(self) -> np.ndarray:
        """Return which quote is the first of each of these."""
        first: np.ndarray = self.before[self._filled]
        return first

    @cached_property
    def _last(self) -> np.ndarray:
        """Return which quote is the last of each of these."""
        last: np.ndarray = self.before[self._filled + 1] - 1
        return last

    @cached_property
    def _delimiters(self) -> Marks:
        return Marks(self._view == ord(self.delimiter))

    @cached_property
    def _bounds(self) -> np.ndarray:
        """Return how many delimiters stand before each line, and in all of them."""
        return self._delimiters.count_before(np.append(self._starts, len(self._view)))

    def __len__(self) -> int:
        return len(self._starts)

    @cached_property
    def delimiters(self) -> np.ndarray:
        """Return how many each line has, within quotes or not."""
        return np.diff(self._bounds)

    @cached_property
    def from_outside(self) -> ReadLines:
        """Return what is read of each line as the first of a record."""
        return self._read(_OUTSIDE)

    @cached_property
    def from_inside(self) -> ReadLines:
        """Return what is read of each line that begins within quotes."""
        return self._read(_INSIDE)

    def are_records(self, width: int) -> np.ndarray:
        """Return which lines are records of so many fields by themselves, by the delimiters outside quotes or by all."""
        found: np.ndarray = (self.from_outside.delimiters == width - 1) | (self.delimiters == width - 1)
        return found & (width > 1)

    def are_whole(self, width: int) -> np.ndarray:
        """Return which lines are whole records of so many fields by themselves, quoted as they ought to be."""
        read = self.from_outside
        is_odd = read.is_inside | (read.junk > 0) | (read.stray > 0)
        found: np.ndarray = (read.delimiters == width - 1) & ~is_odd
        return found & (width > 1)

    def are_divided(self, width: int) -> np.ndarray:
        """Return which lines have the delimiters of a record, those between a quote and the next left out or not."""
        is_first = (np.arange(len(self.places)) - np.repeat(self._first, self.quotes[self._filled])) % 2 == 0
        is_first[self._last[self.quotes[self._filled] % 2 == 1]] = False  # no other is behind it
        plain = self.delimiters - self._sum(np.where(is_first, self._below, 0))
        found: np.ndarray = (plain == width - 1) | (self.delimiters == width - 1)
        return found

    def find_ends(self, lines: np.ndarray) -> np.ndarray:
        """Return the line below the record that each of these begins; beyond the one below the last where it does not end."""
        count = len(self)
        places = np.full(count + 1, count)
        closing = np.flatnonzero(~self.from_inside.is_inside)
        places[closing] = closing
        following = np.minimum.accumulate(places[::-1])[::-1]
        found: np.ndarray = np.where(self.from_outside.is_inside[lines], following[lines + 1], lines) + 1
        return found

    def count_fields(self, first: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many fields records have that begin in lines, and end above others, and how many of their quotes close a field that goes on."""
        read, inner = self.from_outside, self.from_inside
        delimiters, junk = (np.append(0, np.cumsum(each)) for each in (inner.delimiters, inner.junk))
        fields = read.delimiters[first] + delimiters[below] - delimiters[first + 1] + 1
        return fields, read.junk[first] + junk[below] - junk[first + 1]

    @cached_property
    def _below(self) -> np.ndarray:
        """Return how many delimiters stand behind each quote, before the next of its line."""
        before = self._delimiters.count_before(self.places)
        following = np.append(before[1:], 0)
        following[self._last] = self._bounds[self._filled + 1]
        counts: np.ndarray = following - before
        return counts

    @cached_property
    def kinds(self) -> np.ndarray:
        """Return of each quote whether it begins a field (2), or stands beside the one before (1)."""
        view, quotes = self._view, self.places
        begins = are_of(self._marks, view[quotes - 1]) | (quotes == 0)
        return np.asarray(2 * begins.view(np.uint8) + np.append(False, np.diff(quotes) == 1)[: len(quotes)])

    @cached_property
    def are_ends(self) -> np.ndarray:
        """Return of each quote whether a field may end with it, or another quote stands behind it."""
        below = self.places + 1
        found = are_of(self._marks + self.quote.encode(), self._view[np.minimum(below, len(self._view) - 1)])
        return np.asarray(found | (below == len(self._view)))

    def _read(self, begin: int) -> ReadLines:
        """Return what a reader finds in each line."""
        states, count = self._follow(begin), len(self)
        is_inside = np.full(count, begin == _INSIDE)
        is_inside[self._filled] = states[self._last] == _INSIDE
        delimiters = self._sum(np.where(states != _INSIDE, self._below, 0))
        if begin == _OUTSIDE:
            others = self.delimiters.copy()
            others[self._filled] = self._delimiters.count_before(self.places[self._first]) - self._bounds[self._filled]
            delimiters += others
        junk, stray = self._sum((states == _CLOSED) & ~self.are_ends), self._sum(states == _OUTSIDE)
        return ReadLines(is_inside, delimiters, junk, stray)

    def _follow(self, begin: int) -> np.ndarray:
        """Return what is behind each quote where each line begins so: the first of all lines are told, then the second, and many in one line by themselves."""
        kinds, states, after = self.kinds, np.empty(len(self.places), np.uint8), _AFTER.ravel()
        first, counts = self._first, self.quotes[self._filled]
        before = np.full(len(first), begin, np.uint8)
        for turn in range(_AT_ONCE):
            if not len(first):
                return states
            states[first + turn] = before = after.take(4 * before + kinds[first + turn])
            more = counts > turn + 1
            first, counts, before = first[more], counts[more], before[more]
        steps = _AFTER.tolist()
        for place, count, state in zip(first.tolist(), counts.tolist(), before.tolist(), strict=True):
            told, last = list[int](), state
            for kind in kinds[place + _AT_ONCE : place + count].tolist():
                last = steps[last][kind]
                told.append(last)
            states[place + _AT_ONCE : place + count] = told
        return states

    def _sum(self, of_quotes: np.ndarray) -> np.ndarray:
        """Return of each line the sum of what its quotes have."""
        found = np.zeros(len(self), np.int32)
        if len(self._first):
            sums = np.append(np.int32(0), np.cumsum(of_quotes, dtype=np.int32))
            found[self._filled] = sums[self._last + 1] - sums[self._first]
        return found
