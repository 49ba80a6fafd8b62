"""Lines of a CSV file that are no rows as is declared: its last ones, and those without any value."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.parse import end_with_line_feeds
from tasks.convert.formats.csv.records import Records
from tasks.convert.formats.csv.spans import find_lines, find_spans
from tasks.convert.formats.csv.totals import Footer
from tasks.convert.formats.format import Cut
from tasks.convert.schema.misfits import cut_texts
from tasks.core.errors import TableError

_NOWHERE = np.empty(0, np.int64)


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


@dataclass(frozen=True)
class _Told:
    """The records of a cut: of those that are whole the first lines, and the ones below the last; and the lines whose quote is never closed."""

    first: np.ndarray
    below: np.ndarray
    unclosed: np.ndarray


def _tell_records(cut: Cut, head: Head) -> _Told | None:
    """Return the records, of which those between lines whose quote is never closed are told as if these were not there; None where only a reader can."""
    window, dialect = ByteView.of(end_with_line_feeds(cut.plain)), head.dialect
    found = find_spans(window, dialect.quote, dialect.delimiter, len(head.names))
    if found is not None:
        return _Told(found.lines, found.below, _NOWHERE)
    unclosed = Records(cut.plain, dialect, raw=cut.text, width=len(head.names)).unclosed
    starts, _ = window.line_spans_of_any_end
    is_kept = np.ones(len(starts), dtype=bool)
    is_kept[unclosed] = False
    others = window.to_numpy()[np.repeat(is_kept, np.diff(starts, append=len(window)))].tobytes()
    found = find_spans(ByteView.of(others), dialect.quote, dialect.delimiter, 0)
    places = np.flatnonzero(is_kept)
    return None if found is None else _Told(places[found.lines], places[found.below - 1] + 1, unclosed)


def _outside_quotes(cut: Cut, head: Head, lines: np.ndarray, *, kept: bool) -> np.ndarray:
    """Return those of the lines that are no part of a record, or each a record without any value."""
    told = _tell_records(cut, head)
    if told is not None and not len(told.first):
        return lines if kept else _NOWHERE
    if told is not None:
        above = np.searchsorted(told.first, lines, "right") - 1
        if kept:
            return lines[(above < 0) | (told.below[above] <= lines)]
        is_alone = (told.first[above] == lines) & (told.below[above] == lines + 1)
        return _take_empty(cut, head, lines[is_alone])
    records = Records(cut.plain, head.dialect, raw=cut.text, width=len(head.names))
    if kept:
        taken = [np.arange(span.start, span.end) for span in records.spans]
        return np.setdiff1d(lines, np.concatenate([*taken, np.empty(0, np.int64)]))
    spans = (span for span in records.spans if span.end == span.start + 1)
    blank = [span.start for span in spans if not any(field.strip() for field in span.fields)]
    return np.intersect1d(lines, np.array(blank, np.int64))


def _take_empty(cut: Cut, head: Head, lines: np.ndarray) -> np.ndarray:
    """Return those of the lines, each a record, of which no field has a value: each different text is read once."""
    starts, stops = cut.plain.line_spans_of_any_end
    texts = cut_texts(cut.plain.view, starts[lines], stops[lines]).dictionary_encode()
    delimiter, quote = head.dialect.delimiter, head.dialect.quote or None
    read = csv.reader(texts.dictionary.to_pylist(), delimiter=delimiter, quotechar=quote)
    is_empty = np.array([not any(map(str.strip, fields)) for fields in read], dtype=bool)
    found: np.ndarray = lines[is_empty[texts.indices.to_numpy()]]
    return found


def _find_records(cut: Cut, head: Head) -> np.ndarray:
    """Return the line, from 0, in which each record begins, be it broken."""
    dialect, data = head.dialect, cut.plain.data
    quote = dialect.quote if dialect.quote and dialect.quote.encode() in cut.plain else ""
    lines = find_lines(data, quote, dialect.delimiter, len(head.names))
    if lines is not None:
        return lines
    if quote and (told := _tell_records(cut, head)) is not None:
        return np.sort(np.concatenate([told.first, told.unclosed]))
    records = Records(cut.plain, dialect, raw=cut.text, width=len(head.names))
    return np.array(sorted([*(span.start for span in records.spans), *records.unclosed.tolist()]), np.int64)


def _split(text: ByteView, line: int) -> tuple[ByteView, ByteView]:
    starts, _ = text.line_spans_of_any_end
    place = int(starts[line]) if line < len(starts) else len(text)
    return text.to_place(place), text.from_place(place)
