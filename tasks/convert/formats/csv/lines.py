"""A block of CSV without some of its lines: the blank ones, or those that are no rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.convert.files.byte_view import mark
from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.places import keep_lines


def without_blank_lines(block: CsvBlock) -> CsvBlock:
    """Return the same records without the blank lines between them; the block itself where there are none, or only a reader can tell."""
    blank = block.laid.blank
    return block if blank is None or not len(blank) else without_records(block, blank)


def without_records(block: CsvBlock, lines: np.ndarray) -> CsvBlock:
    """Return the same without these lines of whole records, or blank ones between them."""
    is_kept = ~mark(lines, len(block.laid.starts))
    found = take_lines(block, is_kept)
    return replace(found, known=block.laid.without(found.window, is_kept))


def take_lines(block: CsvBlock, is_kept: np.ndarray) -> CsvBlock:
    """Return the same with those of its lines alone that are kept, which know their places."""
    places = np.flatnonzero(is_kept) if block.places is None else block.places[is_kept]
    window, raw = keep_lines(block.window, is_kept), block.raw or block.window
    return replace(block, window=window, raw=raw, places=places, told=None, known=None)
