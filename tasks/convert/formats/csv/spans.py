"""Where the records of a CSV block stand, told by the places of its quotes, delimiters and line ends, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.alone import LinesAlone
from tasks.convert.formats.csv.quotes import Quoted, find_quoted
from tasks.convert.formats.header import NUMBER_OR_DATE, pattern_of_values
from tasks.convert.schema.misfits import cut_texts

MANY_LINES = 5  # within one quoted field that are records each: of fewer a text may consist by chance
_LINES_JUDGED = 200
_ALMOST_ALL = 0.9
_FEW_FIELDS = 3
_CARRIAGE_RETURN = 13
_MOST_ASCII = 127


def count_records(data: bytes, quote: str, delimiter: str = ",", width: int = 0) -> int:
    """Return how many records a block holds, empty lines left out, by its line ends outside quotes alone.

    None are where a quote is left open, or may swallow records of `width` fields:
    only a reader can tell what that means.
    """
    found = find_lines(data, quote, delimiter, width)
    return -1 if found is None else len(found)


def find_lines(data: bytes, quote: str, delimiter: str, width: int) -> np.ndarray | None:
    """Return how many lines stand before each record of a block; None where `count_records` counts none."""
    window = ByteView.of(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data)
    quoted = find_quoted(window.to_numpy(), quote, delimiter) if quote else None
    last = _find_last(window, quoted, (quote, delimiter), width)
    if last is None:
        return None
    starts, stops = _divide(window, last)
    lines: np.ndarray = np.append(0, last + 1)[stops > starts]
    return lines


def _find_last(window: ByteView, quoted: Quoted | None, marks: tuple[str, str], width: int) -> np.ndarray | None:
    """Return the place among the line feeds of each that ends a record; None where only a reader can tell."""
    ends = window.line_ends
    if quoted is None:
        return np.arange(len(ends))
    if quoted.open is not None or _may_swallow(window, quoted, marks, width):
        return None
    return np.flatnonzero(~quoted.hold(ends))


def _divide(window: ByteView, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the records begin and end, of which all but one end with these of the line feeds."""
    outside = window.line_ends[last]
    return np.append(0, outside + 1), np.append(outside, len(window))


@dataclass(frozen=True)
class RecordSpans:
    """The records of a block of which each line ends with a line feed, told apart without a reader, blank lines left out.

    `lines` are the first line of each, and `below` the one below its last; `starts` and `stops` are
    its bytes, without its line end, and `widths` how many fields it has. `is_mark` tells of each byte of the block
    whether it is a delimiter outside quotes.
    """

    lines: np.ndarray
    below: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    widths: np.ndarray
    is_mark: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, kept: np.ndarray) -> RecordSpans:
        """Return some of the records, by their places or as a mask."""
        lines, below, starts, stops = self.lines[kept], self.below[kept], self.starts[kept], self.stops[kept]
        return RecordSpans(lines, below, starts, stops, self.widths[kept], self.is_mark)


def find_spans(window: ByteView, quote: str, delimiter: str, width: int) -> RecordSpans | None:
    """Return the records of a block whose lines end with line feeds; None where `count_records` counts none."""
    view = window.to_numpy()
    is_mark = view == ord(delimiter)
    quoted = find_quoted(view, quote, delimiter) if quote else None
    last = _find_last(window, quoted, (quote, delimiter), width)
    if last is None:
        return None
    if quoted is not None:
        is_mark &= ~quoted.is_inside[:-1]
    starts, stops = _divide(window, last)
    is_filled = stops > starts
    is_filled[is_filled] = (stops - starts > 1)[is_filled] | (view[starts[is_filled]] != _CARRIAGE_RETURN)
    lines, below = np.append(0, last + 1), np.append(last, len(window.line_ends)) + 1
    marks = Marks(is_mark)
    widths = marks.count_before(stops) - marks.count_before(starts) + 1
    return RecordSpans(lines, below, starts, stops, widths, is_mark).take(is_filled)


def _may_swallow(text: ByteView, quoted: Quoted, marks: tuple[str, str], width: int) -> bool:
    """Return whether a record of several lines may be a line whose quote is stray, and records below it."""
    return bool(_are_several(text, quoted, _group_lines(text, quoted), LinesAlone(text, *marks), width).any())


def _group_lines(text: ByteView, quoted: Quoted) -> tuple[np.ndarray, np.ndarray]:
    """Return the first line of each record, and its last, where each quote counts; a blank line is one too."""
    _, stops = text.line_spans_of_any_end
    is_last = ~quoted.hold(stops)
    if quoted.open is not None:
        is_last &= stops < quoted.open
    is_last[-1:] = True
    return np.flatnonzero(np.append([True], is_last[:-1])[: len(stops)]), np.flatnonzero(is_last)


def _are_several(
    text: ByteView, quoted: Quoted, grouped: tuple[np.ndarray, np.ndarray], lines: LinesAlone, width: int
) -> np.ndarray:
    """Return whether each record, of which these are the first and the last line, may be a line whose quote is stray, and records below it.

    One with many lines like records may be, and one with something behind a closing quote, or not of `width` fields,
    of which other lines are records.
    """
    delimiter, (first, last) = lines.delimiter, grouped
    found = np.zeros(len(first), dtype=bool)
    tall = np.flatnonzero((last > first) & (width > 1))
    if not len(tall):
        return found
    may_be, below = np.zeros(len(tall), dtype=bool), last[tall] + 1
    view, (starts, stops) = text.to_numpy(), text.line_spans_of_any_end
    is_mark = view == ord(delimiter)
    places = np.flatnonzero(_count_among(lines.delimiters >= width - 1, first[tall] + 1, below))
    if len(places):
        odd, begins, ends = quoted.find_odd(view, delimiter), starts[first[tall[places]]], stops[last[tall[places]]]
        outside = Marks(is_mark & ~quoted.is_inside[:-1])
        is_unlike = outside.count_before(ends) - outside.count_before(begins) != width - 1
        places = places[is_unlike | (np.searchsorted(odd, ends) > np.searchsorted(odd, begins))]
        if len(places):
            may_be[places] = may_be_stray(lines, first[tall[places]], below[places], width)
    many = np.flatnonzero(last[tall] - first[tall] > MANY_LINES)
    if len(many):
        may_be[many] |= LinesAlike(text, delimiter, width).are_records(first[tall[many]] + 1, last[tall[many]])
    found[tall] = may_be
    return found


def may_be_stray(lines: LinesAlone, first: np.ndarray, below: np.ndarray, width: int) -> np.ndarray:
    """Return of records of several lines that are not quoted as they ought to be, or of other fields than `width`, whether the quote of the first is stray, and the lines below it are records.

    They are where each is one by itself, or where one is that is quoted as it ought to be, between blank lines or
    others: no row is lost in a record that is none.
    """
    is_any = _count_among(lines.are_whole(width), first + 1, below) > 0
    found: np.ndarray = is_any | (_count_among(lines.are_records(width), first + 1, below) == below - first - 1)
    return found


def _count_among(are: np.ndarray, first: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return how many of the lines from each to before another are."""
    counts = np.append(np.int32(0), np.cumsum(are, dtype=np.int32))
    found: np.ndarray = counts[below] - counts[first]
    return found


@dataclass(frozen=True)
class LaidLines:
    """Where the lines of a text begin, which hold quotes, and which are the first of a record, where each quote counts.

    `doubtful` are the first lines of records that may be several, or are not closed, as the one from line `open` on. `below` is the line below the whole
    records with which the text begins, of which `whole` are the first lines, blank ones left out; 0 where only a reader
    can tell, or more than half of the bytes are of none. `alone` are the lines, each by itself.
    """

    alone: LinesAlone
    starts: np.ndarray
    quoted: np.ndarray
    is_first: np.ndarray
    doubtful: np.ndarray
    open: int
    below: int
    whole: np.ndarray


def lay_lines(text: ByteView, quote: str, delimiter: str, width: int) -> LaidLines:
    """Return how the lines of a text lie."""
    view, (starts, stops) = text.to_numpy(), text.line_spans_of_any_end
    quoted = find_quoted(view, quote, delimiter)
    first, last = _group_lines(text, quoted)
    alone = LinesAlone(text, quote, delimiter)
    several = _are_several(text, quoted, (first, last), alone, width)
    closed = len(first) - (quoted.open is not None)
    below = end = int(last[closed - 1]) + 1 if closed else 0
    if several[:closed].any() or (below < len(starts) and starts[below] < len(text) // 2):
        below = 0
    several[closed:] = True
    is_filled = (last > first) | (stops[first] > starts[first])
    is_first = np.zeros(len(starts), dtype=bool)
    is_first[first] = True
    quotes = Marks(view == ord(quote))
    has_quote = np.diff(quotes.count_before(np.append(starts, len(text)))) > 0
    return LaidLines(
        alone,
        starts,
        np.flatnonzero(has_quote),
        is_first,
        first[several],
        end,
        below,
        first[:closed][is_filled[:closed]],
    )


class LinesAlike:
    """The lines of a text as records of `width` fields each, which those of prose are not: counted once, however often it is asked of some."""

    def __init__(self, text: ByteView, delimiter: str, width: int) -> None:
        self._text = text
        self._delimiter = delimiter
        self._width = width
        self._is_told = self._is_numbered = np.zeros(0, dtype=bool)

    def are_records(self, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return of lines whether those from each to before another are many, and almost all of them, to judge by the first, have the fields of a record."""
        if self._width < 2:  # noqa: PLR2004 - any line is a record of one field
            return np.zeros(len(first), dtype=bool)
        filled, alike = self._counts
        judged = np.minimum(stop, first + _LINES_JUDGED)
        counts = alike[judged] - alike[first]
        found: np.ndarray = (counts >= MANY_LINES) & (counts >= _ALMOST_ALL * (filled[judged] - filled[first]))
        if self._width <= _FEW_FIELDS and len(places := np.flatnonzero(found)):
            # Sentences with one comma each are no records, unless there is a number among the fields of most.
            found[places] = self._count_numbered(first[places], judged[places]) >= counts[places] / 2
        return found

    @cached_property
    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how many of the lines before each, and before the end, are not blank, and how many of these have the delimiters of a record."""
        view, (starts, stops) = self._text.to_numpy(), self._text.line_spans_of_any_end
        is_filled, begins = stops > starts, view[starts]
        for line in np.flatnonzero(is_filled & ((begins <= ord(" ")) | (begins > _MOST_ASCII))).tolist():
            is_filled[line] = bool(self._read(line))
        delimiters = np.diff(Marks(view == ord(self._delimiter)).count_before(np.append(starts, len(view))))
        counted = is_filled, is_filled & (delimiters == self._width - 1)
        filled, alike = (np.concatenate([[0], np.cumsum(each)]) for each in counted)
        return filled, alike

    def _read(self, line: int) -> str:
        """Return a line without the blanks around it."""
        starts, stops = self._text.line_spans_of_any_end
        return bytes(self._text.view[starts[line] : stops[line]]).decode("utf-8", "surrogateescape").strip()

    def _count_numbered(self, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return how many of the lines from each to before another have the delimiters of a record, and a number or a date among their fields."""
        begin, end = int(first.min()), int(stop.max())
        alike, size = self._counts[1][begin : end + 1], end - begin + 1
        is_asked = np.cumsum(np.bincount(first - begin, minlength=size) - np.bincount(stop - begin, minlength=size)) > 0
        self._tell_numbered(begin + np.flatnonzero(is_asked[:-1] & (np.diff(alike) > 0)))
        counted = np.concatenate([[0], np.cumsum(self._is_numbered[begin:end])])
        counts: np.ndarray = counted[stop - begin] - counted[first - begin]
        return counts

    def _tell_numbered(self, lines: np.ndarray) -> None:
        """Have it known of lines whether a number or a date is among their fields, each looked at once."""
        starts, stops = self._text.line_spans_of_any_end
        if not len(self._is_told):
            self._is_told, self._is_numbered = np.zeros((2, len(starts)), dtype=bool)
        lines = lines[~self._is_told[lines]]
        self._is_told[lines] = True
        texts = cut_texts(self._text.view, starts[lines], stops[lines])
        is_numbered = pc.match_substring_regex(texts, pattern_of_values(self._delimiter))
        self._is_numbered[lines] = is_numbered.to_numpy(zero_copy_only=False)
        if not self._text.is_ascii:  # digits and blanks of which Arrow does not know may be among the others
            for line in lines[~self._is_numbered[lines]].tolist():
                text = self._read(line)
                self._is_numbered[line] = not text.isascii() and any(map(_holds_value, text.split(self._delimiter)))


def _holds_value(field: str) -> bool:
    return bool(field.strip()) and NUMBER_OR_DATE.fullmatch(field) is not None
