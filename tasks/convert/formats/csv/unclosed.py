"""The lines that open a quote which nothing closes, and the records that may be such a line and others below it, told of all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.alone import LinesAlone
from tasks.convert.formats.csv.places import find_next, follow
from tasks.convert.formats.csv.quotes import are_inside
from tasks.convert.formats.csv.spans import MANY_LINES, LaidLines, LinesAlike, may_be_stray

_NONE = -1


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
    lines, quoted, count = laid.alone, laid.holding, len(laid.starts)
    begins = np.where(laid.is_first[quoted], find_next(laid.doubtful, count)[quoted], quoted)
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
    nodes = follow(np.append(0, np.cumsum(is_quoted))[next_line])
    nodes = nodes[~is_last[nodes]]
    tall = nodes[is_tall[nodes]]
    return Unclosed(first[nodes[is_unclosed[nodes]]], first[tall], below[tall], is_doubted[tall])


def _doubt(
    lines: LinesAlone, alike: LinesAlike, first: np.ndarray, below: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return of records of several lines whether they run over many like records, and whether the quote of the first is taken for a stray one."""
    fields, junk = lines.count_fields(first, below)
    is_odd, is_tall = (fields != width) | (junk > 0), alike.are_records(first + 1, below - 1)
    is_doubted = is_odd & (is_tall | may_be_stray(lines, first, below, width))
    if is_tall.any():
        # Of a stray quote the lines that it opens and closes in are records too; of a text of records one is longer.
        is_divided = lines.are_divided(width)
        is_doubted |= is_tall & is_divided[first] & is_divided[below - 1]
    return is_tall, is_doubted


def _find_below(text: ByteView, among: LinesAlone, lines: np.ndarray, width: int) -> np.ndarray:
    """Return of lines the one below the record that each begins, of so many fields, quoted as they ought to be, and of few lines; -1 where it begins none.

    The record ends with the first line before whose end as many quotes open as close. Those before the line tell by
    their number alone which of its quotes would open: every other one, from the first of the line on.
    """
    view, (starts, _), delimiter = text.to_numpy(), text.line_spans_of_any_end, among.delimiter
    bounds, is_mark, before = np.append(starts, len(view)), view == ord(delimiter), among.before
    is_inside = are_inside(among.is_quote)
    parity = before[lines] % 2
    ends = _find_ends(among.quotes, lines)
    is_few = (ends != _NONE) & (ends - lines - 2 < MANY_LINES)
    is_odd = _find_odd(among)
    found = np.full(len(lines), _NONE)
    for turn, is_outside in ((0, ~is_inside), (1, is_inside)):
        places, odd = np.flatnonzero(is_few & (parity == turn)), np.append(0, np.cumsum(is_odd[turn]))
        places = places[odd[before[ends[places]]] == odd[before[lines[places]]]]
        if len(places):
            marks, (first, below) = Marks(is_mark & is_outside), (bounds[lines[places]], bounds[ends[places]])
            places = places[marks.count_before(below) - marks.count_before(first) == max(width - 1, 0)]
        found[places] = ends[places]
    return found


def _find_ends(counts: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return of each of the lines the first below it before which an even number of quotes stand, or an odd one; -1 where there is none.

    A line with an even number leaves that as it was, and one with an odd number up to the next with such.
    """
    odd, ends, is_odd = np.flatnonzero(counts % 2 == 1), lines + 1, counts[lines] % 2 == 1
    ends[is_odd] = np.append(odd + 1, _NONE)[np.searchsorted(odd, lines[is_odd], "right")]
    return ends


def _find_odd(among: LinesAlone) -> tuple[np.ndarray, np.ndarray]:
    """Return of quotes whether each stands where it cannot, where those in even places open, and where those in odd ones do."""
    begins, is_even = among.kinds > 0, np.arange(len(among.kinds)) % 2 == 0
    return ~np.where(is_even, begins, among.are_ends), ~np.where(is_even, among.are_ends, begins)
