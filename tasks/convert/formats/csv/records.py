"""The records of a CSV block as Python's own reader tells them apart: a second opinion beside pyarrow's."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.dialect import Dialect
from tasks.convert.formats.csv.spans import LaidLines
from tasks.convert.formats.csv.text_lines import TextLines
from tasks.convert.formats.csv.unclosed import Unclosed, find_unclosed
from tasks.convert.schema.misfits import make_misfits, make_records, repeat_text
from tasks.core.escaping import count

csv.field_size_limit(sys.maxsize)

_SENTINEL = "end"
BYTES_AWAITED = 1024 * 1024  # below a quote that opens: a field of lines like records is seldom longer
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
        self.lines = TextLines(text)
        self.raw = self.lines if raw is None else TextLines(raw)

    @cached_property
    def spans(self) -> list[Span]:
        """Return every whole record."""
        bounds = [-1, *self.unclosed.tolist(), len(self.lines)]
        stretches = ((above + 1, below) for above, below in pairwise(bounds) if below > above + 1)
        return [span for start, stop in stretches for span in self._read(start, stop) if span.fields]

    @cached_property
    def laid(self) -> LaidLines:
        """Return how the lines lie."""
        return LaidLines(self._text, self._dialect.quote, self._dialect.delimiter, self._width)

    @property
    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first line of each whole record, and the one below its last, those between lines whose quote is never closed told as if these were not there."""
        first, below, is_filled = self._grouped
        is_closed = np.ones(len(self.lines), dtype=bool)
        is_closed[self.unclosed] = False
        whole = np.flatnonzero(is_filled & is_closed[first])
        return first[whole], below[whole]

    @property
    def blank(self) -> np.ndarray:
        """Return the blank lines between records."""
        starts, stops = self._text.line_spans_of_any_end
        return np.flatnonzero(self.is_first & (starts == stops))  # no record begins with one

    @cached_property
    def _grouped(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first line of each record, broken or blank ones too, the one below its last, and whether it is not blank."""
        first, count = np.flatnonzero(self._unclosed.is_first), len(self.lines)
        below = np.append(first[1:], count)[: len(first)]  # of no line there is none
        return first, below, ~self._text.are_blank[first] | (below - first > 1)

    @property
    def is_first(self) -> np.ndarray:
        """Return of each line whether it is the first of a record, be it broken or blank."""
        return self._unclosed.is_first

    @property
    def begins(self) -> np.ndarray:
        """Return the line in which each record begins, be it broken."""
        first, _, is_filled = self._grouped
        return np.compress(is_filled, first)

    @property
    def are_told(self) -> bool:
        """Return whether it is known which quotes are never closed."""
        return "_unclosed" in vars(self)

    @property
    def unclosed(self) -> np.ndarray:
        """Return the places of the lines whose quote is never closed: only records that may have one are looked at, and what follows it up to the next that is a record as well where all quotes count."""
        quote = self._dialect.quote.encode()
        # Of a header alone it took a quarter of the time of a small file to tell how its lines lie.
        return self._unclosed.lines if quote and quote in self._text else np.empty(0, np.int64)

    @cached_property
    def _unclosed(self) -> Unclosed:
        if not len(self.laid.doubtful):
            return Unclosed.none(self.laid)
        return find_unclosed(self.laid, self._width)

    @property
    def broken(self) -> pa.Table:
        """Return these lines as misfits."""
        return make_misfits(self._locate([(line, line + 1) for line in self.unclosed.tolist()]), self.why_broken)

    @property
    def why_broken(self) -> pa.Array:
        """Return why each of these lines is no row; of one that cannot be decoded as well, that is the reason."""
        if not len(self._text.undecodable):
            return repeat_text(UNCLOSED, len(self.unclosed))
        return pc.if_else(pa.array(self._are_decodable(self.unclosed, self.unclosed + 1)), UNCLOSED, UNDECODABLE)

    @cached_property
    def undecodable(self) -> list[int]:
        """Return the places of the whole records that are not in the file's encoding."""
        if not len(self._text.undecodable):
            return []
        bounds = np.array([(span.start, span.end) for span in self.spans], np.int64).reshape(-1, 2)
        places: list[int] = np.flatnonzero(~self._are_decodable(*bounds.T)).tolist()
        return places

    def _are_decodable(self, first: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Return whether the lines from each to before another are in the file's encoding."""
        odd, bounds = self._text.undecodable, np.append(self.lines.starts, len(self._text))
        return np.asarray(np.searchsorted(odd, bounds[first]) == np.searchsorted(odd, bounds[below]))

    @property
    def warnings(self) -> list[str]:
        """Return a sentence on the fields that run over lines like records and were kept, and one on those that were not."""
        found = self._unclosed
        kept = "was kept as one value; if these are rows, mend the quote that opens it"
        broken = "was taken for a stray quote and its lines for rows; if it is one value, double the quotes within it"
        told = list[str]()
        for doubted, what in ((False, kept), (True, broken)):
            first, below = (each[found.is_doubted == doubted] for each in (found.first, found.below))
            if len(first):
                # Of a stray quote only its own line is a reject where it cannot be decoded: the lines below it are rows.
                is_told = self._are_decodable(first, first + 1 if doubted else below)
                first, below = first[is_told], below[is_told]
            if len(first):
                told.append(
                    f"line {self._first_line + int(first[0])} opens a quoted field that runs over "
                    f"{int(below[0] - first[0])} lines which look like records, and {what}"
                    + (f" ({len(first)} such fields)" if len(first) > 1 else "")
                )
        return told

    def has_blank(self, start: int, end: int) -> bool:
        """Return whether one of these lines of the file is blank; a comment is not."""
        return any(not line.strip("\r\n") for line in self.raw.read(start, end))

    def narrow(
        self, text: ByteView, first_line: int = 1, first_byte: int | None = None, raw: ByteView | None = None
    ) -> Records:
        """Return those of a text that begins with the same lines, and ends with a record; what is known of these is. Lines between them may be blank that were not, or the other way round."""
        found = Records(text, self._dialect, first_line, first_byte, raw, self._width)
        found.laid = self.laid.narrow(text)
        if self.are_told or not found.laid.are_settled:
            found._unclosed = self._unclosed.narrow(len(found.lines))
        return found

    def settle(self, text: ByteView, is_kept: np.ndarray) -> LaidLines:
        """Return how the lines of a text without those whose quote is never closed lie."""
        return self.laid.without(text, is_kept, self._unclosed.is_first)

    def find_unclosed(self, awaited_bytes: int) -> int | None:
        """Return the index of the first line whose quote is not closed in this block, and may be in the next: too little below shows that it is stray, and no other quote closes it."""
        lines, count = self.unclosed, len(self.lines)
        # Of one that another quote of the block closes it is told already that it is stray, whatever comes.
        lines = lines[~(self.laid.is_first[lines] & (lines < self.laid.open))]
        lines = lines[self.laid.alone.are_open(lines)]
        is_stray = self.laid.alike.are_records(lines + 1, np.full(len(lines), count))
        # Also a field of many such lines may be closed, wherever the block is cut.
        is_stray &= self.laid.starts[lines] < len(self._text) - awaited_bytes
        return None if is_stray.all() else int(lines[~is_stray][0])

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
