"""Where the records of a CSV block stand, told by the places of its quotes, delimiters and line ends, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView, Marks
from tasks.convert.formats.csv.alone import LinesAlone
from tasks.convert.formats.csv.quotes import Quoted, are_of, find_quoted
from tasks.convert.formats.header import NUMBER_OR_DATE, pattern_beyond_ascii, pattern_of_values
from tasks.convert.schema.misfits import cut_texts

MANY_LINES = 5  # within one quoted field that are records each: of fewer a text may consist by chance
_LINES_JUDGED = 200
_ALMOST_ALL = 0.9
_FEW_FIELDS = 3
_MOST_ASCII = 127
_NOWHERE = np.empty(0, np.int64)
_BLANKS = [chr(code) for code in range(ord("\u3000") + 1) if chr(code).isspace()]
_BLANK_BYTES = "".join(_BLANKS).encode()


@dataclass(frozen=True)
class RecordSpans:
    """The records of a block, told apart without a reader, blank lines left out.

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
        if kept.dtype == bool:
            if kept.all():
                return self
            kept = np.flatnonzero(kept)
        lines, below, starts, stops = self.lines[kept], self.below[kept], self.starts[kept], self.stops[kept]
        return RecordSpans(lines, below, starts, stops, self.widths[kept], self.is_mark)


def _are_several(
    alike: LinesAlike, grouped: tuple[np.ndarray, np.ndarray], lines: LinesAlone, width: int
) -> np.ndarray:
    """Return whether each record, of which these are the first and the last line, may be a line whose quote is stray, and records below it.

    One with many lines like records may be, and one with something behind a closing quote, or not of `width` fields,
    of which other lines are records.
    """
    first, last = grouped
    found = np.zeros(len(first), dtype=bool)
    tall = np.flatnonzero((last > first) & (width > 1))
    if len(tall):
        begins, below = first[tall], last[tall] + 1
        # Without one that is wide enough none has to be read.
        is_any_wide = lines.have_wide(begins + 1, below).any()
        near = np.flatnonzero(lines.have_records(begins + 1, below)) if is_any_wide else _NOWHERE
        if len(near):
            fields, junk = lines.count_fields(begins[near], below[near])
            odd = np.compress((fields != width) | junk, near)
            found[tall[odd]] = may_be_stray(lines, begins[odd], below[odd])
        many = np.flatnonzero(below - begins > MANY_LINES + 1)
        if len(many):
            found[tall[many]] |= alike.are_records(begins[many] + 1, below[many] - 1)
    return found


def may_be_stray(lines: LinesAlone, first: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return of records of several lines that are not quoted as they ought to be, or of other fields than they ought to have, whether the quote of the first is stray, and the lines below it are records.

    They are where each is one by itself, or where one is that is quoted as it ought to be, between blank lines or
    others: no row is lost in a record that is none.
    """
    found = lines.have_whole(first + 1, below)
    left = np.flatnonzero(~found)
    if len(left):
        found[left] = ~lines.have_others(first[left] + 1, below[left])
    return found


class LaidLines:
    """How the lines of a text lie that some quotes may hold together: which are the first of a record, and its last, where each quote counts.

    A record is `doubtful` that is not closed, or may be a line whose quote is stray, and records of `width` fields below
    it: of these lines only a reader can tell.
    """

    def __init__(self, text: ByteView, quote: str, delimiter: str, width: int) -> None:
        self.text = text
        self._quote, self._delimiter, self._width = quote if quote and quote.encode() in text else "", delimiter, width

    @cached_property
    def alone(self) -> LinesAlone:
        """Return the lines, each by itself."""
        return LinesAlone(self.text, self._quote, self._delimiter, self._width)

    @cached_property
    def alike(self) -> LinesAlike:
        """Return the lines as records."""
        return LinesAlike(self.text, self._delimiter, self._width)

    @cached_property
    def starts(self) -> np.ndarray:
        """Return where the lines begin."""
        return self.text.line_spans_of_any_end[0]

    @cached_property
    def _quoted(self) -> Quoted | None:
        if not self._quote:
            return None
        return find_quoted(self.text.to_numpy(), self.alone.is_quote, self.alone.places, self._delimiter)

    @cached_property
    def _is_inside(self) -> np.ndarray | None:
        """Return of each byte, and of what comes behind the last, whether it is in a quoted field."""
        return None if self._quoted is None else self._quoted.is_inside

    @cached_property
    def _grouped(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first line of each record, and its last; a blank line is one too."""
        (_, stops), quoted = self.text.line_spans_of_any_end, self._quoted
        if quoted is None:
            return np.arange(len(stops)), np.arange(len(stops))
        is_last = ~quoted.hold(stops)
        if quoted.open is not None:
            is_last &= stops < quoted.open
        is_last[-1:] = True
        return np.flatnonzero(np.append([True], is_last[:-1])[: len(stops)]), np.flatnonzero(is_last)

    @cached_property
    def _closed(self) -> int:
        """Return how many of the records are closed: the last may not be."""
        return len(self._grouped[0]) - (self._quoted is not None and self._quoted.open is not None)

    @cached_property
    def _are_doubtful(self) -> np.ndarray:
        if self._quoted is None:
            return np.zeros(len(self._grouped[0]), dtype=bool)
        found, closed = np.ones(len(self._grouped[0]), dtype=bool), self._closed
        first, last = self._grouped
        found[:closed] = _are_several(self.alike, (first[:closed], last[:closed]), self.alone, self._width)
        return found

    @cached_property
    def _is_filled(self) -> np.ndarray:
        """Return which of the records are no blank line."""
        first, last = self._grouped
        return np.asarray(~self.text.are_blank[first] | (last > first))

    def count_filled(self) -> int:
        """Return how many records there are, blank lines left out, where each quote counts."""
        return int(np.count_nonzero(self._is_filled))

    @cached_property
    def doubtful(self) -> np.ndarray:
        """Return the first lines of the records of which only a reader can tell."""
        return np.compress(self._are_doubtful, self._grouped[0])

    @property
    def doubtful_lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first line of each of these, and its last."""
        _, last = self._grouped
        return self.doubtful, np.compress(self._are_doubtful, last)

    @property
    def are_settled(self) -> bool:
        """Return whether it is told already that no record is doubtful."""
        return "_are_doubtful" in vars(self) and not self._are_doubtful.any()

    @cached_property
    def open(self) -> int:
        """Return the line of the record that is not closed, or the one below the last."""
        return int(self._grouped[1][self._closed - 1]) + 1 if self._closed else 0

    @cached_property
    def settled(self) -> int:
        """Return the line below the records with which the text begins, of none of which only a reader can tell; 0 where there is one, or more than half of the bytes are below."""
        is_far = self.open < len(self.starts) and self.starts[self.open] < len(self.text) // 2
        return 0 if is_far or self._are_doubtful[: self._closed].any() else self.open

    @cached_property
    def lines(self) -> np.ndarray | None:
        """Return the first line of each record, blank ones left out; None where only a reader can tell."""
        if self._are_doubtful.any():
            return None
        first = self._grouped[0]
        return first if self._is_filled.all() else first[self._is_filled]

    @property
    def below(self) -> np.ndarray | None:
        """Return the line below each of these records."""
        return None if self._are_doubtful.any() else self._grouped[1][self._is_filled] + 1

    @cached_property
    def blank(self) -> np.ndarray | None:
        """Return the blank lines between records; None where only a reader can tell."""
        return None if self._are_doubtful.any() else self._grouped[0][~self._is_filled]

    @cached_property
    def spans(self) -> RecordSpans | None:
        """Return the records; None where only a reader can tell them apart."""
        if self._are_doubtful.any():
            return None
        (first, last), (starts, stops) = self._grouped, self.text.line_spans_of_any_end
        is_mark = self.text.to_numpy() == ord(self._delimiter)
        if self._is_inside is not None:
            is_mark &= ~self._is_inside[: len(is_mark)]
        begins, ends = (starts, stops) if len(first) == len(starts) else (starts[first], stops[last])
        widths = np.diff(Marks(is_mark).count_before(np.append(begins, len(is_mark)))) + 1
        return RecordSpans(first, last + 1, begins, ends, widths, is_mark).take(self._is_filled)

    @cached_property
    def is_first(self) -> np.ndarray:
        """Return which lines are the first of a record."""
        found = np.zeros(len(self.starts), dtype=bool)
        found[self._grouped[0]] = True
        return found

    def without(self, text: ByteView, is_kept: np.ndarray, is_first: np.ndarray | None = None) -> LaidLines:
        """Return those of a text without some of the lines, each of them blank or of a record that is taken out as a whole: what is known of the others is.

        Where `is_first` tells which are the first of a record, and none is doubtful, the lines taken out are those that were, and the blank ones.
        """
        found = LaidLines(text, self._quote, self._delimiter, self._width)
        if not self._quote:
            return found
        kept = (self.is_first if is_first is None else is_first)[is_kept]
        first = np.flatnonzero(kept)
        found._grouped, found._closed = (first, np.append(first[1:], len(kept))[: len(first)] - 1), len(first)
        if is_first is None:
            found._are_doubtful = self._are_doubtful[is_kept[self._grouped[0]]]
        else:
            found._are_doubtful, found._is_filled = np.zeros(len(first), dtype=bool), np.ones(len(first), dtype=bool)
        return found

    def narrow(self, text: ByteView) -> LaidLines:
        """Return those of a text that begins with the same lines, and ends with a record: what is known of them is.

        Lines between its records may be blank that were not, or the other way round.
        """
        found = LaidLines(text, self._quote, self._delimiter, self._width)
        if "_grouped" not in vars(self):
            return found
        (first, last), stop = self._grouped, len(found.starts)
        count = int(np.searchsorted(last, stop))
        if not count or last[count - 1] != stop - 1:  # where each quote counts, none ends there
            return found
        found._grouped = first[:count], last[:count]
        found._closed, found._are_doubtful = min(self._closed, count), self._are_doubtful[:count]
        if self._is_inside is not None and len(text) == (
            self.starts[stop] if stop < len(self.starts) else len(self.text)
        ):
            found._is_inside = self._is_inside[: len(text) + 1]
        return found


class LinesAlike:
    """The lines of a text as records of `width` fields each, which those of prose are not: counted once, however often it is asked of some."""

    def __init__(self, text: ByteView, delimiter: str, width: int) -> None:
        self._text = text
        self._delimiter = delimiter
        self._width = width
        self._is_told = self._is_numbered = np.zeros(0, dtype=bool)

    def are_records(self, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return of lines whether those from each to before another are many, and almost all of them, to judge by the first, have the fields of a record."""
        if self._width < 2 or (stop - first).max(initial=0) < MANY_LINES:  # noqa: PLR2004 - any line is a record of one field
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
        near = np.flatnonzero(is_filled & ((begins <= ord(" ")) | (begins > _MOST_ASCII)))
        if len(near):
            solid, odd = Marks(~are_of(_BLANK_BYTES, view)), Marks(view > _MOST_ASCII)
            near = near[solid.count_before(stops[near]) == solid.count_before(starts[near])]
            is_filled[near] = odd.count_before(stops[near]) > odd.count_before(starts[near])
            for line in near[is_filled[near]].tolist():  # of bytes as those of blanks beyond ASCII
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
        if not self._text.is_ascii:
            is_doubtful = pc.match_substring_regex(texts, pattern_beyond_ascii(self._delimiter))
            is_doubtful = is_doubtful.to_numpy(zero_copy_only=False) & ~self._is_numbered[lines]
            for line in lines[is_doubtful].tolist():
                text = self._read(line)
                self._is_numbered[line] = not text.isascii() and any(map(_holds_value, text.split(self._delimiter)))


def _holds_value(field: str) -> bool:
    return bool(field.strip()) and NUMBER_OR_DATE.fullmatch(field) is not None
