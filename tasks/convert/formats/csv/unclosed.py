"""The lines that open a quote which nothing closes, and the records that may be such a line and others below it, told of all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.convert.files.byte_view import mark
from tasks.convert.formats.csv.alone import LinesAlone
from tasks.convert.formats.csv.places import NextPlaces, follow, list_places
from tasks.convert.formats.csv.quotes import are_between
from tasks.convert.formats.csv.spans import MANY_LINES, LaidLines, LinesAlike, may_be_stray

_NOWHERE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Unclosed:
    """The lines that open a quote which is never closed; and the first lines of the records that run over many lines like records, and the ones below them, of which some were `doubted`.

    `is_first` tells of each line whether it is the first of a record, be it blank, or opens such a quote.
    """

    lines: np.ndarray
    first: np.ndarray
    below: np.ndarray
    is_doubted: np.ndarray
    is_first: np.ndarray

    @classmethod
    def none(cls, laid: LaidLines) -> Unclosed:
        """Return that no line does."""
        return cls(_NOWHERE, _NOWHERE, _NOWHERE, _NOWHERE.astype(bool), laid.is_first)

    def narrow(self, stop: int) -> Unclosed:
        """Return those of so many lines, with the last of which a record ends."""
        kept = self.below <= stop
        lines, is_first = self.lines[self.lines < stop], self.is_first[:stop]
        return Unclosed(lines, self.first[kept], self.below[kept], self.is_doubted[kept], is_first)


def find_unclosed(laid: LaidLines, width: int) -> Unclosed:
    """Return the lines that have a quote, and begin no record, or one that is more likely a line whose quote is stray, and records below it.

    Those within a record are passed over, and those of the records in which each quote counts,
    down to the next that may be several. Where each of them leads is told at once, and then followed.
    """
    return _tell_first_alone(laid) or _follow(laid, width)


def _tell_first_alone(laid: LaidLines) -> Unclosed | None:
    """Return the same where each line of the doubtful records that is not the first ends by itself, as it mostly does: then the first is the one that opens such a quote, and none has to be followed. None where one does not, or a record has many lines."""
    first, last = laid.doubtful_lines
    tall = np.flatnonzero(last > first)
    if len(tall) and int((last - first).max()) > MANY_LINES:
        return None
    inner = list_places(first[tall] + 1, last[tall] + 1)
    if laid.alone.from_outside.is_inside.take(inner).any():
        return None
    is_first = laid.is_first.copy()
    is_first[inner] = True
    return Unclosed(first, _NOWHERE, _NOWHERE, _NOWHERE.astype(bool), is_first)


def _follow(laid: LaidLines, width: int) -> Unclosed:
    """Return the same of any records."""
    lines, quoted, count = laid.alone, laid.alone.filled, len(laid.starts)
    is_first, is_doubtful = laid.is_first[quoted], mark(laid.doubtful, count)
    begins, passed = quoted.copy(), np.flatnonzero(is_first & ~is_doubtful[quoted])
    begins[passed] = NextPlaces(is_doubtful).find(quoted[passed])
    is_last = begins == count
    first = np.minimum(begins, count - 1)
    below = lines.find_ends(first)
    is_unclosed, is_tall = below > count, np.zeros(len(quoted), dtype=bool)
    heights = below - first
    are_several = (heights > 1) & ~(is_unclosed | is_last) & (width > 0)
    # A doubtful record in which each quote counts is doubted already, unless it runs over many lines.
    is_doubted = are_several & is_first & (heights < MANY_LINES + 2)
    several = np.flatnonzero(are_several & ~is_doubted)
    if len(several):
        is_tall[several], is_doubted[several] = _doubt(lines, laid.alike, first[several], below[several], width)
    is_unclosed |= is_doubted
    next_line = np.where(is_unclosed, first + 1, below)
    next_line[is_last] = count
    nodes = follow(lines.count_filled_before(next_line))
    # As each quote counts lie those that are passed over, others by themselves but those within the records below.
    above = nodes[(begins > quoted)[nodes]]
    is_first = ~are_between(quoted[above], begins[above], count) | laid.is_first
    nodes = nodes[: len(nodes) - np.count_nonzero(is_last[nodes[-1:]])]
    tall = nodes[(next_line > first + 1)[nodes]]
    is_first &= ~are_between(first[tall] + 1, next_line[tall], count)
    tall, unclosed = (np.compress(each[nodes], nodes) for each in (is_tall, is_unclosed))
    return Unclosed(first[unclosed], first[tall], below[tall], is_doubted[tall], is_first)


def _doubt(
    lines: LinesAlone, alike: LinesAlike, first: np.ndarray, below: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return of records of several lines whether they run over many like records, and whether the quote of the first is taken for a stray one."""
    fields, junk = lines.count_fields(first, below)
    is_tall = alike.are_records(first + 1, below - 1)
    odd = np.flatnonzero((fields != width) | junk)
    is_doubted = np.zeros(len(first), dtype=bool)
    is_doubted[odd] = is_tall[odd] | may_be_stray(lines, first[odd], below[odd])
    if is_tall.any():
        # Of a stray quote the lines that it opens and closes in are records too; of a text of records one is longer.
        is_divided = lines.are_divided()
        is_doubted |= is_tall & is_divided[first] & is_divided[below - 1]
    return is_tall, is_doubted
