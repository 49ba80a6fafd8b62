"""The records of a CSV block as Python's own reader tells them apart: a second opinion beside pyarrow's."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain

import numpy as np

from tasks.convert.parsed import Misfit, Record
from tasks.convert.reading.dialect import Dialect

csv.field_size_limit(sys.maxsize)

_SENTINEL = "end"
_MAX_UNCLOSED = 100  # quotes never closed, each of which makes the rest of the block be read anew
_LINE_FEED = 10
UNCLOSED = "a quote is not closed"
UNDECODABLE = "not in the file's encoding"


@dataclass(frozen=True)
class Span:
    """One record: the indices of its first line and of the one after its last, and its fields."""

    start: int
    end: int
    fields: Sequence[str]


class Records:
    """The records of a block, empty lines left out; a line whose quote is never closed is broken, what follows it is not."""

    def __init__(
        self,
        data: bytes,
        dialect: Dialect,
        first_line: int = 1,
        first_byte: int | None = None,
        starts: Sequence[int] | None = None,
    ) -> None:
        self._dialect = dialect
        self._first_line = first_line
        self._first_byte = first_byte
        self._starts = starts
        # Bytes that are no UTF-8 stay what they are, as lone surrogates.
        self.lines = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="").readlines()
        self._unclosed: list[int] = []

    @cached_property
    def spans(self) -> list[Span]:
        """Return every whole record."""
        spans: list[Span] = []
        start, rest_is_unquoted = 0, False
        while start < len(self.lines):
            unclosed = None
            for span in self._read(start, quoted=not rest_is_unquoted):
                if span.end > len(self.lines):
                    unclosed = span.start
                    break
                if rest_is_unquoted and self._dialect.quote in self.lines[span.start]:
                    self._unclosed.append(span.start)
                elif span.fields:
                    spans.append(span)
            if unclosed is None:
                break
            self._unclosed.append(unclosed)
            start, rest_is_unquoted = unclosed + 1, len(self._unclosed) >= _MAX_UNCLOSED
        return spans

    @property
    def broken(self) -> list[Misfit]:
        """Return the lines whose quote is never closed."""
        assert self.spans is not None
        return [Misfit(self.record(line, line + 1), None, UNCLOSED) for line in self._unclosed]

    @property
    def first_unclosed(self) -> int | None:
        """Return the index of the first line whose quote is never closed."""
        assert self.spans is not None
        return min(self._unclosed, default=None)

    def locate(self, indices: Sequence[int]) -> list[Record]:
        """Return the records at these indices among the whole ones."""
        return [self.record(self.spans[index].start, self.spans[index].end) for index in indices]

    def record(self, start: int, end: int) -> Record:
        """Return the record of these lines."""
        raw = "".join(self.lines[start:end]).rstrip("\r\n")
        text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return Record(
            self._first_line + start, text, None if self._first_byte is None else self._first_byte + self.starts[start]
        )

    @cached_property
    def starts(self) -> Sequence[int]:
        """Return the byte at which each line begins, or began where some of the data was taken out."""
        return self._starts or [0, *accumulate(len(line.encode("utf-8", "surrogateescape")) for line in self.lines)]

    def _read(self, start: int, *, quoted: bool) -> Iterator[Span]:
        """Yield the records from a line on; one that holds the sentinel has a quote that is not closed."""
        options = {"quoting": csv.QUOTE_NONE}
        if quoted and self._dialect.quote:
            options = {"quotechar": self._dialect.quote}  # type: ignore[dict-item]
        lines = self.lines[start:]
        reader = csv.reader(chain(lines, [_SENTINEL]), delimiter=self._dialect.delimiter, **options)  # type: ignore[arg-type]
        end = 0
        for fields in reader:
            first, end = end, reader.line_num
            if first < len(lines):
                yield Span(start + first, start + end, fields)


def is_utf8(text: str) -> bool:
    """Return whether a text, decoded with surrogateescape, was UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def are_paired(view: np.ndarray, quote: str, delimiter: str) -> bool:
    """Return whether each quote that opens, by its place in the row of quotes, stands where a field begins, and each is closed.

    A quote within a field, as in 5" pipe, is none that opens: only a reader can tell those apart.
    """
    quotes = np.flatnonzero(view == ord(quote))
    if len(quotes) % 2:
        return False
    opening = quotes[::2]
    before = view[np.maximum(opening - 1, 0)]
    begins = np.isin(before, np.frombuffer(f"{delimiter}{quote}\r\n".encode(), np.uint8)) | (opening == 0)
    return bool(begins.all())


def count_records(data: bytes, quote: str, delimiter: str = ",") -> int:
    """Return how many records a block holds, empty lines left out, by its line ends outside quotes alone.

    None are where a quote is left open: only a reader can tell what that means.
    """
    if quote and quote.encode() in data:
        return _count_quoted(data, quote, delimiter)
    return sum(1 for line in data.splitlines() if line)


def _count_quoted(data: bytes, quote: str, delimiter: str) -> int:
    if not are_paired(np.frombuffer(data, np.uint8), quote, delimiter):
        return -1
    view = np.frombuffer(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), dtype=np.uint8)
    quotes = np.flatnonzero(view == ord(quote))
    ends = np.flatnonzero(view == _LINE_FEED)
    outside = ends[np.searchsorted(quotes, ends) % 2 == 0]
    starts = np.concatenate([[-1], outside])
    stops = np.concatenate([outside, [len(view)]])
    return int(np.count_nonzero(stops - starts > 1))
