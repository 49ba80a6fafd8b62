"""What the champion costs beside its model's own `predict_proba`: over a large file, and a row at a time over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pyarrow.parquet as pq

from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.rig import say
from tests.benchmarks.scored import CHAMPION, PER_S, ROWS, SECONDS, publish
from tests.benchmarks.table import Line, describe_machine, draw_table

ROUNDS = 2
SLOWER = 1.15
MEMORY_MIB = 600
LATER = 3.0

_PACKAGES = ("tidemill", "scikit-learn", "numpy", "pandas", "starlette", "uvicorn")


def measure_score() -> str:
    """Measure predictions over a file and over HTTP, and return the table."""
    machine = describe_machine(_PACKAGES)
    with tempfile.TemporaryDirectory(prefix="tidemill-benchmark-") as folder:
        publish(Path(folder))
        lines = [*_measure_file(Path(folder)), *_measure_endpoint(Path(folder))]
    return (
        f"{machine}\n{CHAMPION}, {ROWS:,} rows of flights, the fastest of {ROUNDS} rounds each.\n\n{draw_table(lines)}"
    )


def _measure_file(data: Path) -> Iterator[Line]:
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(_run("proba", data))
        ours.append(_run("predict", data))
    seconds, peer = min(each["seconds"] for each in ours), min(each["seconds"] for each in bare)
    memory = max(each["peak_bytes"] for each in ours) / 2**20
    yield Line("predict_proba of the model, of frames in memory", f"{peer:.1f} s")
    yield Line("of these, of the estimator alone", f"{min(each['estimator_s'] for each in bare):.1f} s")
    yield Line("predict, from Parquet to Parquet", f"{seconds:.1f} s")
    yield Line("as a multiple of predict_proba", f"{seconds / peer:.2f}", f"≤ {SLOWER}", seconds <= SLOWER * peer)
    yield Line("memory of it", f"{memory:.0f} MiB", f"≤ {MEMORY_MIB} MiB", memory <= MEMORY_MIB)


def _measure_endpoint(data: Path) -> Iterator[Line]:
    bare = [_run("rows", data)]
    with _scoring(data) as url:
        rows = pq.read_table(data / "some.parquet").to_pylist()
        latencies = np.array(asyncio.run(_ask(url, rows))) * 1000
    bare.append(_run("rows", data))
    median, p99 = np.quantile(latencies, [0.5, 0.99])
    own = {name: float(np.mean([each[name] for each in bare])) for name in bare[0]}
    yield Line(f"predict_proba of one row, {PER_S} a second for {SECONDS} s: the median", f"{own['median_ms']:.2f} ms")
    yield Line("the 99th percentile", f"{own['p99_ms']:.2f} ms")
    yield Line("the same since each was due", f"{own['p99_since_due_ms']:.2f} ms")
    yield Line("score over HTTP, as often, since each was due: the median", f"{median:.2f} ms")
    ratio = p99 / own["p99_ms"]
    yield Line("the 99th percentile", f"{p99:.2f} ms")
    yield Line("as a multiple of that of predict_proba", f"{ratio:.2f}", f"≤ {LATER:g}", ratio <= LATER)
    yield Line("as a multiple of the median of predict_proba", f"{p99 / own['median_ms']:.2f}")


@contextmanager
def _scoring(data: Path) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "flows",
        "score",
        "flights",
        "--data",
        str(data),
        "--port",
        "0",
        "--max-requests",
        "5000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        match = re.search(r"http://\S+", process.stdout.readline())
        assert match
        try:
            yield match[0]
        finally:
            process.terminate()


async def _ask(url: str, rows: list[dict[str, Any]]) -> list[float]:
    """Return the seconds from when each request was due until its answer was there."""
    async with aiohttp.ClientSession(url) as session:

        async def ask(due: float, body: bytes) -> float:
            await asyncio.sleep(due - time.perf_counter())
            async with session.post("/predict", data=body) as answer:
                await answer.read()
                assert answer.status == 200, await answer.text()
            return time.perf_counter() - due

        bodies = [json.dumps([row]).encode() for row in rows]
        for body in bodies[:PER_S]:
            await ask(time.perf_counter(), body)
        start = time.perf_counter() + 0.5
        due = (start + number / PER_S for number in range(PER_S * SECONDS))
        return await asyncio.gather(*(ask(at, bodies[number % len(bodies)]) for number, at in enumerate(due)))


def _run(what: str, data: Path) -> dict[str, Any]:
    """Return what a fresh process tells of its work."""
    child = start_child("tests.benchmarks.scored", what, str(data))
    try:
        told: dict[str, Any] = json.loads(first_line(child))
    finally:
        stop_child(child)
    say(f"{what}: {told}")
    return told
