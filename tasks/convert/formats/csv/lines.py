"""A block of CSV of which each record is a line that ends with a line feed, whatever ends its lines, and however many are blank."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.parse import CsvBlock, end_with_line_feeds, has_returns_alone
from tasks.convert.formats.csv.quotes import are_quoted_plainly

_BLANK_LINES = re.compile(rb"\n\n+")


def has_odd_lines(block: CsvBlock) -> bool:
    """Return whether a carriage return alone ends lines, or one was made blank, as comments are; others that are blank cost a search."""
    return has_returns_alone(block.window) or (block.raw is not None and has_blank_lines(block.window))


def has_blank_lines(window: ByteView) -> bool:
    """Return whether a line is blank that ends with a line feed."""
    begins = window.to_place(1).data in b"\r\n"
    return begins or window.find(b"\n\n") >= 0 or (b"\r" in window and window.find(b"\n\r\n") >= 0)


def as_lines(block: CsvBlock) -> CsvBlock:
    """Return the same records, a line each, of which the block knows the places; the block itself where a line may end within quotes."""
    data = end_with_line_feeds(block.window)
    ends = ByteView.of(data).line_ends
    starts, stops = np.concatenate([[0], ends + 1]), np.concatenate([ends, [len(data)]])
    filled = np.flatnonzero(stops > starts)
    places = filled if block.places is None else block.places[filled]
    window = ByteView.of(_BLANK_LINES.sub(b"\n", data).lstrip(b"\n"))
    lined = replace(block, window=window, raw=block.raw or block.window, places=places, told=None, laid=None)
    return lined if is_quoted_plainly(lined) else block


def is_quoted_plainly(block: CsvBlock) -> bool:
    """Return whether no line ends within quotes, each of which quotes a field, or stands twice within one."""
    delimiter, window = block.head.dialect.delimiter, block.window
    return not block.quote or are_quoted_plainly(window.to_numpy(), block.quote, delimiter, window.line_ends)
