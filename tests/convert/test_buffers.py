"""Buffers of blocks, used again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.convert.files.byte_view import BufferPool
from tasks.convert.staging import file as conversion
from tests.convert.conftest import convert_alone


def test_a_buffer_that_was_given_back_is_taken_again() -> None:
    """One of a size that nobody takes, and bytes that cannot be written to, are left to the garbage collector."""
    buffers = BufferPool()
    one = buffers.acquire(8)
    for buffer in (one, bytearray(9), b"12345678"):
        buffers.release(buffer)

    assert buffers.acquire(8) is one
    assert buffers.acquire(8) is not one


def test_a_buffer_that_is_given_back_twice_is_an_error() -> None:
    """Two files would be read into it at once, and rows of one be those of the other."""
    buffers = BufferPool()
    one = buffers.acquire(8)
    buffers.release(one)

    with pytest.raises(RuntimeError, match="given back twice"):
        buffers.release(one)


def test_notes_below_totals_have_bytes_of_their_own(tmp_path: Path) -> None:
    """Their block is another one, and the buffer of the rows above was given back twice."""
    (tmp_path / "a.csv").write_text("x,t,v\n" + "1,a,33\n" * 3 + "Total,,99\nSource: office\n")

    converted, rows, rejects = convert_alone(tmp_path / "a.csv")

    assert (converted.rows_received, len(rows), len(rejects)) == (5, 3, 2)


def test_files_of_many_sizes_leave_no_more_buffers_than_were_in_use() -> None:
    """A larger one serves a smaller file; where none is large enough, a new one takes the place of one that is free."""
    buffers = BufferPool()
    for size in (1, 8, 3, 5, 8, 2, 7, 4, 6, 1):
        one, other = buffers.acquire(size), buffers.acquire(size)
        assert min(len(one), len(other)) >= size
        buffers.release(one)
        buffers.release(other)

    assert [len(buffers.acquire(1)) for _ in range(3)] == [8, 8, 1]


@pytest.mark.parametrize("block_bytes", [32, 256, 1024])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_rows_and_rejects_of_many_blocks_are_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block_bytes: int
) -> None:
    """What is read into a buffer never changes a block that is converted at the same time."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", block_bytes)
    path = tmp_path / name
    texts = ["x" * (1 + number % 50) + str(number) for number in range(400)]
    good, bad = ('{{"a": {}, "t": "{}"}}', '{{"a": {}, "t": "{}') if name.endswith("l") else ("{},{}", "{},{},3")
    lines = [(bad if number % 7 == 5 else good).format(number, text) for number, text in enumerate(texts)]
    path.write_text("\n".join([*([] if name.endswith("l") else ["a,t"]), *lines, ""]))

    _, table, rejects = convert_alone(path)

    rows = {number: text for number, text in enumerate(texts) if number % 7 != 5}
    assert dict(zip(table["a"].to_pylist(), table["t"].to_pylist(), strict=True)) == rows
    assert [reject["raw"] for reject in rejects] == lines[5::7]
