"""What JSON lines cost by the kind of their records, as ratios to pyarrow and to flat lines within one run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.job import Report
from tests.benchmarks.peers.json_lines import ENGINES, EXPLODED
from tests.benchmarks.table import Line

BYTES = 200_000_000
ROUNDS = 3
PEER_SHARE, FLAT_SHARE, DOCUMENT_SHARE, DOCUMENT_PEAK = 1.3, 2.0, 1.5, 1.5
KINDS = ("flat", "nested", "declared", "exploded", "frozen", "document")

_LIMIT_S = 300.0

Row = dict[str, Any]


def measure_json(folder: Path, rows: list[Row]) -> Iterator[Line]:
    """Yield what each kind of record costs, in turns with pyarrow, and its share of pyarrow's and of flat lines'."""
    folder.mkdir()
    paths = {kind: write_records(folder, kind, rows, BYTES) for kind in KINDS}
    found: dict[tuple[str, str], list[Report]] = {(kind, engine): [] for kind in KINDS for engine in ENGINES}
    for _ in range(ROUNDS):
        for (kind, engine), reports in found.items():
            if (kind, engine) != ("document", "pyarrow"):  # which reads none
                reports.append(_run(engine, kind, paths[kind]))
    cpu = {each: median(report.cpu_s for report in reports) for each, reports in found.items() if reports}
    megabytes = {kind: path.stat().st_size / 1e6 for kind, path in paths.items()}
    for kind in KINDS:
        ours = cpu[kind, "tidemill"]
        yield Line(f"{megabytes[kind]:.0f} MB of JSON, {kind}: convert's blocks", f"CPU {ours:.2f} s")
        if (kind, "pyarrow") in cpu:
            share = ours / cpu[kind, "pyarrow"]
            yield Line(
                "as a share of pyarrow's read_json, flatten and write", f"{share:.2f}", *_held(share, PEER_SHARE)
            )
        share = ours / megabytes[kind] / (cpu["flat", "tidemill"] / megabytes["flat"])
        limit = DOCUMENT_SHARE if kind == "document" else FLAT_SHARE
        yield Line("a megabyte, as a share of flat lines'", f"{share:.2f}", *_held(share, limit))
    peak = max(report.peak_bytes for report in found["document", "tidemill"]) / 1e6 / megabytes["document"]
    yield Line(
        "peak memory of the document beyond what imports take, as a share of its size",
        f"{peak:.2f}",
        *_held(peak, DOCUMENT_PEAK),
    )


def _held(share: float, limit: float) -> tuple[str, bool]:
    return f"<= {limit:g}", share <= limit


def _run(engine: str, kind: str, path: Path) -> Report:
    child = start_child("tests.benchmarks.peers.json_lines", engine, kind, str(path))
    try:
        said = first_line(child)
        child.wait(_LIMIT_S)
    finally:
        stop_child(child)
    return Report(**json.loads(said)) if said else Report(_LIMIT_S, _LIMIT_S)


def write_records(folder: Path, kind: str, rows: list[Row], size: int) -> Path:
    """Write as many rows of a kind as make the size, as lines or as a document."""
    write = _SHAPES.get(kind, _flat)
    path = folder / (f"{kind}.json" if kind == "document" else f"{kind}.jsonl")
    before, between, after = ("[", ",\n", "]") if kind == "document" else ("", "\n", "\n")
    written = 0
    with path.open("w") as file:
        file.write(before)
        for row in cycle(rows):
            text = json.dumps(write(row))
            written += file.write(f"{between}{text}" if written else text)
            if written > size:
                break
        file.write(after)
    return path


def _flat(row: Row) -> Row:
    return row


def _nested(row: Row) -> Row:
    names = list(row)
    inner = {name: row[name] for name in names[8:]}
    return {
        **{name: row[name] for name in names[:4]},
        "times": {name: row[name] for name in names[4:8]},
        "flight": inner,
    }


def _exploded(row: Row) -> Row:
    names = list(row)
    leg = {name: row[name] for name in names[10:]}
    return {**{name: row[name] for name in names[:10]}, EXPLODED: [leg, leg]}


_SHAPES: dict[str, Callable[[Row], Row]] = {"nested": _nested, "exploded": _exploded}
