"""One conversion of files, in a fresh process: what is converted, and what it took."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.job import Report
from tests.benchmarks.rig import Rig, say

_LIMIT_S = 1800.0


@dataclass(frozen=True)
class Case:
    """Files to be converted: a glob of them, and how many rows they hold."""

    pattern: Path
    rows: int


def write_year(folder: Path, header: bytes, lines: list[bytes], copies: int) -> Case:
    """Write a file for each month of each copy of the year."""
    folder.mkdir()
    months: dict[bytes, list[bytes]] = {}
    for line in lines:
        months.setdefault(line.split(b",", 2)[1], []).append(line)
    for copy in range(copies):
        for month, rows in months.items():
            (folder / f"{copy}-{int(month):02d}.csv").write_bytes(header + b"".join(rows))
    os.sync()
    return Case(folder / "*.csv", copies * len(lines))


def run_case(rig: Rig, engine: str, case: Case, more: Mapping[str, str] | None = None) -> Report:
    """Convert the files of a case by an engine of `tests.benchmarks.peers.convert`, with further environment variables."""
    folder = rig.folder / f"out-{next(rig.numbers)}"
    environment = {**rig.environment, **(more or {})}
    child = start_child(
        "tests.benchmarks.peers.convert", engine, str(case.pattern), str(folder), environment=environment
    )
    try:
        said = first_line(child)
        child.wait(_LIMIT_S)
    finally:
        stop_child(child)
        shutil.rmtree(folder, ignore_errors=True)
    report = Report(**json.loads(said)) if said else Report(_LIMIT_S, _LIMIT_S)
    say(
        f"{engine} {case.pattern.name}: {told(report)}, {report.rows:,} of {case.rows:,} rows, {report.peak_bytes >> 20} MiB"
    )
    return report


def told(report: Report) -> str:
    """Return the seconds and the CPU seconds that a process took."""
    return f"{report.seconds:.2f} s, CPU {report.cpu_s:.2f} s"
