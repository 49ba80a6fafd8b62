"""Parquet read batch by batch, its types made those of tables."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import Reading
from tasks.convert.files.content import find_text, without_mark
from tasks.convert.formats.format import Extent, WholeFormat
from tasks.convert.formats.json.rows import NullsOf
from tasks.convert.schema.arrow import plain_column
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.misfits import NO_MISFITS, make_records
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.types import TypeName
from tasks.convert.schema.written import write_objects
from tasks.core.errors import TableError

_BATCH_ROWS = 131_072
_SMALL_ROWS = 16_384
_BATCH_CELLS = 64 * _BATCH_ROWS
_BATCH_BYTES = 256 * 1024 * 1024
_REFUSED = "its column {!r} is of {}, which a table has not; write it as text"


def read_parquet(source: Path | bytes) -> Iterator[RawBlock]:
    """Yield the rows of a Parquet file.

    Raises:
        TableError: it is no Parquet file, or a damaged one.

    """
    try:
        opened = source if isinstance(source, Path) else pa.BufferReader(source)
        # As nanoseconds the times of INT96, which Spark writes, would go round: 9999 would be 1816.
        with pq.ParquetFile(opened, coerce_int96_timestamp_unit="us") as file:
            refuse_width(file.metadata.num_columns)
            intervals = _find_intervals(file)
            if not file.metadata.num_rows:
                yield typed_block(file.schema_arrow.empty_table(), 1, intervals)
            start = 1
            for batch in file.iter_batches(_batch_rows(file.metadata)):
                yield typed_block(pa.Table.from_batches([batch]), start, intervals)
                start += batch.num_rows
    except FileNotFoundError as error:
        raise TableError("is gone since it was listed; run again") from error
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # dates beyond Python's too
        said = (str(error).splitlines() or [""])[0]
        raise TableError(f"is not a Parquet file that can be read ({said}); write it anew") from error


def read_small_table(data: bytes) -> pa.Table | None:
    """Return the rows of a small Parquet file as they stand there; None where it has to be read by itself: it has more rows, or may have intervals or VARIANTs, or cannot be read."""
    with suppress(pa.ArrowException, OSError, ValueError, OverflowError, TableError):
        source = pa.BufferReader(data)
        with pq.ParquetFile(source, coerce_int96_timestamp_unit="us") as file:
            refuse_width(file.metadata.num_columns)
            if file.metadata.num_rows <= _SMALL_ROWS and not _may_have_intervals(file.schema_arrow):
                return file.read(use_threads=False)
    return None


def _may_have_intervals(schema: pa.Schema) -> bool:
    """Return whether a column may be one of intervals, or hold VARIANTs or intervals: to look at each takes half the time of a small file."""
    return any(pa.types.is_fixed_size_binary(kind) or pa.types.is_nested(kind) for kind in schema.types)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Return how many rows may be in memory together: many columns, or large values, let them be fewer."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    rows = min(_BATCH_ROWS, _BATCH_CELLS // max(1, metadata.num_columns), _BATCH_BYTES // max(1, row_bytes))
    return int(max(1, rows))


def _find_intervals(file: pq.ParquetFile) -> set[str]:
    """Return the paths of the intervals, which pyarrow knows as bytes.

    Raises:
        TableError: they stand in lists, or a column is of a type that pyarrow has not.

    """
    if not _may_have_intervals(file.schema_arrow):
        return set()
    columns = [file.schema.column(number) for number in range(len(file.schema))]
    intervals = {column.path for column in columns if column.converted_type == "INTERVAL"}
    table = _flatten(file.schema_arrow.empty_table())
    for path in sorted(intervals - set(table.column_names)):
        raise TableError(_REFUSED.format(path.partition(".")[0], "intervals within lists"))
    return intervals


def _flatten(table: pa.Table) -> pa.Table:
    """Return a table with the fields of structs as columns."""
    while any(pa.types.is_struct(column.type) for column in table.schema):
        for column in table.schema:
            fields = {field.name: field.type for field in column.type} if pa.types.is_struct(column.type) else {}
            if all(fields.get(name) == pa.binary() for name in ("metadata", "value")):
                raise TableError(_REFUSED.format(column.name, "a VARIANT"))
        table = table.flatten()
    return table


def typed_block(table: pa.Table, start: int, intervals: Collection[str] = ()) -> RawBlock:
    """Return rows with types as a block, its first row of this number in the file, from 1."""
    received = table.num_rows
    table = _flatten(table)
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, TypeName] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        unique = name
        while unique in columns:
            unique = f"{unique}_{len(columns) + 1}"
        types[unique], columns[unique] = ("string", _intervals(column)) if name in intervals else plain_column(column)
    plain = pa.table(columns)

    def locate(rows: np.ndarray) -> pa.Table:
        picked = plain.take(pa.array(rows, pa.int64())).combine_chunks()
        columns = [column.chunk(0) for column in picked.columns]
        return make_records(start + rows, write_objects(picked.column_names, columns))

    return RawBlock(plain, received, NO_MISFITS, locate, types, lines=range(start, start + received))


def _intervals(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(map(_interval, column.to_pylist()), pa.string())])


def _interval(value: bytes | None) -> str | None:
    """Return an interval in ISO 8601; Parquet has it as months, days and milliseconds."""
    if value is None:
        return None
    months, days, milliseconds = struct.unpack("<III", value)
    date = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    seconds = f"T{Decimal(milliseconds) / 1000:f}S" if milliseconds or not date else ""
    return f"P{date}{seconds}"


class Parquet(WholeFormat):
    """Columns with types of their own."""

    name: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    begins: ClassVar[bytes] = rb"PAR1[\0-\x08\x0e-\x1f]"
    usual_ratio: ClassVar[float] = 3.0

    @classmethod
    def find_extent(cls, path: Path) -> Extent:
        """Return what its footer says: the bytes of its columns as they are encoded, and its rows."""
        try:
            metadata = pq.read_metadata(path)
        except pa.ArrowException as error:
            raise ValueError(str(error)) from error
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        return Extent(sum(group.total_byte_size for group in groups), metadata.num_rows)

    @classmethod
    def held_bytes(cls, extent: Extent, reading: Reading) -> int:  # noqa: ARG003 - it says all itself
        """Return the bytes of a file that is compressed once more, or lies in a store, and so is read as a whole."""
        return extent.unpacked

    @classmethod
    def block_bytes(cls, extent: Extent) -> int:
        """Return the bytes of a batch."""
        return min(extent.unpacked, _BATCH_BYTES, round(extent.unpacked * _BATCH_ROWS / max(1, extent.rows or 1)))

    @classmethod
    def find_other(cls, data: bytes) -> tuple[str, str] | None:
        """Return what a file is that begins with `data`: a text is none."""
        return super().find_other(data) or find_text(without_mark(data))

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:  # noqa: ARG002 - it says all itself
        """Yield the rows of a file."""
        return read_parquet(data)

    def read_in_place(self, path: Path) -> Iterator[RawBlock]:
        """Yield the rows batch by batch."""
        return read_parquet(path)
