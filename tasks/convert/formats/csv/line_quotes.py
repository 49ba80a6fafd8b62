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
    """What a reader finds in each line that it begins in quotes, or outside: whether it ends in quotes, and how many delimiters stand outside of them.

    It has `junk` where a quote closes a field that goes on, and is `stray` where one is a character of it.
    """

    is_inside: np.ndarray
    delimiters: np.ndarray
    junk: np.ndarray
    stray: np.ndarray


class LineQuotes:
    """The quotes of whole lines, of which `starts` are the first bytes."""

    def __init__(self, view: np.ndarray, starts: np.ndarray, quote: str, delimiter: str) -> None:
        self._view, self._quote, self._delimiter = view, quote, delimiter
        self._marks = f"{delimiter}\r\n".encode()
        self._edges = np.append(starts, len(view))

    def __len__(self) -> int:
        return len(self._edges) - 1

    @cached_property
    def _is_quote(self) -> np.ndarray:
        return np.asarray(self._view == ord(self._quote))

    @cached_property
    def _places(self) -> np.ndarray:
        """Return where the quotes stand."""
        return np.flatnonzero(self._is_quote)

    @cached_property
    def _quotes_before(self) -> np.ndarray:
        """Return how many quotes stand before each line, and in all of them."""
        return Marks(self._is_quote).count_before(self._edges)

    @cached_property
    def quotes(self) -> np.ndarray:
        """Return how many quotes each line has."""
        return np.diff(self._quotes_before)

    @cached_property
    def _filled(self) -> np.ndarray:
        """Return the lines that have a quote."""
        return np.flatnonzero(self.quotes)

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
        following = np.append(self._before[1:], np.int32(0))
        following[self._last] = self._bounds[self._filled + 1]
        counts: np.ndarray = following - self._before
        return counts

    @cached_property
    def _kinds(self) -> np.ndarray:
        """Return of each quote whether it begins a field (2), or stands beside the one before (1)."""
        view, quotes = self._view, self._places
        begins = are_of(self._marks, view[quotes - 1]) | (quotes == 0)
        return np.asarray(2 * begins.view(np.uint8) + np.append(False, np.diff(quotes) == 1)[: len(quotes)])

    @cached_property
    def _are_ends(self) -> np.ndarray:
        """Return of each quote whether a field may end with it, or another quote stands behind it."""
        below = self._places + 1
        found = are_of(self._marks + self._quote.encode(), self._view[np.minimum(below, len(self._view) - 1)])
        return np.asarray(found | (below == len(self._view)))

    def read(self, begin: int) -> ReadLines:
        """Return what a reader finds in each line."""
        state, counted, told = self._follow(begin)
        is_inside, (junk, stray) = np.full(len(self), begin == INSIDE), np.zeros((2, len(self)), dtype=bool)
        is_inside[self._filled] = state == INSIDE
        junk[self._filled], stray[self._filled] = told & _JUNK, told & _STRAY
        delimiters = np.zeros(len(self), np.int32)
        if begin == OUTSIDE:
            delimiters = self.delimiters.copy()
            counted += self._before[self._first] - self._bounds[self._filled]
        delimiters[self._filled] = counted
        return ReadLines(is_inside, delimiters, junk, stray)

    def _follow(self, begin: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return of each line with a quote, where it begins so, its last state, how many delimiters count behind its quotes, and what these are.

        The first quotes of all lines are told, then the second, and many in one line by themselves.
        """
        first, counts, lines = self._first, self.quotes[self._filled], np.arange(len(self._filled))
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


def _step(codes: np.ndarray) -> np.ndarray:
    return np.frombuffer(codes.tobytes().translate(_STEPS), np.uint8)
