"""The lines that open a quote which nothing closes, and the records that may be such a line and others below it, told of all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.alone import LinesAlone
from tasks.convert.formats.csv.quotes import are_of
from tasks.convert.formats.csv.spans import MANY_LINES, LaidLines, LinesAlike, may_be_stray

_NONE = -1
_STEPS = 20


@dataclass(frozen=True)
class Unclosed:
    """The lines that open a quote which is never closed; and the first lines of the records that run over many lines like records, and the ones below them, of which some were `doubted`."""

    lines: np.ndarray
    first: np.ndarray
    below: np.ndarray
    is_doubted: np.ndarray


def find_unclosed(text: ByteView, laid: LaidLines, alike: LinesAlike, width: int) -> Unclosed:
    """Return the lines that have a quote, and begin no record, or one that is more likely a line whose quote is stray, and records below it.

    Those within a record are passed over, and those of the records in which each quote counts,
    down to the next that may be several. Where each of them leads is told at once, and then followed.
    """
    lines, quoted, count = laid.alone, laid.quoted, len(laid.starts)
    begins = np.where(laid.is_first[quoted], _find_next(laid.doubtful, count)[quoted], quoted)
    is_last = begins == count
    first = np.minimum(begins, count - 1)
    below = _find_below(text, lines, first, width)
    odd = np.flatnonzero(~is_last & (below == _NONE))
    below[odd] = lines.find_ends(first[odd])
    is_unclosed, (is_tall, is_doubted) = below > count, np.zeros((2, len(quoted)), dtype=bool)
    several = odd[(below[odd] <= count) & (below[odd] - first[odd] > 1) & (width > 0)]
    if len(several):
        is_tall[several], is_doubted[several] = _doubt(lines, alike, first[several], below[several], width)
    is_unclosed |= is_doubted
    next_line = np.where(is_last, count, np.where(is_unclosed, first + 1, below))
    is_quoted = np.zeros(count, dtype=bool)
    is_quoted[quoted] = True
    nodes = _follow(np.append(0, np.cumsum(is_quoted))[next_line])
    nodes = nodes[~is_last[nodes]]
    tall = nodes[is_tall[nodes]]
    return Unclosed(first[nodes[is_unclosed[nodes]]], first[tall], below[tall], is_doubted[tall])


def _doubt(
    lines: LinesAlone, alike: LinesAlike, first: np.ndarray, below: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return of records of several lines whether they run over many like records, and whether the quote of the first is taken for a stray one."""
    fields, junk = lines.count_fields(first, below)
    is_odd, is_divided = (fields != width) | (junk > 0), lines.are_divided(width)
    is_tall = alike.are_records(first + 1, below - 1)
    # Of a stray quote the lines that it opens and closes in are records too; of a text of records one is longer.
    is_doubted = np.where(
        is_tall,
        is_odd | (is_divided[first] & is_divided[below - 1]),
        is_odd & may_be_stray(lines, first, below, width),
    )
    return is_tall, is_doubted


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


def _find_below(text: ByteView, among: LinesAlone, lines: np.ndarray, width: int) -> np.ndarray:
    """Return of lines the one below the record that each begins, of so many fields, quoted as they ought to be, and of few lines; -1 where it begins none.

    The record ends with the first line before whose end as many quotes open as close. Those before the line tell by
    their number alone which of its quotes would open: every other one, from the first of the line on.
    """
    view, (starts, _), (quote, delimiter) = text.to_numpy(), text.line_spans_of_any_end, (among.quote, among.delimiter)
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
