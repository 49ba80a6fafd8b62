"""The records of a CSV block as Python's own reader tells them apart: a second opinion beside pyarrow's."""

from __future__ import annotations

import csv
import io
import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, chain, pairwise

import numpy as np
import pyarrow as pa

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.dialect import Dialect
from tasks.convert.formats.csv.quoting import Quoted, find_quoted
from tasks.convert.formats.header import NUMBER_OR_DATE
from tasks.convert.schema.misfits import make_misfits, make_records

csv.field_size_limit(sys.maxsize)

_SENTINEL = "end"
_MAX_UNCLOSED = 100  # quotes never closed, for each of which the rest of the block may be read anew
_LINE_FEED, _CARRIAGE_RETURN = 10, 13
MANY_LINES = 5  # within one quoted field that are records each: of fewer a text may consist by chance
_LINES_JUDGED = 200
_LINES_AWAITED = 10_000  # below a quote that opens where its line is no record by itself
_ALMOST_ALL = 0.9
_FEW_FIELDS = 3
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
        data: bytes,
        dialect: Dialect,
        first_line: int = 1,
        first_byte: int | None = None,
        raw: bytes | None = None,
        width: int = 0,
    ) -> None:
        self._dialect = dialect
        self._width = width
        self._first_line = first_line
        self._first_byte = first_byte
        # Bytes that are no UTF-8 stay what they are, as lone surrogates.
        self.lines = _lines_of(data)
        self._data = ByteView.of(data)
        self.raw = self.lines if raw is None else _lines_of(raw)
        self._doubted: list[Span] = []
        self._believed: list[Span] = []

    @cached_property
    def spans(self) -> list[Span]:
        """Return every whole record."""
        bounds = [-1, *self.unclosed, len(self.lines)]
        stretches = ((above + 1, below) for above, below in pairwise(bounds) if below > above + 1)
        return [span for start, stop in stretches for span in self._read(start, stop) if span.fields]

    @cached_property
    def unclosed(self) -> list[int]:
        """Return the places of the lines whose quote is never closed: only records that may have one are looked at, and what follows it up to the next that is a record as well where all quotes count."""
        dialect, found, next_line = self._dialect, list[int](), 0
        if not dialect.quote or not len(self._data):
            return found
        laid = _lay_lines(self._data, dialect.quote, dialect.delimiter, self._width)
        doubtful, quoted = laid.doubtful.tolist(), laid.quoted.tolist()
        while (place := bisect_left(quoted, next_line)) < len(quoted):
            line = quoted[place]
            if laid.is_first[line]:
                if (place := bisect_left(doubtful, line)) == len(doubtful):
                    break
                line = doubtful[place]
            whole = _whole_record(dialect.quote, dialect.delimiter, self._width).match(
                self._data.data, int(laid.starts[line])
            )
            end = int(np.searchsorted(laid.starts, whole.end(), "right")) if whole else 0
            if end and end - line - 2 < MANY_LINES:
                next_line = end
            elif len(found) >= _MAX_UNCLOSED:
                found.append(line)
                next_line = line + 1
            else:
                span = next(self._read(line, len(self.lines)))
                is_unclosed = span.end > len(self.lines) or self._is_doubtful(span)
                found += [line] * is_unclosed
                next_line = line + 1 if is_unclosed else span.end
        return found

    @property
    def broken(self) -> pa.Table:
        """Return these lines as misfits."""
        return make_misfits(self._locate([(line, line + 1) for line in self.unclosed]), self.why_broken)

    @property
    def why_broken(self) -> list[str]:
        """Return why each of these lines is no row; of one that cannot be decoded as well, that is the reason."""
        return [UNCLOSED if is_utf8(self.lines[line]) else UNDECODABLE for line in self.unclosed]

    @cached_property
    def undecodable(self) -> list[int]:
        """Return the places of the whole records that are not in the file's encoding."""
        if is_utf8("".join(self.lines)):
            return []
        return [place for place, span in enumerate(self.spans) if not self._is_decodable(span.start, span.end)]

    def _is_decodable(self, start: int, end: int) -> bool:
        return is_utf8("".join(self.lines[start:end]))

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
        return any(not line.strip("\r\n") for line in self.raw[start:end])

    @property
    def first_unclosed(self) -> int | None:
        """Return the index of the first line whose quote is not closed in this block, and may be in the next."""
        return min((line for line in self.unclosed if not self._is_settled(line)), default=None)

    def locate(self, indices: Iterable[int]) -> pa.Table:
        """Return the records at these indices among the whole ones."""
        return self._locate([(self.spans[index].start, self.spans[index].end) for index in indices])

    def _locate(self, places: Sequence[tuple[int, int]]) -> pa.Table:
        """Return the records of these lines."""
        raws = ("".join(self.raw[start:end]).rstrip("\r\n") for start, end in places)
        texts = [raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for raw in raws]
        first = self._first_byte
        offsets = None if first is None else [first + self.starts[start] for start, _ in places]
        return make_records([self._first_line + start for start, _ in places], texts, offsets)

    @cached_property
    def starts(self) -> Sequence[int]:
        """Return the byte of the file's data at which each line begins."""
        return [0, *accumulate(len(line.encode("utf-8", "surrogateescape")) for line in self.raw)]

    def place_of(self, line: int) -> int:
        """Return how many bytes the lines before this one take up in the file."""
        return len("".join(self.raw[:line]).encode("utf-8", "surrogateescape"))

    def _is_doubtful(self, span: Span) -> bool:
        """Return whether a record of several lines is more likely one whose quote is stray, and records below it."""
        if span.end - span.start < 2 or not self._width:  # noqa: PLR2004 - of one line
            return False
        lines = self.lines[span.start : span.end]
        well_formed = len(span.fields) == self._width and _is_well_formed(lines, self._dialect)
        if self._are_records(lines[1:-1], MANY_LINES):
            # Of a stray quote the lines that it opens and closes in are records too; of a text of records one is longer.
            doubted = not well_formed or (self._is_divided(lines[0]) and self._is_divided(lines[-1]))
            (self._doubted if doubted else self._believed).append(span)
            return doubted
        return not well_formed and all(map(self._is_record, lines[1:]))

    def _is_divided(self, line: str) -> bool:
        """Return whether a line has the delimiters of a record, those within quotes left out or not."""
        quote, delimiter = re.escape(self._dialect.quote), self._dialect.delimiter
        plain = re.sub(f"{quote}[^{quote}]*{quote}", "", line)
        return self._width - 1 in (plain.count(delimiter), line.count(delimiter))

    def _is_record(self, line: str) -> bool:
        """Return whether a line is a record by itself, of as many fields as the header has."""
        delimiter, quote = self._dialect.delimiter, self._dialect.quote or None
        fields = next(csv.reader([line], delimiter=delimiter, quotechar=quote), [])
        return self._width > 1 and self._width in (len(fields), line.count(delimiter) + 1)

    def _is_settled(self, line: int) -> bool:
        """Return whether lines enough below one show that its quote is not to be closed by what comes."""
        awaited = 0 if self._is_divided(self.lines[line]) else _LINES_AWAITED
        below = self.lines[line + 1 : line + 1 + max(awaited, _LINES_JUDGED)]
        return len(below) >= awaited and self._are_records(below, MANY_LINES)

    def _are_records(self, lines: Sequence[str], least: int) -> bool:
        """Return whether so many lines, and almost all of them, have as many fields as a record has."""
        return are_records(lines, self._dialect.delimiter, self._width, least)

    def _read(self, start: int, stop: int) -> Iterator[Span]:
        """Yield the records of lines; one that holds the sentinel has a quote that is not closed."""
        lines = map(self.lines.__getitem__, range(start, stop))
        quote, delimiter = self._dialect.quote or None, self._dialect.delimiter
        reader = csv.reader(
            chain(lines, [_SENTINEL]),
            delimiter=delimiter,
            quotechar=quote,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        end = start
        for fields in reader:
            first, end = end, start + reader.line_num
            if first < stop:
                yield Span(first, end, fields)


def are_records(lines: Sequence[str], delimiter: str, width: int, least: int) -> bool:
    """Return whether there are so many lines, almost all of which have the fields of a record, as prose has not."""
    if width < 2 or len(lines) < least:  # noqa: PLR2004 - any line is a record of one field
        return False
    filled = [line for line in lines[:_LINES_JUDGED] if line.strip()]
    alike = [line for line in filled if line.count(delimiter) == width - 1]
    if len(alike) < max(least, _ALMOST_ALL * len(filled)):
        return False
    if width > _FEW_FIELDS:
        return True
    # Sentences with one comma each are no records, unless there is a number among the fields of most.
    numbered = sum(1 for line in alike if any(map(_holds_value, line.strip().split(delimiter))))
    return numbered >= len(alike) / 2


def _holds_value(field: str) -> bool:
    return bool(field.strip()) and NUMBER_OR_DATE.fullmatch(field) is not None


def _is_well_formed(lines: Sequence[str], dialect: Dialect) -> bool:
    """Return whether nothing stands between a closing quote and the end of its field."""
    reader = csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote or None, strict=True)
    try:
        return len(list(reader)) == 1
    except csv.Error:
        return False


@dataclass(frozen=True)
class _LaidLines:
    """Where lines begin, which hold quotes, and which are the first of a record, where each quote counts; `doubtful` are those of records that may be several."""

    starts: np.ndarray
    quoted: np.ndarray
    is_first: np.ndarray
    doubtful: np.ndarray


def _lay_lines(text: ByteView, quote: str, delimiter: str, width: int) -> _LaidLines:
    view, (starts, _) = text.to_numpy(), text.line_spans_of_any_end
    quoted = find_quoted(view, quote, delimiter)
    first, last = _group_lines(text, quoted)
    several = _are_several(text, quoted, (first, last), delimiter, width)
    if quoted.open is not None:
        several[-1] = True
    is_first = np.zeros(len(starts), dtype=bool)
    is_first[first] = True
    lines = np.unique(np.searchsorted(starts, np.flatnonzero(view == ord(quote)), "right") - 1)
    return _LaidLines(starts, lines, is_first, first[several])


@lru_cache
def _whole_record(quote: str, delimiter: str, width: int) -> re.Pattern[bytes]:
    """Return the pattern of a record of so many fields, quoted as they ought to be, of which each has few lines."""
    mark, end = re.escape(quote), re.escape(delimiter)
    line = f"[^{mark}\\r\\n]*+(?:{mark}{mark}[^{mark}\\r\\n]*+)*+"
    quoted = f"{mark}{line}(?:[\\r\\n]{line}){{0,{2 * MANY_LINES}}}+{mark}"
    field = f"(?:{quoted}|[^{mark}{end}\\r\\n]*+)"
    return re.compile(f"{field}(?:{end}{field}){{{max(width - 1, 0)}}}+(?=[\\r\\n]|\\Z)".encode())


def _lines_of(data: bytes) -> list[str]:
    return io.StringIO(data.decode("utf-8", "surrogateescape"), newline="").readlines()


def is_utf8(text: str) -> bool:
    """Return whether a text, decoded with surrogateescape, was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def tell_width(fields: int, width: int) -> str:
    """Return why a record of so many fields is no row."""
    return f"{fields} fields, the header has {width}"


def count_records(data: bytes, quote: str, delimiter: str = ",", width: int = 0) -> int:
    """Return how many records a block holds, empty lines left out, by its line ends outside quotes alone.

    None are where a quote is left open, or may swallow records of `width` fields:
    only a reader can tell what that means.
    """
    found = _find_starts(data, quote, delimiter, width)
    return -1 if found is None else len(found[0])


def find_lines(data: bytes, quote: str, delimiter: str, width: int) -> np.ndarray | None:
    """Return how many lines stand before each record of a block; None where `count_records` counts none."""
    found = _find_starts(data, quote, delimiter, width)
    if found is None:
        return None
    starts, ends = found
    return np.searchsorted(ends, starts)


def _find_starts(data: bytes, quote: str, delimiter: str, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where each record begins, and every line ends, once each line ends with a line feed."""
    window = ByteView.of(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data)
    view, ends = window.to_numpy(), window.line_ends
    outside = ends
    if quote:
        quoted = find_quoted(view, quote, delimiter)
        outside = ends[~quoted.hold(ends)]
        if quoted.open is not None or _may_swallow(window, quoted, delimiter, width):
            return None
    starts = np.concatenate([[0], outside + 1])
    stops = np.concatenate([outside, [len(view)]])
    return starts[stops > starts], ends


@dataclass(frozen=True)
class RecordSpans:
    """The records of a block of which each line ends with a line feed, told apart without a reader, blank lines left out.

    `lines` are the first line of each, and `below` the one below its last; `starts` and `stops` are
    its bytes, without its line end, and `marks` the places of all delimiters outside quotes.
    """

    lines: np.ndarray
    below: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    marks: np.ndarray

    @cached_property
    def widths(self) -> np.ndarray:
        """Return how many fields each record has."""
        return np.searchsorted(self.marks, self.stops) - np.searchsorted(self.marks, self.starts) + 1

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, kept: np.ndarray) -> RecordSpans:
        """Return some of the records, by their places or as a mask."""
        return RecordSpans(self.lines[kept], self.below[kept], self.starts[kept], self.stops[kept], self.marks)


def find_spans(window: ByteView, quote: str, delimiter: str, width: int) -> RecordSpans | None:
    """Return the records of a block whose lines end with line feeds; None where `count_records` counts none."""
    view, ends = window.to_numpy(), window.line_ends
    marks, outside = np.flatnonzero(view == ord(delimiter)), ends
    if quote:
        quoted = find_quoted(view, quote, delimiter)
        outside = ends[~quoted.hold(ends)]
        if quoted.open is not None or _may_swallow(window, quoted, delimiter, width):
            return None
        marks = marks[~quoted.hold(marks)]
    starts, stops = np.concatenate([[0], outside + 1]), np.concatenate([outside, [len(view)]])
    is_filled = stops > starts
    is_filled[is_filled] = (stops - starts > 1)[is_filled] | (view[starts[is_filled]] != _CARRIAGE_RETURN)
    starts, stops = starts[is_filled], stops[is_filled]
    return RecordSpans(np.searchsorted(ends, starts), np.searchsorted(ends, stops) + 1, starts, stops, marks)


def find_whole(data: bytes, quote: str, delimiter: str, width: int) -> int:
    """Return the size of the whole records with which lines begin; 0 where only a reader can tell, or more than half of the bytes are of none."""
    text = ByteView.of(data)
    quoted = find_quoted(text.to_numpy(), quote, delimiter)
    first, last = _group_lines(text, quoted)
    if quoted.open is not None:
        first, last = first[:-1], last[:-1]
    starts, _ = text.line_spans_of_any_end
    size = int(np.append(starts, len(data))[last[-1] + 1]) if len(last) else 0
    is_doubtful = size < len(data) // 2 or _are_several(text, quoted, (first, last), delimiter, width).any()
    return 0 if is_doubtful else size


def _may_swallow(text: ByteView, quoted: Quoted, delimiter: str, width: int) -> bool:
    """Return whether a record of several lines may be a line whose quote is stray, and records below it."""
    return bool(_are_several(text, quoted, _group_lines(text, quoted), delimiter, width).any())


def _group_lines(text: ByteView, quoted: Quoted) -> tuple[np.ndarray, np.ndarray]:
    """Return the first line of each record, and its last, where each quote counts; a blank line is one too."""
    _, stops = text.line_spans_of_any_end
    is_last = ~quoted.hold(stops)
    if quoted.open is not None:
        is_last &= stops < quoted.open
    is_last[-1:] = True
    return np.flatnonzero(np.append([True], is_last[:-1])[: len(stops)]), np.flatnonzero(is_last)


def _are_several(
    text: ByteView, quoted: Quoted, lines: tuple[np.ndarray, np.ndarray], delimiter: str, width: int
) -> np.ndarray:
    """Return whether each record, of which these are the first and the last line, may be a line whose quote is stray, and records below it.

    One with many lines like records may be, and one with something behind a closing quote, or not of `width` fields,
    of which the last line may be a record.
    """
    first, last = lines
    found = np.zeros(len(first), dtype=bool)
    tall = np.flatnonzero((last > first) & (width > 1))
    if not len(tall):
        return found
    view, (starts, stops) = text.to_numpy(), text.line_spans_of_any_end
    begins, lasts, ends = starts[first[tall]], starts[last[tall]], stops[last[tall]]
    marks = np.flatnonzero(view == ord(delimiter))
    may_be = np.searchsorted(marks, ends) - np.searchsorted(marks, lasts) >= width - 1
    if len(places := np.flatnonzero(may_be)):
        odd, (begins_of, ends_of) = quoted.find_odd(view, delimiter), (begins[places], ends[places])
        from_mark, to_mark = np.searchsorted(marks, begins_of), np.searchsorted(marks, ends_of)
        counts = to_mark - from_mark
        of_record = np.repeat(np.arange(len(places)), counts)
        own = marks[np.arange(len(of_record)) + np.repeat(from_mark - np.cumsum(counts) + counts, counts)]
        widths = np.bincount(of_record[~quoted.hold(own)], minlength=len(places)) + 1
        may_be[places] = (widths != width) | (np.searchsorted(odd, ends_of) > np.searchsorted(odd, begins_of))
    for place in np.flatnonzero(last[tall] - first[tall] > MANY_LINES).tolist():
        inner = _lines_of(bytes(view[begins[place] : ends[place]]))[1:-1]
        may_be[place] |= are_records(inner, delimiter, width, MANY_LINES)
    found[tall] = may_be
    return found
