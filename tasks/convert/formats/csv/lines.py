"""A block of CSV without some of its lines: the blank ones, or those that are no rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.convert.formats.csv.parse import CsvBlock
from tasks.convert.formats.csv.places import keep_lines


def without_blank_lines(block: CsvBlock) -> CsvBlock:
    """Return the same records without the blank lines between them; the block itself where there are none, or only a reader can tell."""
    blank = block.laid.blank
    return block if blank is None or not len(blank) else without_records(block, blank)


def without_records(block: CsvBlock, lines: np.ndarray) -> CsvBlock:
    """Return the same without these lines of whole records, or blank ones between them."""
    found = without_lines(block, lines)
    is_kept = np.ones(len(block.laid.starts), dtype=bool)
    is_kept[lines] = False
    return replace(found, known=block.laid.without(found.window, is_kept))


def without_lines(block: CsvBlock, lines: np.ndarray) -> CsvBlock:
    """Return the same without some of its lines, which know their places."""
    is_kept = np.ones(len(block.window.line_spans_of_any_end[0]), dtype=bool)
    is_kept[lines] = False
    places = np.flatnonzero(is_kept) if block.places is None else block.places[is_kept]
    window, raw = keep_lines(block.window, is_kept), block.raw or block.window
    return replace(block, window=window, raw=raw, places=places, told=None, known=None)
