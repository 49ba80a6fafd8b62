"""The records of a CSV block as Python's own reader tells them apart: a second opinion beside pyarrow's."""

from __future__ import annotations

import csv
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.dialect import Dialect
from tasks.convert.formats.csv.spans import MANY_LINES, LaidLines, LinesAlike, lay_lines
from tasks.convert.formats.csv.text_lines import TextLines
from tasks.convert.formats.csv.unclosed import are_closed, find_unclosed
from tasks.convert.schema.misfits import make_misfits, make_records
from tasks.core.escaping import count

csv.field_size_limit(sys.maxsize)

_SENTINEL = "end"
_MAX_UNCLOSED = 100  # quotes never closed, for each of which the rest of the block may be read anew
_LINES_AWAITED = 10_000  # below a quote that opens where its line is no record by itself
UNCLOSED = "a quote is not closed"
UNDECODABLE = "not in the file's encoding"


@dataclass(frozen=True)
class Span:
    """One record: the indices of its first line and of the one after its last, and its fields."""

    start: int
    end: int
    fields: Sequence[str]


class Records:
    """The records of a block, empty lines left out; a line whose quote is never closed is broken, what follows it is not.

    Nor is it closed where the lines down to the next quote are records by
    themselves, of `width` fields: one that runs over many such lines is doubted,
    unless it is well formed and the lines in which it begins and ends are no such records.
    `raw` are the same lines as they stand in the file, where they were rewritten.
    """

    def __init__(
        self,
        text: ByteView,
        dialect: Dialect,
        first_line: int = 1,
        first_byte: int | None = None,
        raw: ByteView | None = None,
        width: int = 0,
    ) -> None:
        self._dialect = dialect
        self._width = width
        self._first_line = first_line
        self._first_byte = first_byte
        self._text = text
        self._alike = LinesAlike(text, dialect.delimiter, width)
        self.lines = TextLines(text)
        self.raw = self.lines if raw is None else TextLines(raw)
        self._doubted: list[Span] = []
        self._believed: list[Span] = []

    @cached_property
    def spans(self) -> list[Span]:
        """Return every whole record."""
        bounds = [-1, *self.unclosed.tolist(), len(self.lines)]
        stretches = ((above + 1, below) for above, below in pairwise(bounds) if below > above + 1)
        return [span for start, stop in stretches for span in self._read(start, stop) if span.fields]

    @cached_property
    def laid(self) -> LaidLines:
        """Return how the lines lie, where something quotes fields."""
        return lay_lines(self._text, self._dialect.quote, self._dialect.delimiter, self._width)

    @cached_property
    def unclosed(self) -> np.ndarray:
        """Return the places of the lines whose quote is never closed: only records that may have one are looked at, and what follows it up to the next that is a record as well where all quotes count."""
        dialect, found, next_line = self._dialect, list[int](), 0
        if not dialect.quote or not len(self._text):
            return np.array(found, np.int64)
        laid, text = self.laid, self._text.data
        doubtful, quoted, starts, is_first = (
            each.tolist() for each in (laid.doubtful, laid.quoted, laid.starts, laid.is_first)
        )
        match_whole = _whole_record(dialect.quote, dialect.delimiter, self._width).match
        while (place := bisect_left(quoted, next_line)) < len(quoted):
            line = quoted[place]
            if is_first[line]:
                if (place := bisect_left(doubtful, line)) == len(doubtful):
                    break
                line = doubtful[place]
            whole = match_whole(text, starts[line])
            end = bisect_right(starts, whole.end()) if whole else 0
            if end and end - line - 2 < MANY_LINES:
                next_line = end
            elif len(found) >= _MAX_UNCLOSED:
                others = find_unclosed(self._text, laid, line, dialect.quote, dialect.delimiter, self._width)
                return np.concatenate([np.array(found, np.int64), others])
            else:
                span = next(self._read(line, len(self.lines)))
                is_unclosed = span.end > len(self.lines) or self._is_doubtful(span)
                found += [line] * is_unclosed
                next_line = line + 1 if is_unclosed else span.end
        return np.array(found, np.int64)

    @property
    def broken(self) -> pa.Table:
        """Return these lines as misfits."""
        return make_misfits(self._locate([(line, line + 1) for line in self.unclosed.tolist()]), self.why_broken)

    @property
    def why_broken(self) -> pa.Array:
        """Return why each of these lines is no row; of one that cannot be decoded as well, that is the reason."""
        if self._is_decodable(0, len(self.lines)):
            return pa.repeat(UNCLOSED, len(self.unclosed))
        lines = self.unclosed.tolist()
        is_decodable = pa.array([self._is_decodable(line, line + 1) for line in lines], pa.bool_())
        return pc.if_else(is_decodable, UNCLOSED, UNDECODABLE)

    @cached_property
    def undecodable(self) -> list[int]:
        """Return the places of the whole records that are not in the file's encoding."""
        if self._is_decodable(0, len(self.lines)):
            return []
        return [place for place, span in enumerate(self.spans) if not self._is_decodable(span.start, span.end)]

    def _is_decodable(self, start: int, end: int) -> bool:
        return is_utf8(self.lines.join(start, end))

    @property
    def warnings(self) -> list[str]:
        """Return a sentence on the fields that run over lines like records and were kept, and one on those that were not."""
        assert self.unclosed is not None
        kept = "was kept as one value; if these are rows, mend the quote that opens it"
        broken = "was taken for a stray quote and its lines for rows; if it is one value, double the quotes within it"
        return [
            f"line {self._first_line + spans[0].start} opens a quoted field that runs over "
            f"{spans[0].end - spans[0].start} lines which look like records, and {what}"
            + (f" ({len(spans)} such fields)" if len(spans) > 1 else "")
            for found, what in ((self._believed, kept), (self._doubted, broken))
            # Of a stray quote only its own line is a reject where it cannot be decoded: the lines below it are rows.
            if (spans := [s for s in found if self._is_decodable(s.start, s.end if what == kept else s.start + 1)])
        ]

    def has_blank(self, start: int, end: int) -> bool:
        """Return whether one of these lines of the file is blank; a comment is not."""
        return any(not line.strip("\r\n") for line in self.raw.read(start, end))

    def narrow(self, text: ByteView, first_line: int, first_byte: int | None, raw: ByteView | None) -> Records:
        """Return those of the text that this one begins with, and which ends with a record; what is known of these is."""
        found = Records(text, self._dialect, first_line, first_byte, raw, self._width)
        stop = int(np.searchsorted(self.lines.starts, len(text)))
        found.unclosed = self.unclosed[self.unclosed < stop]
        found._believed, found._doubted = (
            [span for span in spans if span.end <= stop] for spans in (self._believed, self._doubted)
        )
        return found

    @property
    def first_unclosed(self) -> int | None:
        """Return the index of the first line whose quote is not closed in this block, and may be in the next: too few lines below show that it is stray, and no other quote closes it."""
        lines, count = self.unclosed, len(self.lines)
        is_stray = self._alike.are_records(lines + 1, np.full(len(lines), count))
        awaiting = np.flatnonzero(is_stray & (lines >= count - _LINES_AWAITED))
        is_stray[awaiting] = [self._is_divided(line) for line in lines[awaiting].tolist()]
        # Of one that another quote of the block closes it is told already that it is stray, whatever comes.
        is_closed = self.laid.is_first[lines] & (lines < self.laid.open)
        doubtful = lines[~(is_stray | is_closed)]
        quote, delimiter = self._dialect.quote, self._dialect.delimiter
        if len(doubtful):
            doubtful = doubtful[~are_closed(self._text, self.laid.starts, doubtful, quote, delimiter)]
        return next((line for line in doubtful.tolist() if next(self._read(line, count)).end > count), None)

    def locate(self, indices: Iterable[int]) -> pa.Table:
        """Return the records at these indices among the whole ones."""
        return self._locate([(self.spans[index].start, self.spans[index].end) for index in indices])

    def _locate(self, places: Sequence[tuple[int, int]]) -> pa.Table:
        """Return the records of these lines."""
        raws = (self.raw.join(start, end).rstrip("\r\n") for start, end in places)
        texts = [raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for raw in raws]
        first = self._first_byte
        offsets = None if first is None else [first + self.raw.place_of(start) for start, _ in places]
        return make_records([self._first_line + start for start, _ in places], texts, offsets)

    def _is_doubtful(self, span: Span) -> bool:
        """Return whether a record of several lines is more likely one whose quote is stray, and records below it."""
        if span.end - span.start < 2 or not self._width:  # noqa: PLR2004 - of one line
            return False
        lines = list(self.lines.read(span.start, span.end))
        well_formed = len(span.fields) == self._width and _is_well_formed(lines, self._dialect)
        if self._alike.are_records(np.array([span.start + 1]), np.array([span.end - 1])).all():
            # Of a stray quote the lines that it opens and closes in are records too; of a text of records one is longer.
            doubted = not well_formed or (self._is_divided(span.start) and self._is_divided(span.end - 1))
            (self._doubted if doubted else self._believed).append(span)
            return doubted
        return not well_formed and all(map(self._is_record, lines[1:]))

    def _is_divided(self, line: int) -> bool:
        """Return whether a line has the delimiters of a record, those within quotes left out or not."""
        quote, delimiter = re.escape(self._dialect.quote), self._dialect.delimiter
        text = self.lines.join(line, line + 1)
        plain = re.sub(f"{quote}[^{quote}]*{quote}", "", text)
        return self._width - 1 in (plain.count(delimiter), text.count(delimiter))

    def _is_record(self, line: str) -> bool:
        """Return whether a line is a record by itself, of as many fields as the header has."""
        delimiter, quote = self._dialect.delimiter, self._dialect.quote or None
        fields = next(csv.reader([line], delimiter=delimiter, quotechar=quote), [])
        return self._width > 1 and self._width in (len(fields), line.count(delimiter) + 1)

    def _read(self, start: int, stop: int) -> Iterator[Span]:
        """Yield the records of lines; one that holds the sentinel has a quote that is not closed."""
        quote, delimiter = self._dialect.quote or None, self._dialect.delimiter
        reader = csv.reader(
            chain(self.lines.read(start, stop), [_SENTINEL]),
            delimiter=delimiter,
            quotechar=quote,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        end = start
        for fields in reader:
            first, end = end, start + reader.line_num
            if first < stop:
                yield Span(first, end, fields)


def _is_well_formed(lines: Sequence[str], dialect: Dialect) -> bool:
    """Return whether nothing stands between a closing quote and the end of its field."""
    reader = csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote or None, strict=True)
    try:
        return len(list(reader)) == 1
    except csv.Error:
        return False


@lru_cache
def _whole_record(quote: str, delimiter: str, width: int) -> re.Pattern[bytes]:
    """Return the pattern of a record of so many fields, quoted as they ought to be, of which each has few lines."""
    mark, end = re.escape(quote), re.escape(delimiter)
    line = f"[^{mark}\\r\\n]*+(?:{mark}{mark}[^{mark}\\r\\n]*+)*+"
    quoted = f"{mark}{line}(?:[\\r\\n]{line}){{0,{2 * MANY_LINES}}}+{mark}"
    field = f"(?:{quoted}|[^{mark}{end}\\r\\n]*+)"
    return re.compile(f"{field}(?:{end}{field}){{{max(width - 1, 0)}}}+(?=[\\r\\n]|\\Z)".encode())


def is_utf8(text: str) -> bool:
    """Return whether a text, decoded with surrogateescape, was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def tell_width(fields: int, width: int) -> str:
    """Return why a record of so many fields is no row."""
    return f"{count(fields, 'field')}, the header has {width}"
