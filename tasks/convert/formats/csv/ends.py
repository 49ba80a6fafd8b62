"""Lines of a CSV file that are no rows as is declared: its last ones, and those without any value."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.convert.files.byte_view import ByteView, Marks, mark
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.places import empty_lines, move_lines, put_in
from tasks.convert.formats.csv.quotes import are_of
from tasks.convert.formats.csv.records import BYTES_AWAITED, Records
from tasks.convert.formats.csv.tokens import Rewritten
from tasks.convert.formats.csv.totals import Footer
from tasks.convert.formats.format import Cut
from tasks.convert.schema.misfits import cut_texts
from tasks.core.errors import TableError

_BLANKS = b" \t\r\n"
_ENDS = 2  # of a piece of bytes


@dataclass(frozen=True)
class ReadCut(Cut):
    """Whole records of CSV, for which `records` had to be told apart: these, line by line, and those that begin below."""

    records: Records


def find_apart(
    text: ByteView, first: np.ndarray, end: int, views: Sequence[Rewritten], awaited_bytes: int = BYTES_AWAITED
) -> int:
    """Return the line up to `end` that is the first of a record, and begins in no field of lines as they were rewritten: what is below it is rewritten alone as with them.

    What is a field so may be none as it is read. One of more bytes than are awaited holds no line back.
    """
    starts = np.append(text.line_spans_of_any_end[0], len(text))
    for view in views:
        if view.are_apart(np.array([end]))[0]:
            continue
        above = first[first < end]
        found = int(above[view.are_apart(above)].max(initial=0))
        end = found if starts[found] >= starts[end] - awaited_bytes else end
    return end


def split_at_line(cut: Cut, line: int) -> tuple[Cut, Cut]:
    """Return the lines before one, counted from 0, and those from it on."""
    above, below = _split(cut.plain, line)
    raw_above, raw_below = (above, below) if cut.is_plain else _split(cut.text, line)
    records = cut.records if isinstance(cut, ReadCut) else None
    first = Cut(above, raw_above) if records is None else ReadCut(above, raw_above, records)
    return first, Cut(below, raw_below)


def tell_records(cut: Cut, head: Head) -> ReadCut:
    """Return the same with its records told apart."""
    raw = None if cut.is_plain else cut.text
    if isinstance(cut, ReadCut):
        return ReadCut(cut.plain, cut.text, cut.records.narrow(cut.plain, raw=raw))
    return ReadCut(cut.plain, cut.text, Records(cut.plain, head.dialect, raw=raw, width=len(head.names)))


def hold_back(
    cut: Cut, head: Head, records: int, views: Sequence[Rewritten] = (), awaited_bytes: int = BYTES_AWAITED
) -> Cut:
    """Return whole records without so many of the last, which may be the last of the file."""
    told = tell_records(cut, head)
    begins = told.records.begins
    end = int(begins[-records]) if len(begins) > records else 0
    return split_at_line(told, find_apart(cut.plain, begins, end, views, awaited_bytes))[0]


def split_footer(cut: Cut, head: Head, records: int) -> tuple[Cut, Footer]:
    """Return the last records of a file without so many of them, and these."""
    told = tell_records(cut, head)
    begins = told.records.begins[-records:]
    if not len(begins):
        return cut, Footer()
    rows, last = split_at_line(told, int(begins[0]))
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
    if kept:
        found = starts == stops
        if not cut.is_plain:
            raw_starts, raw_stops = cut.text.line_spans_of_any_end  # a comment is none, nor any line as the last
            found &= (raw_starts == raw_stops)[: len(found)]
        lines = np.flatnonzero(found)
    else:
        marks = f"{head.dialect.delimiter}{head.dialect.quote}".encode()
        lines = _find_alone(marks + _BLANKS, view, starts, stops)
    if len(lines) and head.dialect.quote and head.dialect.quote.encode() in cut.plain:
        cut = told = tell_records(cut, head)
        lines = _outside_quotes(told, head, lines, kept=kept)
    if not len(lines):
        return cut, 0
    starts, stops, what = starts[lines], stops[lines], _empty_record(head) if kept else b""
    data = put_in(view, starts, what) if kept else empty_lines(cut.plain, starts, stops)
    plain = move_lines(cut.plain, data, lines, len(what) if kept else starts - stops)
    records = cut.records if isinstance(cut, ReadCut) else None
    settled = Cut(plain, cut.text) if records is None else ReadCut(plain, cut.text, records)
    return settled, len(lines)


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


def _outside_quotes(cut: ReadCut, head: Head, lines: np.ndarray, *, kept: bool) -> np.ndarray:
    """Return those of the lines that are no part of a record, or each a record without any value."""
    is_first = cut.records.is_first
    lines = lines[is_first[lines]]
    if kept:
        return lines
    is_alone = np.append(is_first, np.True_)[lines + 1] & ~mark(cut.records.unclosed, len(is_first))[lines]
    return _take_empty(cut, head, lines[is_alone])


def _take_empty(cut: ReadCut, head: Head, lines: np.ndarray) -> np.ndarray:
    """Return those of the lines, each a record, of which no field has a value: each different text with a quote is read once."""
    starts, stops = (each[lines] for each in cut.plain.line_spans_of_any_end)
    delimiter, quote = head.dialect.delimiter, head.dialect.quote or None
    is_empty = mark(_find_alone(delimiter.encode() + _BLANKS, cut.plain.to_numpy(), starts, stops), len(lines))
    quoted = np.flatnonzero(~is_empty)
    texts = cut_texts(cut.plain.view, starts[quoted], stops[quoted]).dictionary_encode()
    read = csv.reader(texts.dictionary.to_pylist(), delimiter=delimiter, quotechar=quote)
    without_value = np.array([not any(map(str.strip, fields)) for fields in read], dtype=bool)
    is_empty[quoted] = without_value[texts.indices.to_numpy()]
    return np.compress(is_empty, lines)


def _find_alone(characters: bytes, view: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return those of some pieces of bytes that have these characters alone, but none that is empty: of most the first and the last byte tell."""
    near = np.flatnonzero(are_of(characters, view[starts]) & (stops > starts))
    near = np.compress(are_of(characters, view[stops[near] - 1]), near)
    starts, stops = starts[near], stops[near]
    if not (stops - starts > _ENDS).any():
        return near
    others = Marks(~are_of(characters, view))
    return np.compress(others.count_before(starts) == others.count_before(stops), near)


def _split(text: ByteView, line: int) -> tuple[ByteView, ByteView]:
    above = text.to_line(line)
    return above, text.from_place(len(above))
