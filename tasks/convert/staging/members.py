"""Small files of CSV that may be joined: their bytes in UTF-8, and what each alone tells of how it is written."""

from __future__ import annotations

import re

from tasks.convert.files.byte_view import ByteView
from tasks.convert.files.encoding import Transcoder, detect_encoding
from tasks.convert.formats.csv.dialect import RECORDS
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.together import line_without_values
from tasks.convert.formats.csv.totals import find_totals
from tasks.convert.formats.registry import format_of
from tasks.convert.formats.units import are_units, may_be_units
from tasks.convert.staging.context import ConversionContext

_ODD = (b'"', b"'", b"\0", b"\n\n", b"\n\r\n", b"\xef\xbb\xbf", b"\xff")
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


def read_own_head(name: str, text: bytes, plan: ConversionContext) -> Head:
    """Return the head of a file of this name that holds `text`."""
    target = plan.target
    suffix = format_of(name, target.reading).suffixes[0]
    return read_head(ByteView.of(text), target.reading, suffix, target.naming.rename, target.header_names)


def has_head(name: str, text: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether a file is written as others with this head, whatever its values tell."""
    own, dialect = read_own_head(name, text, plan), head.dialect
    if own != head or own.warnings or own.dialect.doubts or own.dialect.is_decided != dialect.is_decided:
        return False
    return dialect.is_decided or not _MAY_BE_THOUSANDS.search(text)


def has_ends(body: bytes, head: Head, plan: ConversionContext) -> bool:
    """Return whether the first row of a file may be one of units, the last one of totals, or any without a value: below it the header of another table may be."""
    dialect = head.dialect
    if line_without_values(dialect.delimiter, dialect.quote).search(body):
        return True
    if find_totals(ByteView.of(body), head, plan.target.columns):
        return True
    first, *below = body.decode().replace("\r\n", "\n").split("\n", RECORDS)[: RECORDS - 1]
    if plan.target.reading.units_row is False or not head.fields or not may_be_units(first.split(dialect.delimiter)):
        return False
    return are_units(
        first.split(dialect.delimiter), [line.split(dialect.delimiter) for line in filter(None, below)][:-1]
    )
