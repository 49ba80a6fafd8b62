"""The lines of a CSV text, each by itself: how a reader ends it that begins it within quotes, or outside of them, told of all at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.places import find_next
from tasks.convert.formats.csv.quotes import are_of

_OUTSIDE, _INSIDE, _CLOSED = range(3)  # of a field, in one, or behind a quote that may close one
_STATE, _JUNK, _STRAY, _COUNTS = 3, 4, 8, 16  # what is behind a quote, in bits
_AT_ONCE = 64  # quotes of a line, of which that many are told a turn of all lines at a time
_CAN_END = 4
# By what was before a quote, and whether it begins a field (2), stands beside another (1), or neither.
_AFTER = (
    (_OUTSIDE, _OUTSIDE, _INSIDE, _INSIDE),
    (_CLOSED, _CLOSED, _CLOSED, _CLOSED),
    (_OUTSIDE, _INSIDE, _INSIDE, _INSIDE),
)


def _tell_after(before: int, kind: int) -> int:
    """Return what is behind a quote of a kind: the state, and whether it closes a field that goes on, is a character, or has delimiters behind it that count."""
    state = _AFTER[before][kind % _CAN_END]
    is_junk = state == _CLOSED and kind < _CAN_END
    return state | _JUNK * is_junk | _STRAY * (state == _OUTSIDE) | _COUNTS * (state != _INSIDE)


_STEPS = bytes(_tell_after(code // 8 % 3, code % 8) for code in range(256))


@dataclass(frozen=True)
class ReadLines:
    """What a reader finds in each line that it begins in quotes, or outside: whether it ends in quotes, and how many delimiters stand outside of them.

    It has `junk` where a quote closes a field that goes on, and is `stray` where one is a character of it.
    """

    is_inside: np.ndarray
    delimiters: np.ndarray
    junk: np.ndarray
    stray: np.ndarray


class LinesAlone:
    """The lines of a text, ended by whatever ends one, beside records of `width` fields."""

    def __init__(self, text: ByteView, quote: str, delimiter: str, width: int) -> None:
        self.quote, self.delimiter, self._width = quote, delimiter, width
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
    def filled(self) -> np.ndarray:
        """Return the lines that have a quote."""
        return np.flatnonzero(self.quotes)

    @property
    def filled_before(self) -> np.ndarray:
        """Return how many of these stand before each line, and in all."""
        return Sums(self.quotes > 0).before

    @cached_property
    def _first(self) -> np.ndarray:
        """Return which quote is the first of each of these."""
        first: np.ndarray = self.before[self.filled]
        return first

    @cached_property
    def _last(self) -> np.ndarray:
        """Return which quote is the last of each of these."""
        last: np.ndarray = self.before[self.filled + 1] - 1
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

    @cached_property
    def _are_records(self) -> np.ndarray:
        """Return which lines are records by themselves, by the delimiters outside quotes or by all."""
        found: np.ndarray = self.delimiters == self._width - 1
        found[self.filled] |= self.from_outside.delimiters[self.filled] == self._width - 1
        return found & (self._width > 1)

    @cached_property
    def _are_whole(self) -> np.ndarray:
        """Return which lines are whole records by themselves, quoted as they ought to be."""
        read = self.from_outside
        found: np.ndarray = (read.delimiters == self._width - 1) & ~(read.is_inside | read.junk | read.stray)
        return found & (self._width > 1)

    def count_whole(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return how many of the lines from each to before another are whole records by themselves."""
        return self._whole.count(first, below)

    def count_records(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return how many of the lines from each to before another are records by themselves."""
        return self._records.count(first, below)

    def have_wide(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether one of the lines from each to before another has the delimiters of a record, or more."""
        return Sums(self.delimiters >= self._width - 1).count(first, below) > 0

    @cached_property
    def _whole(self) -> Sums:
        return Sums(self._are_whole)

    @cached_property
    def _records(self) -> Sums:
        return Sums(self._are_records)

    def are_divided(self) -> np.ndarray:
        """Return which lines have the delimiters of a record, those between a quote and the next left out or not."""
        is_first = (np.arange(len(self.places)) - np.repeat(self._first, self.quotes[self.filled])) % 2 == 0
        is_first[self._last[self.quotes[self.filled] % 2 == 1]] = False  # no other is behind it
        plain = self.delimiters.copy()
        if len(self._first):
            plain[self.filled] -= np.add.reduceat(self._below * is_first, self._first)
        found: np.ndarray = (plain == self._width - 1) | (self.delimiters == self._width - 1)
        return found

    def find_ends(self, lines: np.ndarray) -> np.ndarray:
        """Return the line below the record that each of these begins; beyond the one below the last where it does not end."""
        ends = lines + 1
        odd = np.flatnonzero(self.from_outside.is_inside[lines])
        ends[odd] = self._closing[ends[odd]] + 1
        return ends

    @cached_property
    def _closing(self) -> np.ndarray:
        """Return the first line, from each on, that closes what is open above it."""
        return find_next(np.flatnonzero(~self.from_inside.is_inside), len(self))

    def count_fields(self, first: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many fields records have that begin in lines, and end above others, and whether one of their quotes closes a field that goes on."""
        read, (delimiters, junk) = self.from_outside, self._inner
        fields = read.delimiters[first] + delimiters.count(first + 1, below) + 1
        return fields, read.junk[first] | (junk.count(first + 1, below) > 0)

    @cached_property
    def _inner(self) -> tuple[Sums, Sums]:
        return Sums(self.from_inside.delimiters), Sums(self.from_inside.junk)

    @cached_property
    def _before(self) -> np.ndarray:
        """Return how many delimiters stand before each quote."""
        return self._delimiters.count_before(self.places)

    @cached_property
    def _below(self) -> np.ndarray:
        """Return how many delimiters stand behind each quote, before the next of its line."""
        following = np.append(self._before[1:], np.int32(0))
        following[self._last] = self._bounds[self.filled + 1]
        counts: np.ndarray = following - self._before
        return counts

    @cached_property
    def _kinds(self) -> np.ndarray:
        """Return of each quote whether it begins a field (2), or stands beside the one before (1)."""
        view, quotes = self._view, self.places
        begins = are_of(self._marks, view[quotes - 1]) | (quotes == 0)
        return np.asarray(2 * begins.view(np.uint8) + np.append(False, np.diff(quotes) == 1)[: len(quotes)])

    @cached_property
    def _are_ends(self) -> np.ndarray:
        """Return of each quote whether a field may end with it, or another quote stands behind it."""
        below = self.places + 1
        found = are_of(self._marks + self.quote.encode(), self._view[np.minimum(below, len(self._view) - 1)])
        return np.asarray(found | (below == len(self._view)))

    def _read(self, begin: int) -> ReadLines:
        """Return what a reader finds in each line."""
        state, counted, told = self._follow(begin)
        is_inside, (junk, stray) = np.full(len(self), begin == _INSIDE), np.zeros((2, len(self)), dtype=bool)
        is_inside[self.filled] = state == _INSIDE
        junk[self.filled], stray[self.filled] = told & _JUNK, told & _STRAY
        delimiters = np.zeros(len(self), np.int32)
        if begin == _OUTSIDE:
            delimiters = self.delimiters.copy()
            counted += self._before[self._first] - self._bounds[self.filled]
        delimiters[self.filled] = counted
        return ReadLines(is_inside, delimiters, junk, stray)

    def _follow(self, begin: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return of each line with a quote, where it begins so, its last state, how many delimiters count behind its quotes, and what these are.

        The first quotes of all lines are told, then the second, and many in one line by themselves.
        """
        first, counts, lines = self._first, self.quotes[self.filled], np.arange(len(self.filled))
        last: np.ndarray = np.full(len(first), begin, np.uint8)
        state, told, counted = last, np.zeros(len(first), np.uint8), np.zeros(len(first), np.int32)
        for turn in range(_AT_ONCE):
            if not len(first):
                return last, counted, told
            after = _step(8 * state + self._codes[first])
            state, is_all = after & _STATE, turn == 0
            behind = self._below[first] * (after >= _COUNTS)
            if is_all:
                last, told, counted = state, after.copy(), behind
            else:
                last[lines], told[lines], counted[lines] = state, told[lines] | after, counted[lines] + behind
            more = np.flatnonzero(counts > turn + 1)
            first, counts, lines, state = first[more] + 1, counts[more], lines[more], state[more]
        for line, place, count in zip(lines.tolist(), first.tolist(), counts.tolist(), strict=True):
            stop, step = place + count - _AT_ONCE, int(last[line])
            for code, below in zip(self._codes[place:stop].tolist(), self._below[place:stop].tolist(), strict=True):
                step = _STEPS[8 * (step & _STATE) + code]
                told[line] |= step
                counted[line] += below * (step >= _COUNTS)
            last[line] = step & _STATE
        return last, counted, told

    @cached_property
    def _codes(self) -> np.ndarray:
        """Return of each quote what it is by what stands beside it."""
        codes: np.ndarray = self._kinds + self._are_ends * np.uint8(_CAN_END)
        return codes


class Sums:
    """Counts of lines, of which those of several are told."""

    def __init__(self, of_lines: np.ndarray) -> None:
        self.before = np.zeros(len(of_lines) + 1, np.int32)
        np.cumsum(of_lines, out=self.before[1:], dtype=np.int32)

    def count(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return the sum of those from each line to before another."""
        counts: np.ndarray = self.before[below] - self.before[first]
        return counts


def _step(codes: np.ndarray) -> np.ndarray:
    return np.frombuffer(codes.tobytes().translate(_STEPS), np.uint8)
