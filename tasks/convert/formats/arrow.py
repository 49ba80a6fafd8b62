"""Streams of Arrow, one behind the other, each batch with its own types: what a query of a database gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Reading
from tasks.convert.formats.format import WholeFormat
from tasks.convert.formats.json.rows import NullsOf
from tasks.convert.formats.parquet import typed_block
from tasks.convert.schema.blocks import RawBlock
from tasks.convert.schema.names import refuse_width
from tasks.convert.schema.types import EXACT_IN_FLOAT
from tasks.core.errors import TableError


def read_streams(file: IO[bytes], size: int) -> Iterator[RawBlock]:
    """Yield the rows of a file of so many bytes, batch by batch.

    Raises:
        TableError: it holds no streams of Arrow, or is damaged.

    """
    start, found = 1, False
    try:
        while file.tell() < size:
            with pa.ipc.open_stream(file) as stream:
                refuse_width(len(stream.schema))
                for batch in stream:
                    yield _block(batch, start)
                    start, found = start + len(batch), True
    except (pa.ArrowException, OSError) as error:
        said = (str(error).splitlines() or [""])[0]
        raise TableError(f"is no stream of Arrow that can be read ({said}); write it anew") from error
    if not found:
        raise TableError("holds no stream of Arrow; write it anew")


def _block(batch: pa.RecordBatch, start: int) -> RawBlock:
    """Return a batch as a block, in which whole numbers that no float holds are known as such: other batches may have floats."""
    block = typed_block(pa.Table.from_batches([batch]), start)
    types = dict(block.types or {})
    for name, kind in types.items():
        if kind == "int" and not _fit_in_float(block.table[name]):
            types[name] = "long"
    return replace(block, types=types)


def _fit_in_float(column: pa.ChunkedArray) -> bool:
    ends = pc.min_max(column)
    least, most = ends["min"].as_py(), ends["max"].as_py()
    return least is None or (least >= -EXACT_IN_FLOAT and most <= EXACT_IN_FLOAT)


class Arrow(WholeFormat):
    """Batches of columns with types of their own."""

    name: ClassVar[str] = "arrow"
    suffixes: ClassVar[tuple[str, ...]] = (".arrows",)
    begins: ClassVar[bytes] = rb"\xff\xff\xff\xff"

    def read(self, data: bytes, reading: Reading, nulls_of: NullsOf) -> Iterator[RawBlock]:  # noqa: ARG002 - it says all itself
        """Yield the rows of a file."""
        return read_streams(pa.BufferReader(data), len(data))

    def read_in_place(self, path: Path) -> Iterator[RawBlock]:
        """Yield the rows batch by batch."""
        try:
            with pa.OSFile(str(path)) as file:
                yield from read_streams(file, file.size())
        except FileNotFoundError as error:
            raise TableError("is gone since it was listed; run again") from error
