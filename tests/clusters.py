"""Dask clusters of processes of their own: a scheduler, and workers of one thread each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_READY_S = 180.0
_ENDS_S = 5.0


@dataclass(frozen=True)
class Cluster:
    """A cluster that is running: its address, and its processes."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: subprocess.Popen[bytes]
    """The process whose children the workers are."""


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Run a cluster while the block runs, its files in `folder`."""
    known = folder / "scheduler.json"
    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(known))
    nanny = start(
        *("dask_worker", "--scheduler-file", str(known), "--nworkers", str(workers), "--nthreads", "1"),
        *("--host", "127.0.0.1", "--local-directory", str(folder)),
    )
    try:
        deadline = time.monotonic() + _READY_S
        while not known.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield Cluster(json.loads(known.read_text())["address"], scheduler, nanny)
    finally:
        for process in (nanny, scheduler):
            process.terminate()
        for process in (nanny, scheduler):
            try:
                process.wait(_ENDS_S)
            except subprocess.TimeoutExpired:  # workers look for a scheduler that was killed
                process.kill()
                process.wait()


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start one of Dask's commands."""
    command = [
        sys.executable,
        "-m",
        f"distributed.cli.{module}",
        "--no-dashboard",
        "--dashboard-address",
        "127.0.0.1:0",
        *arguments,
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
