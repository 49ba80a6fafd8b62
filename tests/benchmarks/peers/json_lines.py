"""JSON lines and documents to Parquet, by convert's blocks and by pyarrow, each in a process of its own: what a kind of record costs."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from tasks.config import Column
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.format import ByteBlock
from tasks.convert.formats.json.document import Json
from tasks.convert.formats.json.jsonl import parse_lines
from tasks.convert.formats.json.lines import JsonBlock
from tasks.convert.parts.part import write_part
from tasks.convert.schema.blocks import Schema, TypedBlock
from tasks.convert.schema.target import TableTarget
from tasks.core.child_process import exit_with_parent
from tests.benchmarks.job import Report, peak_bytes

_BLOCK_BYTES = 8 * 1024 * 1024
_WARM_LINES = 1_000
DECLARED = {
    "dep_time": Column(type="int", nulls=("-1",)),
    "time_hour": Column(type="timestamp"),
    "carrier": Column(type="string"),
    "distance": Column(type="float"),
}
EXPLODED = "legs"


def tidemill(path: Path, kind: str, folder: Path) -> int:
    """Write a part of each block, as convert does; return the rows."""
    rows = 0
    for number, typed in enumerate(_typed(path, kind)):
        write_part(folder / f"{number}.parquet", typed.table)
        rows += typed.table.num_rows
    return rows


def _typed(path: Path, kind: str) -> Iterator[TypedBlock]:
    if kind == "document":
        for block in Json().blocks(path.read_bytes(), TableTarget("rows", path.parent, {})):
            assert isinstance(block, ByteBlock)
            yield block.parse(Schema())
        return
    declared = DECLARED if kind == "declared" else {}
    types = guess = None
    for data in _blocks(path):
        lines = JsonBlock(ByteView.of(data), explode=EXPLODED if kind == "exploded" else None)
        typed = parse_lines(lines, Schema(declared, types, guess, frozen=types is not None))
        guess = typed.types
        types = guess if kind == "frozen" else None
        yield typed


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        rest = b""
        while data := file.read(_BLOCK_BYTES):
            whole = (rest + data).rfind(b"\n") + 1
            yield (rest + data)[:whole]
            rest = (rest + data)[whole:]


def pyarrow(path: Path, kind: str, folder: Path) -> int:
    """Read, explode and flatten, and write one file; return the rows."""
    options = pa_json.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    table = pa_json.read_json(path, read_options=options)
    if kind == "exploded":
        lists = table[EXPLODED].combine_chunks()
        table = table.drop_columns([EXPLODED]).take(pc.list_parent_indices(lists))
        table = table.append_column(EXPLODED, pc.list_flatten(lists))
    while any(pa.types.is_struct(column.type) for column in table.columns):
        table = table.flatten()
    pq.write_table(table, folder / "all.parquet", compression="zstd")
    return int(table.num_rows)


ENGINES: dict[str, Callable[[Path, str, Path], int]] = {"tidemill": tidemill, "pyarrow": pyarrow}


def main() -> None:
    """Write the rows of the file that is given as Parquet, and print what it took."""
    exit_with_parent()
    engine, kind, name = sys.argv[1:]
    path = Path(name)
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm.jsonl"  # what is imported at the first call is not measured
        warm.write_text('{"a": 1.5, "b": "x"}\n' * _WARM_LINES)
        ENGINES[engine](warm, "flat", Path(folder))
        before = peak_bytes()
        start, cpu = time.perf_counter(), time.process_time()
        rows = ENGINES[engine](path, kind, Path(folder))
        report = Report(time.perf_counter() - start, time.process_time() - cpu, rows, peak_bytes() - before)
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
