"""A block of CSV of which each record is a line that ends with a line feed, whatever ends its lines, and however many are blank."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.parse import CsvBlock, end_with_line_feeds, has_returns_alone
from tasks.convert.formats.csv.quoting import are_quoted_plainly
from tasks.convert.formats.header import kind_of_field

_BLANK_LINES = re.compile(rb"\n\n+")


def has_odd_lines(block: CsvBlock) -> bool:
    """Return whether a carriage return alone ends lines, or one was made blank, as comments are; others that are blank cost a search."""
    return has_returns_alone(block.window) or (block.raw is not None and has_blank_lines(block.window))


def has_blank_lines(window: ByteView) -> bool:
    """Return whether a line is blank that ends with a line feed."""
    begins = window.to_place(1).data in b"\r\n"
    return begins or window.find(b"\n\n") >= 0 or (b"\r" in window and window.find(b"\n\r\n") >= 0)


def as_lines(block: CsvBlock) -> CsvBlock:
    """Return the same records, a line each, of which the block knows the places; the block itself where a line may end within quotes, or be the header of another table."""
    data = end_with_line_feeds(block.window)
    ends = ByteView.of(data).line_ends
    starts, stops = np.concatenate([[0], ends + 1]), np.concatenate([ends, [len(data)]])
    places = np.flatnonzero(stops > starts)
    window = ByteView.of(_BLANK_LINES.sub(b"\n", data).lstrip(b"\n"))
    lined = replace(block, window=window, raw=block.raw or block.window, places=places)
    below = np.flatnonzero(np.diff(places) > 1)
    if block.raw is not None and len(below):  # a comment is no blank line
        texts = block.raw.data.splitlines()
        below = np.array([n for n in below if not all(texts[places[n] + 1 : places[n + 1]])], np.int64)
    below = places[below + 1]
    number = re.compile(rb"[0-9]+" + re.escape(block.head.dialect.delimiter.encode()))  # as most lines begin
    is_doubtful = not is_quoted_plainly(lined) or any(
        not number.match(data, start) and _may_be_header(data[start:stop], block)
        for start, stop in zip(starts[below].tolist(), stops[below].tolist(), strict=True)
    )
    return block if is_doubtful else lined


def is_quoted_plainly(block: CsvBlock) -> bool:
    """Return whether no line ends within quotes, each of which quotes a field, or stands twice within one."""
    delimiter, window = block.head.dialect.delimiter, block.window
    return not block.quote or are_quoted_plainly(window.to_numpy(), block.quote, delimiter, window.line_ends)


def _may_be_header(line: bytes, block: CsvBlock) -> bool:
    """Return whether a line below a blank one is of several texts, and nothing else."""
    text, dialect = line.decode("utf-8", "surrogateescape"), block.head.dialect
    if dialect.quote and dialect.quote in text:
        fields = next(csv.reader([text], delimiter=dialect.delimiter, quotechar=dialect.quote), [])
    else:
        fields = text.split(dialect.delimiter)
    filled = [field for field in fields if field.strip()]
    return len(filled) > 1 and all(kind_of_field(field) == "text" for field in filled)
