"""Records as texts, told apart by pyarrow at once, where it reads them as Python's reader does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.lines import without_records
from tasks.convert.formats.csv.parse import CsvBlock, parse_typed, read_block
from tasks.convert.formats.csv.places import list_places, take_stretches
from tasks.convert.formats.csv.records import UNDECODABLE, tell_width
from tasks.convert.formats.csv.second import warn_elsewhere, warn_of_second
from tasks.convert.formats.csv.spans import RecordSpans
from tasks.convert.formats.header import REPEATED, warn_of_repeats
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.misfits import join_misfits, make_misfits


def read_texts_at_once(block: CsvBlock) -> RawBlock | None:
    """Return the records of a block as `read_texts` does; None where one may be read otherwise, or is no row and of many lines, of which the last may be one."""
    records, width = block.spans, len(block.head.names)
    if not width or records is None:
        return None
    is_undecodable = _are_undecodable(block.window, records)
    is_row = ~is_undecodable & (records.widths == width)
    table = _read_texts(block, records, is_row)
    if table is None or table.num_rows != np.count_nonzero(is_row):
        return None
    repeats = _find_repeats(table, block.head.fields)
    if repeats and width == 1:
        return None  # what the others are tells whether these are repeats
    rows = records.take(is_row)
    repeated = rows.take(np.array(repeats, np.int64))
    rows, table = rows.take(np.delete(np.arange(len(rows)), repeats)), _take_out(table, repeats)
    told = warn_of_repeats(block.number_lines(repeated.lines).tolist()) + warn_of_second(block)
    misfits = [*_reject_unlike(block, records, is_undecodable), _reject(block, repeated, REPEATED)]
    return RawBlock(
        table,
        len(records),
        join_misfits(misfits),
        lambda chosen: block.locate(rows.lines[chosen], rows.below[chosen]),
        warnings=told,
        decimal=block.head.dialect.decimal,
        is_decided=block.head.dialect.is_decided,
        lines=block.number_lines(rows.lines).tolist(),
    )


def parse_but_rejects(block: CsvBlock, schema: Schema) -> TypedBlock | None:
    """Return the rows of a block with records that are no rows, or the header once more as where files were joined: these are told, and the others typed at once; None where there are none, or those are not as expected."""
    if not block.head.names or (records := block.spans) is None:
        return None
    is_undecodable = _are_undecodable(block.window, records)
    is_row = ~is_undecodable & (records.widths == len(block.head.names))
    is_row[repeats := _find_repeated_bytes(block, records)] = False
    places = np.flatnonzero(~is_row)
    if not 0 < len(places) < len(records):
        return None
    lines = list_places(records.lines[places], records.below[places])
    parsed = parse_typed(without_records(block, lines), schema, warn_elsewhere)
    if parsed is None:
        return None
    repeated = records.take(repeats)
    misfits = [*_reject_unlike(block, records, is_undecodable), _reject(block, repeated, REPEATED), parsed.misfits]
    told = [*warn_of_repeats(block.number_lines(repeated.lines).tolist()), *warn_of_second(block)]
    warnings = [*parsed.warnings, *told]
    return replace(parsed, received=parsed.received + len(places), misfits=join_misfits(misfits), warnings=warnings)


def _find_repeated_bytes(block: CsvBlock, records: RecordSpans) -> np.ndarray:
    """Return the places of the records that are the header once more, byte for byte."""
    header, window = block.head.line, block.window
    are_told = len(block.head.fields) > 1 and any(block.head.fields)  # of one, what the others are tells
    if not are_told or b"\n" in header or b"\r" in header or header not in window:
        return np.empty(0, np.int64)
    view = window.to_numpy()
    alike = np.flatnonzero(records.stops - records.starts == len(header))
    texts = view[records.starts[alike][:, None] + np.arange(len(header))]
    found: np.ndarray = alike[(texts == np.frombuffer(header, np.uint8)).all(axis=1)]
    return found


def _reject_unlike(block: CsvBlock, records: RecordSpans, is_undecodable: np.ndarray) -> list[pa.Table]:
    """Return the records that cannot be decoded, and those of too many fields or too few."""
    unlike = records.take(~is_undecodable & (records.widths != len(block.head.names)))
    return [_reject(block, records.take(is_undecodable), UNDECODABLE), reject_unlike(block, unlike)]


def reject_unlike(block: CsvBlock, records: RecordSpans) -> pa.Table:
    """Return records of too many fields or too few as misfits."""
    return _reject(block, records, _tell_widths(records.widths, len(block.head.names)))


def _are_undecodable(window: ByteView, records: RecordSpans) -> np.ndarray:
    """Return whether each record is not in the file's encoding."""
    found = np.zeros(len(records), dtype=bool)
    if not window.is_ascii and len(window.undecodable):
        found[np.searchsorted(records.starts, window.undecodable, "right") - 1] = True
    return found


def _read_texts(block: CsvBlock, records: RecordSpans, is_row: np.ndarray) -> pa.Table | None:
    """Return the records that are rows as texts; None where pyarrow finds one that is none."""
    names = block.head.names
    if not is_row.any():
        return pa.table({name: pa.array([], pa.string()) for name in names})
    window = block.window
    if not is_row.all():
        window = take_stretches(window.to_numpy(), records.starts, is_row)
    try:
        return read_block(replace(block, window=window), dict.fromkeys(names, pa.string()))
    except (pa.ArrowInvalid, OverflowError):
        return None


def _find_repeats(table: pa.Table, header: Sequence[str]) -> list[int]:
    """Return the rows that are the header once more."""
    places = np.arange(table.num_rows if any(header) else 0)
    for column, field in zip(table.columns, header, strict=False):
        if not len(places):
            break
        values = column if len(places) == len(column) else column.take(pa.array(places))
        alike = pc.fill_null(pc.equal(values, field), fill_value=False) if field else values.is_null()
        places = places[alike.to_numpy()]
    return [int(place) for place in places]


def _take_out(table: pa.Table, rows: Sequence[int]) -> pa.Table:
    return table.take(np.delete(np.arange(table.num_rows), rows)) if rows else table


def _tell_widths(widths: np.ndarray, width: int) -> pa.Array:
    """Return why records of so many fields are no rows."""
    counts = np.bincount(widths)
    different, places = np.flatnonzero(counts), (np.cumsum(counts > 0) - 1)[widths]
    reasons = [tell_width(fields, width) for fields in different.tolist()]
    return pa.DictionaryArray.from_arrays(places.astype(np.int32), pa.array(reasons, pa.string()))


def _reject(block: CsvBlock, records: RecordSpans, reasons: str | pa.Array) -> pa.Table:
    return make_misfits(block.locate_records(records), reasons)
