"""In which lines of a small CSV file each record begins, and which lines between records are blank."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import NamedTuple

import numpy as np

from tasks.convert.formats.csv.dialect import Dialect
from tasks.convert.formats.csv.header import Head
from tasks.convert.formats.csv.quotes import are_inside
from tasks.convert.formats.csv.together import line_without_values
from tasks.convert.formats.header import JUDGED_ROWS, find_second

_MOST_DOUBTED = 16  # records of a file, below each of which others are read


class Gaps(NamedTuple):
    """The blank lines that were taken out of a file, and their bytes: how many stand above each line of its rows, and above the one below these."""

    lines: np.ndarray
    bytes: np.ndarray


def find_records(body: bytes, quote: str) -> np.ndarray | None:
    """Return in which line of a text whose quotes are paired each record begins; None where each line is one."""
    if not quote or quote.encode() not in body:
        return None
    view = np.frombuffer(body, np.uint8)
    are_in_quotes = are_inside(view == ord(quote))[view == ord("\n")]
    return np.flatnonzero(np.insert(~are_in_quotes, 0, values=True)[:-1]) if are_in_quotes.any() else None


def has_blank_line(body: bytes) -> bool:
    """Return whether any line is blank, be it within quotes."""
    return b"\n\n" in body or b"\n\r\n" in body or body.startswith((b"\n", b"\r\n"))


def take_out_blank(body: bytes, head: Head) -> tuple[bytes, Gaps] | None:
    """Return records without the blank lines between them; None where one may be a value."""
    if len(head.names) < 2:  # noqa: PLR2004 - of one column
        return None
    view = np.frombuffer(body, np.uint8)
    stops = np.flatnonzero(view == ord("\n")) + 1
    starts = np.append(0, stops[:-1])
    sizes = stops - starts
    is_blank = (sizes == 1) | ((sizes == 2) & (view[starts] == ord("\r")))  # noqa: PLR2004 - with a carriage return
    records = find_records(body, head.dialect.quote)
    if records is not None:  # within quotes a blank line is one of a value
        is_blank &= np.isin(np.arange(len(sizes)), records)
    rows = view[np.repeat(~is_blank, sizes)].tobytes()
    above = Gaps(np.cumsum(is_blank, dtype=np.int32), np.cumsum(np.where(is_blank, sizes, 0), dtype=np.int32))
    kept = np.flatnonzero(~is_blank)
    return rows, Gaps(*(np.append(each[kept], each[-1]) for each in above))


def has_line_without_values(body: bytes, head: Head) -> bool:
    """Return whether any line has no value, be it blank."""
    dialect = head.dialect
    begins = f"{dialect.delimiter}{dialect.quote} \t\v\f\r\n".encode()
    may_be_empty = body[:1] in begins or any(
        b"\n%c" % each in body for each in begins
    )  # a tenth of what a pattern costs
    return bool(may_be_empty and line_without_values(dialect.delimiter, dialect.quote).search(body))


def has_odd_line(body: bytes, head: Head) -> bool:
    """Return whether any line without a value has as many fields as a row, but for delimiters alone, or a quote: one with other fields is a reject as any."""
    if not has_line_without_values(body, head):
        return False
    dialect, fields = head.dialect, len(head.names)
    if fields < 2:  # noqa: PLR2004 - of one column it is a value
        return True
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    empty, records = delimiter * (fields - 1), find_records(body, dialect.quote) if quote and quote in body else None
    for found in line_without_values(dialect.delimiter, dialect.quote).finditer(body):
        line = found.group().removesuffix(b"\r")
        if quote and quote in line:
            return True
        is_within = line == empty and records is not None and body.count(b"\n", 0, found.start()) not in records
        if line.count(delimiter) == fields - 1 and (line != empty or is_within):
            return True
    return False


def may_have_second(rows: bytes, gaps: Gaps | None, dialect: Dialect) -> bool:
    """Return whether the header of another table may be below a blank line that was taken out, or one of delimiters alone: it is told where a file is read by itself.

    The line of totals is none of these `rows`: it would be judged as one of those below the header.
    """
    places = set[int]()
    if gaps is not None:
        starts = np.append(0, np.flatnonzero(np.frombuffer(rows, np.uint8) == ord("\n"))[:-1] + 1)
        places.update(starts[np.flatnonzero(np.diff(gaps.lines[: len(starts)], prepend=0))].tolist())
    found = [*line_without_values(dialect.delimiter, dialect.quote).finditer(rows)]
    places.update(line.end() + 1 for line in found)
    return _is_second(rows, sorted(places - {line.start() for line in found} - {len(rows)}), dialect)


def _is_second(rows: bytes, places: list[int], dialect: Dialect) -> bool:
    """Return whether any record that begins at one of these places looks like the header of another table."""
    end = re.escape(dialect.delimiter).encode()
    has_number = re.compile(rb'[^"\n]*?(?<![^%b\n])\d+(?:%b|\r?\n)' % (end, end))  # as no header has
    doubted = [place for place in places if not has_number.match(rows, place)]
    if len(doubted) > _MOST_DOUBTED:
        return True
    for place in doubted:
        text = io.StringIO(rows[place:].decode(), newline="")
        reader = csv.reader(
            text,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        )
        if find_second(list(islice(reader, JUDGED_ROWS + 1)), {0}) is not None:
            return True
    return False
