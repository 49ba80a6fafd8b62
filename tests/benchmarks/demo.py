"""What the demo costs: seconds, memory, and the task runs that Prefect's database holds of it."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_SAMPLE_EVERY_S = 0.1
_MEBIBYTE = 2**20


def measure_demo() -> str:
    """Run the demo twice, on a fresh Prefect home and data folder, and return a table of what each run cost."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = _measure(Path(folder), "--verbose"), _measure(Path(folder))
    rows = [f"| {name} | {first[name]} | {second[name]} |" for name in first]
    return "\n".join(["| demo | first run | second run |", "|---|---|---|", *rows])


def _measure(folder: Path, *options: str) -> dict[str, str]:
    environment = {**os.environ, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
    environment.pop("PREFECT_API_URL", None)
    before = _stored(folder)
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "demo", "--data", str(folder / "data"), *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    peaks: dict[int, int] = {}
    watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watcher.start()
    output, last = [], start
    assert process.stdout
    for line in process.stdout:
        output.append(line)
        last = time.monotonic()
    process.wait()
    end = time.monotonic()
    watcher.join()
    text = "".join(output)
    ran = len(re.findall(r"Task run .* Finished in state Completed", text))
    stored = _stored(folder) - before
    return {
        "seconds": f"{end - start:.1f}",
        "seconds after the last line of the summary": f"{end - last:.1f}",
        "task runs told in the log + 3 subflows": f"{ran + 3}" if options else "-",
        "task runs in Prefect's database": f"{stored}",
        "largest process, MiB": f"{max(peaks.values()) / _MEBIBYTE:.0f}",
        "all processes at their peaks, MiB": f"{sum(peaks.values()) / _MEBIBYTE:.0f}",
        "exit code": f"{process.returncode}",
    }


def _stored(folder: Path) -> int:
    path = folder / "prefect" / "prefect.db"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as database:
        return int(database.execute("SELECT count(*) FROM task_run").fetchone()[0])


def _watch(process: subprocess.Popen[str], peaks: dict[int, int]) -> None:
    """Note the peak memory of a process and all of its descendants, by process id, until it ends (Linux)."""
    while process.poll() is None:
        for pid in _descendants(process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if match := re.search(r"VmHWM:\s+(\d+) kB", status):
                peaks[pid] = max(peaks.get(pid, 0), int(match[1]) * 1024)
        time.sleep(_SAMPLE_EVERY_S)


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found
