"""Blocks of whole records, as a file's bytes come."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Reading
from tasks.convert.files.byte_view import BufferPool, ByteView
from tasks.convert.formats.csv import format as csv_format
from tasks.convert.formats.csv.format import Csv
from tasks.convert.formats.format import ByteBlock
from tasks.convert.formats.json.jsonl import Jsonl
from tasks.convert.formats.splitter import RecordSplitter
from tasks.convert.schema.blocks import Schema
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
        assert not list(cutter.feed(len(cutter.room), final=False))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert record_bytes < peak_bytes < 2 * record_bytes + 2 * BLOCK_BYTES


LINES = 100  # told apart at once


def read_pieces(data: bytes, read: dict[str, Any]) -> tuple[list[int], list[tuple[int | None, str]]]:
    """Return how many lines each block of a file that is read at once has, and its rows and rejects, each with its line."""
    target = TableTarget("rows", Path(), {}, reading=Reading.model_validate({"encoding": "utf-8"} | read))
    cutter = RecordSplitter(Csv(target), BufferPool(), 2**20, 2 * len(data))
    cutter.room[: len(data)] = data
    lines: list[int] = []
    found: list[tuple[int | None, str]] = []
    for block in cutter.feed(len(data), final=True):
        assert isinstance(block, ByteBlock)
        parsed = block.parse(Schema(lines=True))
        lines.append(block.window.lines_of_any_end)
        found += zip(parsed.lines or [], map(str, parsed.table.to_pylist()), strict=True)
        found += [(reject["line"], f"{reject['reason']}: {reject['raw']}") for reject in parsed.misfits.to_pylist()]
    return lines, sorted(found)


@pytest.mark.parametrize("end", ["\n", "\r"])
@pytest.mark.parametrize(
    ("record", "read"),
    [
        ('"a\nb",{n},x\n"a\nb",{n},x,y', {}),
        ('{n},"a\nb",x', {}),
        ('"{n},a,x\n{n},a,x\n{n},a,x', {}),
        ('"{n},a,x\n\n{n},a,x', {"skip_blank": False}),
        ('{n},a,x\n"{n},a,x\n,,', {"skip_blank": True, "skip_footer": 1}),
        ("{n},a,x\n# it's", {"comment": "#"}),
        ('{n},a\\,b,x\n"{n},a,x', {"escape": "\\"}),
    ],
)
def test_lines_read_quote_by_quote_are_a_piece_of_a_block(
    monkeypatch: pytest.MonkeyPatch, record: str, read: dict[str, Any], end: str
) -> None:
    """Each takes a hundred bytes meanwhile, and more: so many are in memory at once, and what they are stays the same."""
    records = (record.replace("{n}", f"{n:04}") for n in range(4 * LINES))
    data = "\n".join(["u,v,w", *records, ""]).replace("\n", end).encode()
    (_,), whole = read_pieces(data, read)
    monkeypatch.setattr(csv_format, "PIECE_LINES", LINES, raising=False)

    lines, found = read_pieces(data, read)

    assert max(lines) <= 4 * LINES
    assert len(lines) < sum(lines) / LINES * 2
    assert found == whole


def test_lines_that_each_quote_tells_apart_are_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the line ends has to be looked for."""
    monkeypatch.setattr(csv_format, "PIECE_LINES", LINES, raising=False)

    lines, _ = read_pieces(b"u,v\n" + b'1,"a, b"\n' * 10 * LINES, {})

    assert lines == [10 * LINES]


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
