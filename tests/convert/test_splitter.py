"""Blocks of whole records, as a file's bytes come."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tasks.convert.files.byte_view import BufferPool, ByteView
from tasks.convert.formats.json.jsonl import Jsonl
from tasks.convert.formats.splitter import RecordSplitter
from tasks.convert.schema.target import TableTarget
from tasks.convert.staging import file as conversion
from tests.convert.conftest import convert_alone

BLOCK_BYTES = 256 * 1024


def test_a_record_of_many_blocks_is_in_memory_twice_at_most() -> None:
    """It is copied once for each block that it goes on in: where it lay, and where the next bytes are to follow it."""
    cutter = RecordSplitter(Jsonl(TableTarget("rows", Path(), {})), BufferPool(), BLOCK_BYTES, BLOCK_BYTES)

    tracemalloc.start()
    record_bytes = 0
    for _ in range(32):
        record_bytes += len(cutter.room)
        assert cutter.feed(len(cutter.room), final=False) == []
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert record_bytes < peak_bytes < 2 * record_bytes + 2 * BLOCK_BYTES


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block_bytes", [8, 32, 1000])
def test_lines_are_counted_over_blocks_whatever_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, block_bytes: int
) -> None:
    """A row and a reject have the line at which they stand in the file, in any of its blocks."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", block_bytes)
    path = tmp_path / "a.csv"
    path.write_text(end.join(["a,b", *["1,2"] * 20, "3", "4,5", ""]), newline="")

    _, table, rejects = convert_alone(path, provenance=True)

    assert table["_line"].to_pylist() == [*range(2, 22), 23]
    assert [reject["line"] for reject in rejects] == [22]


@pytest.mark.parametrize(
    ("data", "lines"), [(b"", 0), (b"a\r", 1), (b"a\rb", 2), (b"\r\r", 2), (b"a\r\nb\rc\nd", 4), (b"a\r\n\n\r", 3)]
)
def test_a_carriage_return_alone_ends_a_line_of_csv(data: bytes, lines: int) -> None:
    """Together with a line feed it ends one line, not two."""
    assert ByteView(b"\r" + data + b"\r", 1, 1 + len(data)).lines_of_any_end == lines
