"""Lines of a CSV file that are no rows as is declared: its last ones, and those without any value."""

from __future__ import annotations

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.parse import end_with_line_feeds
from tasks.convert.formats.csv.records import Records
from tasks.convert.formats.csv.spans import find_lines, find_spans
from tasks.convert.formats.csv.totals import Footer
from tasks.convert.formats.format import Cut
from tasks.core.errors import TableError


def split_at_line(cut: Cut, line: int) -> tuple[Cut, Cut]:
    """Return the lines before one, counted from 0, and those from it on."""
    above, below = _split(cut.plain, line)
    if cut.is_plain:
        return Cut(above, above), Cut(below, below)
    raw_above, raw_below = _split(cut.text, line)
    return Cut(above, raw_above), Cut(below, raw_below)


def hold_back(cut: Cut, head: Head, records: int) -> Cut:
    """Return whole records without so many of the last, which may be the last of the file."""
    begins = _find_records(cut, head)
    return split_at_line(cut, int(begins[-records]) if len(begins) > records else 0)[0]


def split_footer(cut: Cut, head: Head, records: int) -> tuple[Cut, Footer]:
    """Return the last records of a file without so many of them, and these."""
    begins = _find_records(cut, head)[-records:]
    if not len(begins):
        return cut, Footer()
    rows, last = split_at_line(cut, int(begins[0]))
    found = Records(last.plain, head.dialect, raw=last.text)
    texts = found.locate(range(len(found.spans)))["raw"].to_pylist()
    first = last.text.data.splitlines()[0].decode("utf-8", "backslashreplace")
    return rows, Footer.of(
        len(begins), first, zip(texts, (span.fields for span in found.spans), strict=True), head.dialect.rows
    )


def settle_blank(cut: Cut, head: Head, *, kept: bool) -> tuple[Cut, int]:
    """Return records with each line without any value blank, which is none, and their number; or `kept`, blank lines as records without a value.

    Raises:
        TableError: nothing can stand for a record of one field without a value.

    """
    view, (starts, stops) = cut.plain.to_numpy(), cut.plain.line_spans_of_any_end
    found = starts == stops
    if kept and not cut.is_plain:
        raw_starts, raw_stops = cut.text.line_spans_of_any_end  # a comment is no blank line
        found &= raw_starts == raw_stops
    if not kept:
        is_value = np.ones(256, dtype=bool)
        is_value[list(f"{head.dialect.delimiter}{head.dialect.quote} \t\r\n".encode())] = False
        values = np.concatenate([[0], np.cumsum(is_value[view], dtype=np.int32)])
        found = ~found & (values[starts] == values[stops])
    lines = np.flatnonzero(found)
    if len(lines) and head.dialect.quote and head.dialect.quote.encode() in cut.plain:
        lines = _outside_quotes(cut, head, lines, kept=kept)
    if not len(lines):
        return cut, 0
    filler = _empty_record(head) if kept else b""
    data, pieces, end = cut.plain.data, [], 0
    for start, stop in zip(starts[lines].tolist(), stops[lines].tolist(), strict=True):
        pieces += [data[end:start], filler]
        end = stop
    return Cut(ByteView.of(b"".join([*pieces, data[end:]])), cut.text), len(lines)


def _empty_record(head: Head) -> bytes:
    """Return a record of as many fields as the header has, none of which has a value."""
    dialect = head.dialect
    if len(head.names) > 1:
        return dialect.delimiter.encode() * (len(head.names) - 1)
    if not dialect.quote:
        raise TableError(
            "has one column, and read.quote is empty, so that a blank line is no row; take out read.skip_blank"
        )
    return dialect.quote.encode() * 2


def _outside_quotes(cut: Cut, head: Head, lines: np.ndarray, *, kept: bool) -> np.ndarray:
    """Return those of the lines that are no part of a record, or each a record without any value."""
    window, dialect = ByteView.of(end_with_line_feeds(cut.plain)), head.dialect
    found = find_spans(window, dialect.quote, dialect.delimiter, len(head.names))
    if kept and found is not None:
        above = np.searchsorted(found.lines, lines, "right") - 1
        return lines[(above < 0) | (found.below[above] <= lines)]
    records = Records(cut.plain, head.dialect, raw=cut.text, width=len(head.names))
    if kept:
        taken = [np.arange(span.start, span.end) for span in records.spans]
        return np.setdiff1d(lines, np.concatenate([*taken, np.empty(0, np.int64)]))
    spans = (span for span in records.spans if span.end == span.start + 1)
    blank = [span.start for span in spans if not any(field.strip() for field in span.fields)]
    return np.intersect1d(lines, np.array(blank, np.int64))


def _find_records(cut: Cut, head: Head) -> np.ndarray:
    """Return the line, from 0, in which each record begins, be it broken."""
    dialect, data = head.dialect, cut.plain.data
    quote = dialect.quote if dialect.quote and dialect.quote.encode() in cut.plain else ""
    lines = find_lines(data, quote, dialect.delimiter, len(head.names))
    if lines is not None:
        return lines
    records = Records(cut.plain, dialect, raw=cut.text, width=len(head.names))
    return np.array(sorted([*(span.start for span in records.spans), *records.unclosed.tolist()]), np.int64)


def _split(text: ByteView, line: int) -> tuple[ByteView, ByteView]:
    starts, _ = text.line_spans_of_any_end
    place = int(starts[line]) if line < len(starts) else len(text)
    return text.to_place(place), text.from_place(place)
