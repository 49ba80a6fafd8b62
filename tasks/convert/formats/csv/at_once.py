"""Records of a line each as texts, told apart by pyarrow at once, where it reads them as Python's reader does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.lines import has_blank_lines, is_quoted_plainly
from tasks.convert.formats.csv.parse import CsvBlock, has_empty_row, has_lines_alone, read_block
from tasks.convert.formats.csv.records import MANY_LINES, UNDECODABLE, find_lines, is_utf8, tell_width
from tasks.convert.formats.header import REPEATED, warn_of_repeats
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.misfits import make_misfits


def read_texts_at_once(block: CsvBlock) -> RawBlock | None:
    """Return the records of a block as `read_texts` does; None where one may be read otherwise, or is blank, or is no row and of many lines, of which the last may be one."""
    if not block.head.names or not has_lines_alone(block.window):
        return None
    undecodable = _find_undecodable(block.window)
    window = _without(block.window, undecodable) if undecodable else block.window
    lines, stops = np.setdiff1d(np.arange(block.window.lines), undecodable), None
    if not is_quoted_plainly(block):
        found = None if undecodable or has_blank_lines(block.window) else _find_records(block)
        if found is None:
            return None
        lines, stops = found
    unlike: list[pa_csv.InvalidRow] = []
    try:
        types = dict.fromkeys(block.head.names, pa.string())
        table = read_block(replace(block, window=window), types, unlike=unlike)
    except (pa.ArrowInvalid, OverflowError):
        return None
    if table.num_rows + len(unlike) != len(lines) or _has_blanks(block, table, unlike):
        return None
    repeats = _find_repeats(table, block.head.fields)
    misfit_rows = [row.number - 1 for row in unlike]
    every = lines, stops
    are_doubtful = stops is not None and _are_doubtful(block, lines[misfit_rows], stops[misfit_rows])
    if are_doubtful or (repeats and len(block.head.names) == 1):
        return None  # what the others are tells whether these are repeats
    reasons = dict.fromkeys(undecodable, UNDECODABLE)
    reasons |= {
        int(lines[n]): tell_width(row.actual_columns, len(block.head.names))
        for n, row in zip(misfit_rows, unlike, strict=True)
    }
    lines = np.delete(lines, misfit_rows)
    repeated = lines[repeats].tolist()
    reasons |= dict.fromkeys(repeated, REPEATED)
    lines, table = np.delete(lines, repeats), _take_out(table, repeats)
    if stops is not None:
        stops = np.delete(np.delete(stops, misfit_rows), repeats)
    return RawBlock(
        table,
        len(lines) + len(reasons),
        _reject(block, reasons, *every),
        lambda rows: block.locate(lines[rows], None if stops is None else stops[rows]),
        warnings=warn_of_repeats(block.number_lines(np.array(repeated, np.int64)).tolist()),
        decimal=block.head.dialect.decimal,
        is_decided=block.head.dialect.is_decided,
        lines=block.number_lines(lines).tolist(),
    )


def without_unclosed(block: CsvBlock) -> CsvBlock | None:
    """Return the same without the lines that open a quote which is never closed; None where there are none of these."""
    if not block.quote or not has_lines_alone(block.window) or not block.records.unclosed:
        return None
    kept = np.delete(np.arange(block.window.lines), block.records.unclosed)
    window = _without(block.window, block.records.unclosed)
    return replace(block, window=window, raw=block.raw or block.window, places=kept)


def _find_records(block: CsvBlock) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the first line of each record, and the one below its last; None where only a reader can tell them."""
    lines = find_lines(block.window.data, block.quote, block.head.dialect.delimiter, len(block.head.names))
    return None if lines is None else (lines, np.append(lines[1:], block.window.lines))


def _find_undecodable(window: ByteView) -> list[int]:
    """Return the lines that are not in the file's encoding."""
    if window.is_ascii or is_utf8(window.data.decode("utf-8", "surrogateescape")):
        return []
    lines = window.data.split(b"\n")
    return [n for n, line in enumerate(lines) if not is_utf8(line.decode("utf-8", "surrogateescape"))]


def _without(window: ByteView, lines: Sequence[int]) -> ByteView:
    left_out = set(lines)
    return ByteView.of(b"\n".join(line for n, line in enumerate(window.data.split(b"\n")) if n not in left_out))


def _has_blanks(block: CsvBlock, table: pa.Table, unlike: Sequence[pa_csv.InvalidRow]) -> bool:
    """Return whether a record has no value: the one below it may be the header of another table."""
    marks = block.head.dialect.delimiter + block.head.dialect.quote
    if not all(row.text.strip().strip(marks) for row in unlike):
        return True
    return has_empty_row(table.columns)


def _find_repeats(table: pa.Table, header: Sequence[str]) -> list[int]:
    """Return the rows that are the header once more."""
    places = np.arange(table.num_rows if header else 0)
    for column, field in zip(table.columns, header, strict=False):
        if not len(places):
            break
        values = column if len(places) == len(column) else column.take(pa.array(places))
        alike = pc.fill_null(pc.equal(values, field), fill_value=False) if field else values.is_null()
        places = places[alike.to_numpy()]
    return [int(place) for place in places]


def _take_out(table: pa.Table, rows: Sequence[int]) -> pa.Table:
    return table.take(np.delete(np.arange(table.num_rows), rows)) if rows else table


def _are_doubtful(block: CsvBlock, lines: np.ndarray, stops: np.ndarray) -> bool:
    """Return whether a record that is no row may be a line whose quote is stray, and records below it: of a few lines the last may be one."""
    starts, ends = (each[stops - 1].tolist() for each in block.window.line_spans)
    most, delimiter, heights = (
        len(block.head.names) - 1,
        block.head.dialect.delimiter.encode(),
        (stops - lines).tolist(),
    )
    return any(
        height > MANY_LINES or (height > 1 and block.window.data.count(delimiter, start, end) >= most)
        for height, start, end in zip(heights, starts, ends, strict=True)
    )


def _reject(block: CsvBlock, reasons: Mapping[int, str], lines: np.ndarray, stops: np.ndarray | None) -> pa.Table:
    told = np.array(list(reasons), np.int64)
    records = block.locate(told, None if stops is None else stops[np.searchsorted(lines, told)])
    return make_misfits(records, list(reasons.values()))
