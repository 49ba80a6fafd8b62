"""What a measured process is given, and what it reports: seconds of its own work, rows written, peak memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import pyarrow as pa

from tasks.core.child_process import exit_with_parent, first_line, start_child, stop_child
from tests.benchmarks.server import PAGE_ITEMS

IN_FLIGHT = 100
EXIT_S = 30.0
_KIBIBYTE = 1024


class End(StrEnum):
    """How a measured process ended."""

    DONE = "done"
    STOPPED = "stopped"  # it was not done in time
    FAILED = "failed"  # it met an error, or its rows are not the pages' rows


@dataclass(frozen=True)
class Report:
    """What one process did."""

    seconds: float
    cpu_s: float = 0.0
    """Of all its threads; what else the machine does makes it little longer."""
    rows: int = 0
    """Different lines in the files it wrote."""
    peak_bytes: int = 0
    end: End = End.DONE


@dataclass(frozen=True)
class Job:
    """Pages to be fetched from `url`, which takes `?page=N`, and the folder to write their rows to.

    Of several parts each has its own: `?part=P&page=N`.
    """

    url: str
    pages: int
    """Of all parts."""
    folder: Path
    parts: int = 1

    @classmethod
    def given(cls) -> Job:
        """Return the job that this process was started with; the process ends when its parent does."""
        exit_with_parent()
        url, pages, folder, parts, *_ = sys.argv[1:]
        return cls(url, int(pages), Path(folder), int(parts))

    def page(self, number: int) -> str:
        """Return the address of a page."""
        return f"{self.url}?page={number}"

    def addresses(self) -> Iterator[str]:
        """Yield the address of every page of every part."""
        numbers = range(1, self.pages // self.parts + 1)
        if self.parts == 1:
            yield from map(self.page, numbers)
            return
        for part in range(self.parts):
            for number in numbers:
                yield f"{self.url}?part={part}&page={number}"

    @contextmanager
    def measured(self, files: str) -> Iterator[None]:
        """Print what this process does while the block runs; `files` is the glob of those that hold the rows."""
        start, cpu = time.perf_counter(), time.process_time()
        yield
        seconds, cpu_s, peak = time.perf_counter() - start, time.process_time() - cpu, peak_bytes()
        lines = {line for file in self.folder.glob(files) for line in _read_lines(file)}
        print(json.dumps(asdict(Report(seconds, cpu_s, len(lines), peak))), flush=True)

    def run(self, module: str, *arguments: str, environment: Mapping[str, str], limit_s: float) -> Report:
        """Do the job in a fresh process of `module`, which is ended when it is not done in `limit_s`."""
        self.folder.mkdir(parents=True)
        start = time.monotonic()
        given = self.url, str(self.pages), str(self.folder), str(self.parts)
        child = start_child(module, *given, *arguments, environment=environment)
        limit = threading.Timer(limit_s, child.kill)
        limit.start()
        try:
            said = first_line(child)
            with suppress(subprocess.TimeoutExpired):
                child.wait(EXIT_S)
        finally:
            limit.cancel()
            stop_child(child)
        if not said:
            seconds = time.monotonic() - start
            return Report(seconds, end=End.STOPPED if seconds >= limit_s else End.FAILED)
        done = Report(**json.loads(said))
        return done if done.rows == self.pages * PAGE_ITEMS else replace(done, end=End.FAILED)


def peak_bytes() -> int:
    """Return the most memory that this process has held so far (Linux)."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) * _KIBIBYTE if match else 0


def _read_lines(file: Path) -> list[bytes]:
    with pa.input_stream(str(file), compression="detect") as stream:
        return [line for line in stream.read().split(b"\n") if line]
