"""A block of CSV of which each record is a line that ends with a line feed, whatever ends its lines, and however many are blank."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.records import are_paired
from tasks.convert.formats.header import kind_of_field

_BLANK_LINES = re.compile(rb"\n\n+")


def has_odd_lines(block: CsvBlock) -> bool:
    """Return whether a carriage return alone ends lines, or one was made blank, as comments are; others that are blank cost a search."""
    window = block.window
    has_returns = b"\r" in window and window.lines_of_any_end != window.lines
    return has_returns or (block.raw is not None and has_blank_lines(window))


def has_blank_lines(window: ByteView) -> bool:
    """Return whether a line is blank that ends with a line feed."""
    begins = window.to_place(1).data in b"\r\n"
    return begins or window.find(b"\n\n") >= 0 or (b"\r" in window and window.find(b"\n\r\n") >= 0)


def as_lines(block: CsvBlock) -> CsvBlock:
    """Return the same records, a line each, of which the block knows the places; the block itself where a line may end within quotes, or be the header of another table."""
    data = block.window.data
    if b"\r" in block.window:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    ends = ByteView.of(data).line_ends
    starts, stops = np.concatenate([[0], ends + 1]), np.concatenate([ends, [len(data)]])
    places = np.flatnonzero(stops > starts)
    window = ByteView.of(_BLANK_LINES.sub(b"\n", data).lstrip(b"\n"))
    lined = replace(block, window=window, raw=block.raw or block.window, places=places)
    below = places[1:][np.diff(places) > 1]
    is_doubtful = not is_quoted_plainly(lined) or any(
        _may_be_header(data[starts[place] : stops[place]], block) for place in below
    )
    return block if is_doubtful else lined


def is_quoted_plainly(block: CsvBlock) -> bool:
    """Return whether no line ends within quotes, each of which quotes a field, or stands twice within one."""
    if not block.quote:
        return True
    view, dialect = block.window.to_numpy(), block.head.dialect
    if not are_paired(view, block.quote, dialect.delimiter):
        return False
    quotes = np.flatnonzero(view == ord(block.quote))
    if (np.searchsorted(quotes, block.window.line_ends) % 2).any():
        return False
    following = quotes[1::2] + 1
    after = view[following[following < len(view)]]
    return bool(np.isin(after, np.frombuffer(f"{dialect.delimiter}{block.quote}\r\n".encode(), np.uint8)).all())


def _may_be_header(line: bytes, block: CsvBlock) -> bool:
    """Return whether a line below a blank one is of several texts, and nothing else."""
    text, dialect = line.decode("utf-8", "surrogateescape"), block.head.dialect
    if dialect.quote and dialect.quote in text:
        fields = next(csv.reader([text], delimiter=dialect.delimiter, quotechar=dialect.quote), [])
    else:
        fields = text.split(dialect.delimiter)
    filled = [field for field in fields if field.strip()]
    return len(filled) > 1 and all(kind_of_field(field) == "text" for field in filled)
