"""Streams of Arrow: several in one file, each with types of its own, and what is no such file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table


def stream_of(**columns: pa.Array) -> bytes:
    """Return a stream of one batch."""
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_pydict(columns)
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def write(root: Path, *streams: bytes) -> Path:
    """Write a file of streams, one behind the other."""
    (root / "inbox").mkdir(exist_ok=True)
    path = root / "inbox" / "rows.arrows"
    path.write_bytes(b"".join(streams))
    return path


def test_streams_with_other_types_are_one_table(tmp_path: Path) -> None:
    """A column has the type that holds all: of numbers that no float holds and others, text."""
    first = stream_of(a=pa.array([1, 2**53 + 1]), b=pa.array([1, None]), c=pa.array(["x", "y"]))
    write(tmp_path, first, stream_of(a=pa.array([0.5]), b=pa.array([1.5]), d=pa.array([True])))

    table = make_table(tmp_path, files_source(path="inbox/*.arrows"))

    assert (table.rows_table, table.rows_rejected) == (3, 0)
    assert pq.read_table(tmp_path / "tables" / "rows").sort_by("a").to_pylist() == [
        {"a": "0.5", "b": 1.5, "c": None, "d": True},
        {"a": "1", "b": 1.0, "c": "x", "d": None},
        {"a": "9007199254740993", "b": None, "c": "y", "d": None},
    ]


@pytest.mark.parametrize(
    "data", [b"", b"a,b\n1,2\n", stream_of(a=pa.array([1]))[:-40], stream_of(a=pa.array([1])) + b"more"], ids=str
)
def test_what_is_no_stream_is_refused(tmp_path: Path, data: bytes) -> None:
    """A file that is empty, of something else, cut off or goes on with something else."""
    write(tmp_path, data)

    with pytest.raises(TableError, match=r"rows.arrows: (is no|holds no) stream of Arrow"):
        make_table(tmp_path, files_source(path="inbox/*.arrows"))
