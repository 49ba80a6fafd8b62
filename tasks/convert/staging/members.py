"""Small files of CSV that may be joined: their bytes in UTF-8, and what each alone tells of how it is written."""

from __future__ import annotations

import re

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.encoding import Transcoder, detect_encoding
from tasks.convert.formats.csv.dialect import RECORDS
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.quotes import are_inside, are_paired
from tasks.convert.formats.csv.together import kind_of_head, line_without_values
from tasks.convert.formats.csv.totals import find_totals
from tasks.convert.formats.header import PLAIN_NAME
from tasks.convert.formats.registry import format_of
from tasks.convert.formats.units import are_units, may_be_units
from tasks.convert.staging.context import ConversionContext
from tasks.core.errors import TableError

_ODD = (b"'", b"\0", b"\xef\xbb\xbf", b"\xff")
_QUOTE = b'"'
_OTHER_DELIMITERS = (b";", b"\t", b"|")
_MAY_BE_THOUSANDS = re.compile(rb"\d\.\d{3}(?!\d)")


def decode_plain(data: bytes) -> tuple[bytes, str] | None:
    """Return a small file of CSV in UTF-8, and its encoding; None where that is not sure, or it holds what a line of values may not."""
    encoding = "utf-8"
    if not data.isascii():
        if any(odd in data for odd in _ODD):
            return None
        found = detect_encoding(data, None, is_unicode=False, is_complete=True)
        if found.warning or found.mark_bytes:
            return None
        encoding, data = found.name, Transcoder(found).to_utf8(data, final=True)
        if len(ByteView.of(data).undecodable):
            return None
    is_odd = any(odd in data for odd in _ODD) or data.count(b"\r") != data.count(b"\r\n")
    return None if is_odd else (data, encoding)


def find_records(body: bytes, quote: str) -> np.ndarray | None:
    """Return in which line of a text whose quotes are paired each record begins; None where each line is one."""
    if quote.encode() not in body:
        return None
    view = ByteView.of(body).to_numpy()
    are_in_quotes = are_inside(view == ord(quote))[view == ord("\n")]
    return np.flatnonzero(np.insert(~are_in_quotes, 0, values=True)[:-1]) if are_in_quotes.any() else None


def read_own_head(name: str, text: bytes, plan: ConversionContext) -> Head:
    """Return the head of a file of this name that holds `text`."""
    target = plan.target
    suffix = format_of(name, target.reading).suffixes[0]
    return read_head(ByteView.of(text), target.reading, suffix, target.naming.rename, target.header_names)


def has_head(name: str, text: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether a file is written as others with this head, whatever its values tell."""
    own = find_own_head(name, text, plan)
    if own is None or kind_of_head(own) != kind_of_head(head):
        return False
    return (own.size, own.lines, own.units) == (head.size, head.lines, head.units)


def find_own_head(name: str, text: bytes, plan: ConversionContext) -> Head | None:
    """Return the head of a file of which nothing more is to be told, and that says how its decimals are written; else None."""
    try:
        head = read_own_head(name, text, plan)
    except TableError:  # which is told where the file is read by itself
        return None
    if len(head.names) < 2 or head.warnings or head.dialect.doubts or not head.dialect.quoting.is_plain:  # noqa: PLR2004 - of one column the values tell what is the header again
        return None
    return head if head.dialect.is_decided or not _MAY_BE_THOUSANDS.search(text) else None


def find_doubtful(header: bytes, head: Head) -> re.Pattern[bytes] | None:
    """Return what makes it doubtful, below a header, how the file is divided, or whether that is its header: one of its first names as a value; None where every file is."""
    others = any(each in header for each in _OTHER_DELIMITERS)
    if head.dialect.delimiter != "," or others or not all(map(PLAIN_NAME.fullmatch, head.fields)):
        return None
    names = b"|".join(re.escape(field).encode() for field in head.fields[:2])
    return re.compile(rb"(?:^|,)(?:%b)(?:,|\r?$)" % names, re.MULTILINE)


def is_doubted(body: bytes, head: Head, doubtful: re.Pattern[bytes]) -> bool:
    """Return whether a file has a quote, or one of the first names of its header as a value."""
    if _QUOTE in body:
        return True
    return any(field.encode() in body for field in head.fields[:2]) and doubtful.search(body) is not None


def has_totals(body: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether the last row of a file may be one of totals, or any has no value, as below it the header of another table may be, or a stray quote."""
    text, dialect = ByteView.of(body), head.dialect
    if _QUOTE in body and not (dialect.quote and are_paired(text.to_numpy(), dialect.quote, dialect.delimiter)):
        return True  # whose records only a reader can tell
    begins = f"{dialect.delimiter}{dialect.quote} \t\v\f\r\n".encode()
    may_be_empty = body[:1] in begins or any(
        b"\n%c" % each in body for each in begins
    )  # a tenth of what a pattern costs
    is_empty = may_be_empty and line_without_values(dialect.delimiter, dialect.quote).search(body)
    return bool(is_empty or find_totals(text, head, plan.target.columns))


def has_ends(body: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether the same is so, or the first row may be one of units."""
    if has_totals(body, head, plan):
        return True
    dialect = head.dialect
    first, *below = body.decode().replace("\r\n", "\n").split("\n", RECORDS)[: RECORDS - 1]
    if plan.target.reading.units_row is False or not head.fields or not may_be_units(first.split(dialect.delimiter)):
        return False
    return are_units(
        first.split(dialect.delimiter), [line.split(dialect.delimiter) for line in filter(None, below)][:-1]
    )
