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
from tasks.convert.formats.header import JUDGED_ROWS, find_second

_MOST_DOUBTED = 16  # records of a file, below each of which others are read


class Gaps(NamedTuple):
    """The blank lines that were taken out of a file, and their bytes: how many stand above each line of its rows, and above the one below these."""

    lines: np.ndarray
    bytes: np.ndarray


def find_records(body: bytes, quote: str) -> np.ndarray | None:
    """Return in which line of a text whose quotes are paired each record begins; None where each line is one."""
    if quote.encode() not in body:
        return None
    view = np.frombuffer(body, np.uint8)
    are_in_quotes = are_inside(view == ord(quote))[view == ord("\n")]
    return np.flatnonzero(np.insert(~are_in_quotes, 0, values=True)[:-1]) if are_in_quotes.any() else None


def has_blank_line(body: bytes) -> bool:
    """Return whether any line is blank, be it within quotes."""
    return b"\n\n" in body or b"\n\r\n" in body or body.startswith((b"\n", b"\r\n"))


def take_out_blank(body: bytes, head: Head) -> tuple[bytes, Gaps] | None:
    """Return records without the blank lines between them; None where the header of another table may be below one, which is told where a file is read by itself."""
    view = np.frombuffer(body, np.uint8)
    stops = np.flatnonzero(view == ord("\n")) + 1
    starts = np.append(0, stops[:-1])
    sizes = stops - starts
    is_blank = (sizes == 1) | ((sizes == 2) & (view[starts] == ord("\r")))  # noqa: PLR2004 - with a carriage return
    records = find_records(body, head.dialect.quote) if head.dialect.quote else None
    if records is not None:  # within quotes a blank line is one of a value
        is_blank &= np.isin(np.arange(len(sizes)), records)
    rows = view[np.repeat(~is_blank, sizes)].tobytes()
    above = Gaps(np.cumsum(is_blank, dtype=np.int32), np.cumsum(np.where(is_blank, sizes, 0), dtype=np.int32))
    below = np.flatnonzero(is_blank[:-1] & ~is_blank[1:]) + 1
    if len(head.names) < 2 or _may_have_second(rows, (starts - above.bytes)[below].tolist(), head.dialect):  # noqa: PLR2004 - of one column a blank line may be a value
        return None
    kept = np.flatnonzero(~is_blank)
    return rows, Gaps(*(np.append(each[kept], each[-1]) for each in above))


def _may_have_second(rows: bytes, places: list[int], dialect: Dialect) -> bool:
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
