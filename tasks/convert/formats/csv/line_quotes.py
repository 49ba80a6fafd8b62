"""The quotes of some lines of CSV, and what a reader finds in each of these: told of all at once, whatever stands above."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.convert.files.byte_view import Marks
from tasks.convert.formats.csv.quotes import are_of

OUTSIDE, INSIDE, _CLOSED = range(3)  # of a field, in one, or behind a quote that may close one
_STATE, _JUNK, _STRAY, _COUNTS = 3, 4, 8, 16  # what is behind a quote, in bits
_AT_ONCE = 64  # quotes of a line, of which that many are told a turn of all lines at a time
_CAN_END = 4
# By what was before a quote, and whether it begins a field (2), stands beside another (1), or neither.
_AFTER = (
    (OUTSIDE, OUTSIDE, INSIDE, INSIDE),
    (_CLOSED, _CLOSED, _CLOSED, _CLOSED),
    (OUTSIDE, INSIDE, INSIDE, INSIDE),
)


def _tell_after(before: int, kind: int) -> int:
    """Return what is behind a quote of a kind: the state, and whether it closes a field that goes on, is a character, or has delimiters behind it that count."""
    state = _AFTER[before][kind % _CAN_END]
    is_junk = state == _CLOSED and kind < _CAN_END
    return state | _JUNK * is_junk | _STRAY * (state == OUTSIDE) | _COUNTS * (state != INSIDE)


_STEPS = bytes(_tell_after(code // 8 % 3, code % 8) for code in range(256))


@dataclass(frozen=True)
class ReadLines:
    """What a reader finds in each line that it begins in quotes, or outside: in the bits of `told` what is behind its last quote, and what its quotes are; and how many delimiters stand outside of them."""

    told: np.ndarray
    delimiters: np.ndarray

    @cached_property
    def is_inside(self) -> np.ndarray:
        """Return whether each line ends in quotes."""
        return np.asarray(self.told & _STATE == INSIDE)

    @cached_property
    def junk(self) -> np.ndarray:
        """Return in which lines a quote closes a field that goes on."""
        return (self.told & _JUNK).astype(bool)

    @property
    def is_even(self) -> np.ndarray:
        """Return which lines end outside of quotes, and have none that is a character, or closes a field that goes on."""
        return np.asarray((self.told & (_JUNK | _STRAY) == 0) & ~self.is_inside)


class LineQuotes:
    """The quotes of whole lines, of which `starts` are the first bytes, and which stand at `places`."""

    def __init__(self, view: np.ndarray, starts: np.ndarray, places: np.ndarray, quote: str, delimiter: str) -> None:
        self._view, self._places, self._quote, self._delimiter = view, places, quote, delimiter
        self._marks = f"{delimiter}\r\n".encode()
        self._edges = np.append(starts, len(view))

    def __len__(self) -> int:
        return len(self._edges) - 1

    @cached_property
    def _quotes_before(self) -> np.ndarray:
        """Return how many quotes stand before each line, and in all of them."""
        places, edges = self._places, self._edges
        if len(places) == len(self) and (edges[:-1] <= places).all() and (places < edges[1:]).all():
            return np.arange(len(edges), dtype=np.int32)  # each line has one
        return Marks(self._view == ord(self._quote)).count_before(edges)

    @cached_property
    def quotes(self) -> np.ndarray:
        """Return how many quotes each line has."""
        return np.diff(self._quotes_before)

    @cached_property
    def _filled(self) -> np.ndarray:
        """Return the lines that have a quote."""
        return np.flatnonzero(self.quotes)

    def _of_filled(self, of_lines: np.ndarray) -> np.ndarray:
        """Return of these what is told of all lines."""
        return of_lines if len(self._filled) == len(of_lines) else of_lines[self._filled]

    @property
    def _are_single(self) -> bool:
        """Return whether each of these has one quote alone, which then is the first and the last."""
        return len(self._filled) == len(self._places)

    def _of_first(self, of_quotes: np.ndarray) -> np.ndarray:
        """Return of the first quote of each of these what is told of all quotes."""
        return of_quotes if self._are_single else of_quotes[self._first]

    @cached_property
    def _first(self) -> np.ndarray:
        """Return which quote is the first of each of these."""
        first: np.ndarray = self._quotes_before[self._filled].astype(np.intp)
        return first

    @cached_property
    def _last(self) -> np.ndarray:
        """Return which quote is the last of each of these."""
        last: np.ndarray = self._quotes_before[self._filled + 1].astype(np.intp) - 1
        return last

    @cached_property
    def _delimiters(self) -> Marks:
        return Marks(self._view == ord(self._delimiter))

    @cached_property
    def _bounds(self) -> np.ndarray:
        """Return how many delimiters stand before each line, and in all of them."""
        return self._delimiters.count_before(self._edges)

    @cached_property
    def delimiters(self) -> np.ndarray:
        """Return how many each line has, within quotes or not."""
        return np.diff(self._bounds)

    def count_apart(self) -> np.ndarray:
        """Return how many delimiters each line has, those between a quote and the next left out."""
        is_first = (np.arange(len(self._places)) - np.repeat(self._first, self.quotes[self._filled])) & 1 == 0
        is_first[self._last[self.quotes[self._filled] & 1 == 1]] = False  # no other is behind it
        apart = self.delimiters.copy()
        if len(self._first):
            apart[self._filled] -= np.add.reduceat(self._below * is_first, self._first)
        return apart

    @cached_property
    def _before(self) -> np.ndarray:
        """Return how many delimiters stand before each quote."""
        return self._delimiters.count_before(self._places)

    @cached_property
    def _below(self) -> np.ndarray:
        """Return how many delimiters stand behind each quote, before the next of its line."""
        following = of_line_ends = self._of_filled(self._bounds[1:])
        if not self._are_single:
            following = np.append(self._before[1:], np.int32(0))
            following[self._last] = of_line_ends
        counts: np.ndarray = following - self._before
        return counts

    @cached_property
    def _kinds(self) -> np.ndarray:
        """Return of each quote whether it begins a field (2), or stands beside the one before (1)."""
        view, quotes = self._view, self._places
        kinds = 2 * (are_of(self._marks, view[quotes - 1]) | (quotes == 0)).view(np.uint8)
        if not self._are_single:
            kinds[1:] += np.diff(quotes) == 1
        return np.asarray(kinds)

    @cached_property
    def _are_ends(self) -> np.ndarray:
        """Return of each quote whether a field may end with it, or another quote stands behind it."""
        below = self._places + 1
        found = are_of(self._marks + self._quote.encode(), self._view[np.minimum(below, len(self._view) - 1)])
        return np.asarray(found | (below == len(self._view)))

    def read(self, begin: int) -> ReadLines:
        """Return what a reader finds in each line."""
        told, counted = self._follow(begin)
        if begin == OUTSIDE:
            counted += self._of_first(self._before) - self._of_filled(self._bounds[:-1])
        if len(self._filled) == len(self):
            return ReadLines(told, counted)
        told_of_all, delimiters = np.full(len(self), begin, np.uint8), np.zeros(len(self), np.int32)
        if begin == OUTSIDE:
            delimiters = self.delimiters.copy()
        told_of_all[self._filled], delimiters[self._filled] = told, counted
        return ReadLines(told_of_all, delimiters)

    def _follow(self, begin: int) -> tuple[np.ndarray, np.ndarray]:
        """Return of each line with a quote, where it begins so, what is behind the last and what all of them are, and how many delimiters count behind them.

        The first quotes of all lines are told, then the second, and many in one line by themselves.
        """
        told = _step(self._of_first(self._codes) + np.uint8(8 * begin)).copy()
        counted = self._of_first(self._below) * (told >= _COUNTS)
        if self._are_single:
            return told, counted
        counts = self._of_filled(self.quotes)
        lines = np.flatnonzero(counts > 1)
        first, counts, state = self._first[lines] + 1, counts[lines], told[lines] & _STATE
        for turn in range(1, _AT_ONCE):
            if not len(first):
                return told, counted
            after = _step(8 * state + self._codes[first])
            told[lines] = told[lines] & ~np.uint8(_STATE) | after
            counted[lines] += self._below[first] * (after >= _COUNTS)
            more = np.flatnonzero(counts > turn + 1)
            first, counts, lines, state = first[more] + 1, counts[more], lines[more], after[more] & _STATE
        for line, place, count in zip(lines.tolist(), first.tolist(), counts.tolist(), strict=True):
            stop = place + count - _AT_ONCE
            for code, below in zip(self._codes[place:stop].tolist(), self._below[place:stop].tolist(), strict=True):
                step = _STEPS[8 * (int(told[line]) & _STATE) + code]
                told[line] = told[line] & ~np.uint8(_STATE) | step
                counted[line] += below * (step >= _COUNTS)
        return told, counted

    @cached_property
    def _codes(self) -> np.ndarray:
        """Return of each quote what it is by what stands beside it."""
        codes: np.ndarray = self._kinds + self._are_ends * np.uint8(_CAN_END)
        return codes


def _step(codes: np.ndarray) -> np.ndarray:
    return np.frombuffer(codes.tobytes().translate(_STEPS), np.uint8)
