"""A block of CSV of which each record is a line that ends with a line feed, whatever ends its lines, and however many are blank."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.parse import CsvBlock, end_with_line_feeds, has_returns_alone
from tasks.convert.formats.csv.quotes import are_quoted_plainly, find_quoted

_BLANK_LINES = re.compile(rb"\n\n+")


def has_odd_lines(block: CsvBlock) -> bool:
    """Return whether a carriage return alone ends lines, or one was made blank, as comments are; others that are blank cost a search."""
    return has_returns_alone(block.window) or (block.raw is not None and has_blank_lines(block.window))


def has_blank_lines(window: ByteView) -> bool:
    """Return whether a line is blank that ends with a line feed."""
    begins = window.to_place(1).data in b"\r\n"
    return begins or window.find(b"\n\n") >= 0 or (b"\r" in window and window.find(b"\n\r\n") >= 0)


def as_lines(block: CsvBlock) -> CsvBlock:
    """Return the same records, a line each, of which the block knows the places; where a line may end within quotes each with a line feed, unless a carriage return alone does so."""
    data = end_with_line_feeds(block.window)
    ends = ByteView.of(data).line_ends
    starts, stops = np.concatenate([[0], ends + 1]), np.concatenate([ends, [len(data)]])
    filled = np.flatnonzero(stops > starts)
    places = filled if block.places is None else block.places[filled]
    window = ByteView.of(_BLANK_LINES.sub(b"\n", data).lstrip(b"\n"))
    lined = replace(block, window=window, raw=block.raw or block.window, places=places, told=None, laid=None)
    return lined if is_quoted_plainly(lined) else _end_records_with_line_feeds(block)


def _end_records_with_line_feeds(block: CsvBlock) -> CsvBlock:
    """Return the same with a line feed for each carriage return alone outside quotes; the block itself where there is none, or one within."""
    if not has_returns_alone(block.window):
        return block
    view = block.window.to_numpy()
    quoted = find_quoted(view, block.quote, block.head.dialect.delimiter)
    is_alone = view == ord("\r")
    is_alone[:-1] &= view[1:] != ord("\n")
    if quoted.open is not None or (is_alone & quoted.is_inside[:-1]).any():
        return block
    window = ByteView.of(np.where(is_alone, np.uint8(ord("\n")), view).tobytes())
    return replace(block, window=window, raw=block.raw or block.window, told=None, laid=None)


def is_quoted_plainly(block: CsvBlock) -> bool:
    """Return whether no line ends within quotes, each of which quotes a field, or stands twice within one."""
    delimiter, window = block.head.dialect.delimiter, block.window
    return not block.quote or are_quoted_plainly(window.to_numpy(), block.quote, delimiter, window.line_ends)
