"""The head of a CSV file: how it is written, the names of its columns, and where its records begin."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.encoding import SAMPLE_BYTES
from tasks.convert.formats.csv.dialect import Dialect, detect_dialect, reader_options
from tasks.convert.formats.csv.quoting import Quoting
from tasks.convert.formats.csv.records import Records, Span, is_utf8
from tasks.convert.formats.header import kind_of_field
from tasks.convert.formats.units import units_of, warn_of_row_of_units
from tasks.convert.schema.blocks import DECIMAL_COMMA, Guess, Hint
from tasks.convert.schema.inference import MAY_BE_TYPED
from tasks.convert.schema.names import name_columns
from tasks.core.errors import TableError
from tasks.core.escaping import count

_LINE_END = re.compile(rb"\r\n|\n|\r")

Rename = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Head:
    """What the first lines of a file tell; the records begin after `size` bytes and `lines` lines.

    `fields` are those of the header as they are written, where there is one, and `line` are its bytes;
    `worded` are the columns whose names are texts, as values of columns of numbers are not. `units` are
    the fields of the row of units, if there is one.
    """

    dialect: Dialect
    names: tuple[str, ...]
    size: int
    lines: int
    fields: tuple[str, ...] = ()
    line: bytes = b""
    worded: tuple[str, ...] = ()
    units: tuple[str, ...] | None = None

    def guess(self, suffix: str, encoding: str = "utf-8") -> Guess:
        """Return what was guessed of the file, or declared."""
        dialect = self.dialect
        return Guess(
            suffix.removeprefix("."),
            encoding,
            dialect.delimiter,
            dialect.quote,
            dialect.escape,
            dialect.decimal,
            dialect.has_header if self.names else None,
            dialect.above,
            dialect.title,
            doubts=tuple(
                Hint(self.names[place], value, DECIMAL_COMMA)
                for place, value in sorted(dialect.doubts.items())
                if place < len(self.names)
            ),
            has_units=self.units is not None,
            units=units_of(self.names, self.units or ()),
            units_text=dialect.delimiter.join(dialect.units),
        )

    @cached_property
    def kind(self) -> Hashable:
        """Return what the records of files are read by: what stands above their headers differs."""
        dialect = replace(self.dialect, above=0, title="")
        return dialect, dialect.is_decided, self.names, self.fields, self.line

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences on what may have been another way, or may be a row."""
        dialect = self.dialect
        declared = () if dialect.units else self.units or ()  # one that was found is none of the rows
        return (*dialect.warnings, *warn_of_row_of_units(declared, dialect.rows, dialect.delimiter))


def read_head(  # noqa: PLR0913 - what tells a head
    text: ByteView,
    reading: Reading,
    suffix: str,
    rename: Rename,
    expected: Collection[str] = (),
    *,
    is_complete: bool = True,
    quoting: Quoting | None = None,
) -> Head:
    """Return the head of a file that begins with `text`, in UTF-8 without a byte order mark; it takes up all of it where more is needed.

    `expected` are names that columns are declared to have; where it `is_complete` there is no more.
    The `quoting` of a file none of whose lines is to be skipped may be known.

    Raises:
        TableError: the header cannot be read, or the file has no line that is declared to be it.

    """
    sample, is_all = text.to_place(SAMPLE_BYTES).data, is_complete and len(text) <= SAMPLE_BYTES
    dialect = detect_dialect(
        sample.decode("utf-8", "replace"), reading, suffix, expected, is_complete=is_all, quoting=quoting
    )
    begin = _place_of(text, dialect.above)
    if begin is None:
        if is_complete and len(text):
            _refuse_beginning(text, reading)
        return Head(dialect, (), len(text), dialect.above)
    head = _read_header(text.from_place(begin), dialect, rename, reading)
    end = begin + head.size
    head = replace(head, size=end, lines=head.lines + dialect.above)
    if head.fields and (reading.units_row or dialect.units):
        head = _read_units(text, head, reading, is_complete=is_complete)
    if head.lines < (reading.skip_rows or 0) and head.size > begin:
        place = _place_of(text, reading.skip_rows or 0)
        head = replace(head, size=len(text) if place is None else place, lines=reading.skip_rows or 0)
    return head


def _read_units(text: ByteView, head: Head, reading: Reading, *, is_complete: bool) -> Head:
    """Return a head with the row of units below it; it takes up all of the text where more is needed.

    Raises:
        TableError: the row is declared to be where none is below the header.

    """
    row = reading.units_row if reading.units_row and reading.units_row is not True else None
    if row is not None and row <= head.lines:
        raise TableError(f"its header ends in line {head.lines}, and read.units_row is {row}; correct it")
    above = head.lines if row is None else row - 1
    place = head.size if row is None else _place_of(text, above)
    if row is not None and place is None and is_complete:
        raise TableError(f"has {count(text.lines_of_any_end, 'line')}, and read.units_row is {row}; correct it")
    first, first_size, _ = _first_record(text.from_place(len(text) if place is None else place), head.dialect)
    if first is None:
        return head if is_complete else replace(head, size=len(text))
    if row is not None and first.start:
        raise TableError(f"its line {row} is blank, and read.units_row says that it has the units; correct it")
    assert place is not None
    return replace(head, size=place + first_size, lines=above + first.end, units=tuple(first.fields))


def _read_header(text: ByteView, dialect: Dialect, rename: Rename, reading: Reading) -> Head:
    """Return the head of a file whose header, or first record, `text` begins with."""
    first, size, unclosed = _first_record(text, dialect)
    if first is None or any(line < first.start for line in unclosed):
        if unclosed:
            raise TableError("the quote of its header is not closed; mend the header, or declare read.quote")
        return Head(dialect, (), 0, 0)
    if reading.header_row is not None and first.start:
        raise TableError(
            f"its line {reading.header_row} is blank, and read.header_row says that it is the header; correct it"
        )
    if not dialect.has_header:
        numbered = [f"column_{position}" for position in range(1, len(first.fields) + 1)]
        return Head(dialect, tuple(rename(numbered)), 0, 0)
    if not is_utf8("".join(first.fields)):
        raise TableError("its header is not UTF-8; save the file as UTF-8, or declare read.encoding")
    names, fields = tuple(rename(name_columns(first.fields))), tuple(first.fields)
    worded = tuple(name for name, field in zip(names, fields, strict=True) if _is_word(field))
    return Head(dialect, names, size, first.end, fields, text.to_place(size).data.strip(b"\r\n"), worded)


def _first_record(text: ByteView, dialect: Dialect) -> tuple[Span | None, int, Sequence[int]]:
    """Return the first record that `text` begins with, in how many bytes it ends, and the lines whose quote is never closed of those that had to be told apart for it."""
    if dialect.quoting.is_plain and (alone := _first_line(text, dialect)) is not None:
        return *alone, ()
    lines = _first_lines(text, dialect)
    raw = ByteView.of(lines)
    plain = raw if dialect.quoting.is_plain else ByteView.of(dialect.quoting.rewrite(lines))
    records = Records(plain, dialect, raw=raw)
    first = next(iter(records.spans), None)
    return first, 0 if first is None else records.raw.place_of(first.end), records.unclosed.tolist()


def _first_line(text: ByteView, dialect: Dialect) -> tuple[Span, int] | None:
    """Return the record that the first line is, and its size in bytes; None where it is blank, or a quote of it is open."""
    end = _LINE_END.search(text.buffer, text.start, text.stop)
    line = text.to_place(end.end() - text.start).data if end else b""
    reader = csv.reader([line.decode("utf-8", "surrogateescape"), ""], **reader_options(dialect.quoting))
    fields = next(reader)
    return (Span(0, 1, fields), len(line)) if fields and reader.line_num == 1 else None


def _is_word(field: str) -> bool:
    """Return whether no number, time or truth is written so."""
    return kind_of_field(field) == "text" and not MAY_BE_TYPED.match(field)


def _place_of(text: ByteView, lines: int) -> int | None:
    """Return the byte after so many lines; None where there are not as many that have ended."""
    place = 0
    for _ in range(lines):
        end = _LINE_END.search(text.buffer, text.start + place, text.stop)
        if end is None:
            return None
        place = end.end() - text.start
    return place


def _refuse_beginning(text: ByteView, reading: Reading) -> None:
    key = "header_row" if reading.header_row is not None else "skip_rows"
    raise TableError(
        f"has {count(text.lines_of_any_end, 'line')}, and read.{key} is {getattr(reading, key)}; correct it, or leave the file out"
    )


def _first_lines(text: ByteView, dialect: Dialect) -> bytes:
    """Return so much of a file's beginning as holds its first record, however long: without a quote, its first line."""
    first = _LINE_END.search(text.buffer, text.start, text.stop)
    line = text.to_place(first.end() - text.start).data if first else b""
    quote, comment = dialect.quote.encode(), dialect.comment.encode()
    if line.strip() and not (quote and quote in line) and not (comment and line.startswith(comment)):
        return line
    size = SAMPLE_BYTES
    while size < len(text):
        sample = text.to_place(size)
        cut = sample.rfind(b"\n")
        cut = cut if cut > 0 else sample.rfind(b"\r", len(sample) - 1)  # the last one may be the half of a line end
        if cut > 0 and sample.data.count(b'"', 0, cut) % 2 == 0:
            return sample.data[: cut + 1]
        size *= 4
    return text.data
