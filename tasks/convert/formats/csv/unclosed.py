"""The lines that open a quote which nothing closes, where there are so many of them that each is one but for what is well formed."""

from __future__ import annotations

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.quotes import are_of
from tasks.convert.formats.csv.spans import MANY_LINES, LaidLines

_NONE = -1
_STEPS = 20


def find_unclosed(text: ByteView, laid: LaidLines, line: int, quote: str, delimiter: str, width: int) -> np.ndarray:
    """Return the lines from one on that have a quote, and begin no record of `width` fields which are quoted as they ought to be.

    Those within such a record are passed over, and those of the records in which each quote counts,
    down to the next that may be several. Where each of them leads is told at once, and then followed.
    """
    quoted, count = laid.quoted, len(laid.starts)
    lines = np.where(laid.is_first[quoted], _find_next(laid.doubtful, count)[quoted], quoted)
    is_last = lines == count
    below = _find_below(text, laid.starts, np.minimum(lines, count - 1), quote, delimiter, width)
    next_line = np.where(is_last, count, np.where(below == _NONE, lines + 1, below))
    is_quoted = np.zeros(count, dtype=bool)
    is_quoted[quoted] = True
    steps = np.append(0, np.cumsum(is_quoted))[next_line]
    first = int(np.searchsorted(quoted, line))
    nodes = first + _follow(steps[first:] - first)
    found: np.ndarray = lines[nodes[(below[nodes] == _NONE) & ~is_last[nodes]]]
    return found


def _follow(following: np.ndarray) -> np.ndarray:
    """Return the nodes on the way from the first, each of which leads to one further on.

    Those that no other leads past are on it. From these the others are told, a step of all at a time: mostly few are enough.
    """
    count = len(following)
    is_passed = np.arange(count) > np.cumsum(np.bincount(following, minlength=count + 1))[:count]
    is_met, reached = ~is_passed, following[~is_passed]
    for _ in range(_STEPS):
        reached = reached[reached < count]
        reached = reached[is_passed[reached]]
        is_met[reached] = True
        reached = following[reached]
    if len(reached):
        steps, passed = following.tolist(), [*is_passed.tolist(), False]
        for begin in reached.tolist():
            node = begin
            while passed[node]:
                is_met[node] = True
                node = steps[node]
    return np.flatnonzero(is_met)


def _find_below(
    text: ByteView, starts: np.ndarray, lines: np.ndarray, quote: str, delimiter: str, width: int
) -> np.ndarray:
    """Return of lines the one below the record that each begins, of so many fields, quoted as they ought to be, and of few lines; -1 where it begins none.

    The record ends with the first line before whose end as many quotes open as close. Those before the line tell by
    their number alone which of its quotes would open: every other one, from the first of the line on.
    """
    view = text.to_numpy()
    bounds, is_quote, is_mark = np.append(starts, len(view)), view == ord(quote), view == ord(delimiter)
    is_inside = np.bitwise_xor.accumulate(is_quote.view(np.uint8)).view(bool)
    before = Marks(is_quote).count_before(bounds)
    parity = before[lines] % 2
    ends = _find_ends(before, lines, parity)
    is_few = (ends != _NONE) & (ends - lines - 2 < MANY_LINES)
    is_odd = _find_odd(view, np.flatnonzero(is_quote), delimiter)
    found = np.full(len(lines), _NONE)
    for turn, is_outside in ((0, ~is_inside), (1, is_inside)):
        places, odd = np.flatnonzero(is_few & (parity == turn)), np.append(0, np.cumsum(is_odd[turn]))
        places = places[odd[before[ends[places]]] == odd[before[lines[places]]]]
        if len(places):
            marks, (first, below) = Marks(is_mark & is_outside), (bounds[lines[places]], bounds[ends[places]])
            places = places[marks.count_before(below) - marks.count_before(first) == max(width - 1, 0)]
        found[places] = ends[places]
    return found


def are_closed(text: ByteView, starts: np.ndarray, lines: np.ndarray, quote: str, delimiter: str) -> np.ndarray:
    """Return whether a record that begins with each of the lines ends in the text, quoted as it ought to be or not; where it is not told it may.

    In it quotes open and close in turns, from the first that begins a field to the next in the turn to open that
    begins none.
    """
    view = text.to_numpy()
    is_quote = view == ord(quote)
    before, quotes = Marks(is_quote).count_before(np.append(starts, len(view))), np.flatnonzero(is_quote)
    is_begin = are_of(f"{delimiter}\r\n".encode(), view[quotes - 1]) | (quotes == 0)
    is_odd = ~is_begin & np.append(True, np.diff(quotes) > 1)[: len(quotes)]
    opening = _find_next(np.flatnonzero(is_begin), len(quotes))[before[lines]]
    ends = _find_ends(before, lines, opening % 2)
    found = before[lines + 1] <= opening  # nothing opens in the line itself
    for turn in (0, 1):
        odd = _find_next(np.flatnonzero(is_odd[turn::2]) * 2 + turn, len(quotes))
        is_sure = before[np.maximum(ends, 0)] <= odd[opening]
        found |= (opening % 2 == turn) & (ends != _NONE) & is_sure
    return np.asarray(found)


def _find_ends(before: np.ndarray, lines: np.ndarray, parity: np.ndarray) -> np.ndarray:
    """Return of each of the lines the first below it before which an even number of quotes stand, or an odd one; -1 where there is none."""
    count, ends = len(before), np.empty(len(lines), np.int64)
    for turn in (0, 1):
        is_so = parity == turn
        ends[is_so] = _find_next(np.flatnonzero(before % 2 == turn), count)[lines[is_so] + 1]
    ends[ends == count] = _NONE
    return ends


def _find_next(places: np.ndarray, count: int) -> np.ndarray:
    """Return the first of the places that is not before each one, of so many and the one below; `count` where there is none."""
    found = np.full(count + 1, count)
    found[places] = places
    return np.minimum.accumulate(found[::-1])[::-1]


def _find_odd(view: np.ndarray, quotes: np.ndarray, delimiter: str) -> tuple[np.ndarray, np.ndarray]:
    """Return of quotes whether each stands where it cannot, where those in even places open, and where those in odd ones do."""
    marks, is_beside = f"{delimiter}\r\n".encode(), np.diff(quotes) == 1
    begins = are_of(marks, view[quotes - 1]) | (quotes == 0) | np.append(False, is_beside)
    ends = are_of(marks, view[np.minimum(quotes + 1, len(view) - 1)]) | (quotes == len(view) - 1)
    ends |= np.append(is_beside, False)
    is_even = np.arange(len(quotes)) % 2 == 0
    return ~np.where(is_even, begins, ends), ~np.where(is_even, ends, begins)
