"""How much memory workers hold together on a training set of one gigabyte, once each has looked up its rows (Linux)."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.core.isolation.client import CallServer, run_isolated
from tasks.core.isolation.worker import start_worker
from tasks.core.outcome import Failed
from tasks.train.data.split_file import mapped_table
from tasks.train.execution.units import FITS
from tests.benchmarks.demo import _descendants

ROWS, COLUMNS, BATCHES = 5_000_000, 25, 50
_HELD_S = 6.0
_KIBIBYTE = 1024


def measure_memory(folder: Path, workers: int) -> tuple[int, int]:
    """Return the bytes that workers, fit servers and fits hold together, shared ones counted once, and the set's."""
    path = folder / "big.arrow"
    _write(path)
    server, spawn = CallServer(FITS), get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=start_worker, initargs=(server.address,)) as pool:
        futures = [pool.submit(_hold, str(path)) for _ in range(workers)]
        most = 0
        while not all(future.done() for future in futures):
            started = (*pool._processes, server._process.pid)
            most = max(most, sum(_proportional_bytes(pid) for each in started for pid in _descendants(each)))
            time.sleep(0.3)
        errors = [future.result() for future in futures if future.result()]
    server.stop()
    size = path.stat().st_size
    path.unlink()
    if errors:
        raise RuntimeError(errors[0])
    return most, size


def _write(path: Path) -> None:
    generator = np.random.default_rng(0)
    schema = pa.schema([(f"x{i}", pa.float64()) for i in range(COLUMNS)] + [("y", pa.int64())])
    with pa.ipc.new_file(str(path), schema) as file:
        for _ in range(BATCHES):
            columns = [*generator.random((COLUMNS, ROWS // BATCHES)), generator.integers(2, size=ROWS // BATCHES)]
            file.write_batch(pa.record_batch(columns, schema=schema))


def _hold(path: str) -> str | None:
    """Hold what a worker holds while its fit is about to read its rows; return what went wrong, if anything did."""
    import tasks.train.execution.pool  # noqa: F401, PLC0415 - what a worker has imported, Prefect with it

    outcome = run_isolated("tests.benchmarks.memory:look_up", path, time_s=60.0).outcome
    return outcome.message if isinstance(outcome, Failed) else None


def look_up(path: str) -> None:
    """Do what a fit does before it copies its rows: map the file and read the target of a fold."""
    rows = np.random.default_rng(0).permutation(ROWS)[: ROWS * 16 // 25]
    with mapped_table(Path(path)) as table:
        target = table.select(["y"]).take(rows).column(0).to_numpy()
        time.sleep(_HELD_S)
        del target


def _proportional_bytes(pid: int) -> int:
    """Return what a process holds, shared memory by its share."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * _KIBIBYTE for line in lines if line.startswith("Pss:")), 0)
