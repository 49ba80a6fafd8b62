"""Parquet read batch by batch, its types made those of tables; what has no such type becomes a text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.convert.parsed import Record, Texts
from tasks.convert.types import TypeName
from tasks.errors import TableError

_BATCH_ROWS = 131_072
_UUID = "arrow.uuid"


def read_parquet(source: Path | bytes) -> Iterator[Texts]:
    """Yield the rows of a Parquet file.

    Raises:
        TableError: it is no Parquet file, or a damaged one.

    """
    try:
        with pq.ParquetFile(source if isinstance(source, Path) else pa.BufferReader(source)) as file:
            if not file.metadata.num_rows:
                yield _block(file.schema_arrow.empty_table(), 1)
            start = 1
            for batch in file.iter_batches(_BATCH_ROWS):
                yield _block(pa.Table.from_batches([batch]), start)
                start += batch.num_rows
    except FileNotFoundError as error:
        raise TableError("is gone since it was listed; run again") from error
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # dates beyond Python's too
        said = (str(error).splitlines() or [""])[0]
        raise TableError(f"is not a Parquet file that can be read ({said}); write it anew") from error


def _block(table: pa.Table, start: int) -> Texts:
    received = table.num_rows
    while any(pa.types.is_struct(column.type) for column in table.schema):
        table = table.flatten()
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, TypeName] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        unique = name
        while unique in columns:
            unique = f"{unique}_{len(columns) + 1}"
        types[unique], columns[unique] = _plain(column)
    plain = pa.table(columns)

    def locate(rows: Sequence[int]) -> list[Record]:
        picked = plain.take(pa.array(rows, pa.int64())).to_pylist()
        return [
            Record(start + row, json.dumps(values, default=_text, ensure_ascii=False))
            for row, values in zip(rows, picked, strict=True)
        ]

    return Texts(plain, received, (), locate, types)


def _plain(column: pa.ChunkedArray) -> tuple[TypeName, pa.ChunkedArray]:
    """Return a column as one of the types of tables."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(pc.cast(column, kind.value_type))
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name != _UUID:
        return _plain(pc.cast(column, kind.storage_type))
    name: TypeName = "string"
    if pa.types.is_null(kind):
        return "null", pc.cast(column, pa.string())
    if pa.types.is_boolean(kind):
        name, target = "bool", kind
    elif pa.types.is_integer(kind):
        name, target = "int", pa.int64()
    elif pa.types.is_floating(kind):
        name, target = "float", pa.float64()
    elif pa.types.is_date(kind):
        name, target = "date", pa.date32()
    elif pa.types.is_timestamp(kind):
        name, target = ("timestamp_utc", pa.timestamp("us", "UTC")) if kind.tz else ("timestamp", pa.timestamp("us"))
    else:
        return "string", _texts(column)
    try:
        return name, pc.cast(column, target)
    except pa.ArrowInvalid:  # beyond 64 bits, or finer than a microsecond
        return "string", _texts(column)


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # Of a duration a cast tells the number, and not of what; of a UUID its bytes, where they happen to be letters.
    if not pa.types.is_duration(column.type) and not isinstance(column.type, pa.BaseExtensionType):
        try:
            return pc.cast(column, pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    return pa.chunked_array([pa.array(map(_text, column.to_pylist()), pa.string())])


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=_text, ensure_ascii=False)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, timedelta):
        return pd.Timedelta(value).isoformat()
    return str(value)
