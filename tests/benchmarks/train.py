"""How fast training is, as ratios to what two cores allow and to its peers within one run, and what its isolation costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tasks.config import Training
from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.added import ASKED, ENSEMBLES, measure_added
from tests.benchmarks.fits import CANDIDATES, FOLDS, ROWS, training_of, write_flights
from tests.benchmarks.job import EXIT_S
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.rig import Rig, open_rig, say
from tests.benchmarks.table import Line, describe_machine, draw_table

WORKERS = 2
BOUND = 1.10
PEER = 1.0
START_S = 6.0
OVERHEAD_S = 0.150
SPEED_UP = 1.8
MEMORY_BYTES = 1.3e9
DECIDED_S = 1.0
_LOOKS_EVERY_S = 0.05

_DUMMIES = 20
_PACKAGES = ("tidemill", "prefect", "scikit-learn", "numpy", "pandas", "joblib")


def measure_train() -> str:
    """Measure training and its peers, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig:
        lines = list(_measure(rig))
    setting = f"{len(CANDIDATES)} candidates and the dummy, {FOLDS} folds, {ROWS:,} flights, {WORKERS} workers unless said otherwise."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure(rig: Rig) -> Iterator[Line]:
    none = _run(rig, "trained", "none", str(WORKERS))
    ours = _run(rig, "trained", "candidates", str(WORKERS))
    pool, loky = _run(rig, "peers.pool"), _run(rig, "peers.loky")
    start = none["first_s"]
    bound = max(ours["longest_s"], ours["work_s"] / WORKERS) + start
    yield Line("all candidates evaluated", f"{ours['seconds']:.1f} s")
    yield Line(
        "of these, until the first candidate of an empty run is done: the pool's start",
        f"{start:.1f} s",
        f"≤ {START_S:g} s",
        start <= START_S,
    )
    yield _ratio("as a multiple of max(longest fold, sum of folds / 2) + start", ours["seconds"], bound, BOUND)
    yield Line("multiprocessing.Pool().starmap, as in the article", f"{pool['seconds']:.1f} s")
    yield _ratio("ours as a multiple of that", ours["seconds"], pool["seconds"], PEER)
    yield Line("joblib, 2 processes of loky", f"{loky['seconds']:.1f} s")
    yield _ratio("ours as a multiple of that", ours["seconds"], loky["seconds"], PEER)
    yield Line("largest difference of a score from the peers'", f"{_difference(ours, pool):.1g}")
    one = _run(rig, "trained", "candidates", "1")
    yield Line("with 1 worker", f"{one['seconds']:.1f} s")
    faster = one["seconds"] / ours["seconds"]
    yield Line("2 workers are faster by", f"{faster:.2f}", f"≥ {SPEED_UP}", faster >= SPEED_UP)
    yield Line(
        "the same scores with 1 worker",
        "yes" if one["scores"] == ours["scores"] else "no",
        "yes",
        one["scores"] == ours["scores"],
    )
    yield from _measure_overhead(rig)
    yield from measure_added(rig.folder)
    yield from _measure_resumed(rig)
    memory, file_bytes = measure_memory(rig.folder, WORKERS)
    what = f"memory of {WORKERS} workers and their fits on a set of {file_bytes / 1e9:.2f} GB, before rows are copied"
    yield Line(what, f"{memory / 1e9:.2f} GB", f"≤ {MEMORY_BYTES / 1e9:g} GB", memory <= MEMORY_BYTES)


def _measure_overhead(rig: Rig) -> Iterator[Line]:
    """Yield what a candidate costs that needs next to no fit: Prefect's task, five forks, five results on the disk."""
    few, many = _run(rig, "trained", "none", "1"), _run(rig, "trained", "dummies", "1")
    each = (many["seconds"] - few["seconds"]) / (_DUMMIES - 1)
    work = (many["work_s"] - few["work_s"]) / (_DUMMIES - 1)
    yield Line(f"a further candidate of {FOLDS} folds that learns nothing, 1 worker", f"{each * 1000:.0f} ms")
    over = each - work
    yield Line(
        "of these, outside its forks", f"{over * 1000:.0f} ms", f"≤ {OVERHEAD_S * 1000:.0f} ms", over <= OVERHEAD_S
    )


def _measure_resumed(rig: Rig) -> Iterator[Line]:
    """Yield what a training with decisions and ensembles takes as a command, and once more when it is finished."""
    data = rig.folder / "resumed"
    write_flights(data / "tables" / "flights")
    asked = training_of(CANDIDATES | ENSEMBLES, WORKERS, **ASKED)
    first, again = _train(rig, data, asked), _train(rig, data, asked)
    decided = json.loads((data / "summary.json").read_text())["seconds"]["train"]
    yield Line("a training with these as a command, imports and server included", f"CPU {first:.1f} s")
    yield Line("the same once more, nothing of which is new", f"CPU {again:.1f} s")
    yield Line(
        "of this, what its stage takes to decide", f"{decided:.2f} s", f"≤ {DECIDED_S:g} s", decided <= DECIDED_S
    )


def _train(rig: Rig, data: Path, training: Training) -> float:
    """Run a training on the tables of a data folder; return its seconds of the processor, its processes' among them."""
    pipeline = {
        "name": "flights",
        "sources": {"flights": {"kind": "files", "path": "inbox/*.csv"}},
        "training": training.model_dump(mode="json", exclude_unset=True),
    }
    path = data / "pipeline.yaml"
    path.write_text(json.dumps(pipeline))
    command = [sys.executable, "-m", "flows", "run", str(path), "--data", str(data), "--only", "train"]
    with tempfile.TemporaryFile("w+") as output:
        running = subprocess.Popen(command, env={**os.environ, **rig.environment}, stdout=output, stderr=output)
        seconds = _watch_cpu(running)
        if running.returncode:
            output.seek(0)
            raise RuntimeError(f"the training ended with {running.returncode}: {output.read()}")
    say(f"a training: CPU {seconds:.1f} s")
    return seconds


def _watch_cpu(running: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the seconds of the processor that it and all beneath it took, but for their last moments.

    No process is told what its fits took: the server that forks them leaves them to the system.
    """
    used = dict[tuple[int, float], float]()
    top = psutil.Process(running.pid)
    while running.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for each in [top, *top.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    used[each.pid, each.create_time()] = times.user + times.system
        time.sleep(_LOOKS_EVERY_S)
    return sum(used.values())


def _run(rig: Rig, module: str, *arguments: str) -> dict[str, Any]:
    """Return what a fresh process tells of its work."""
    say(f"{module} {' '.join(arguments)}")
    child = start_child(f"tests.benchmarks.{module}", str(rig.folder), *arguments, environment=rig.environment)
    try:
        told: dict[str, Any] = json.loads(first_line(child))
        with suppress(subprocess.TimeoutExpired):  # loky's processes end with one that ends by itself
            child.wait(EXIT_S)
    finally:
        stop_child(child)
    say(f"  {told['seconds']:.1f} s")
    return told


def _ratio(what: str, seconds: float, other: float, limit: float) -> Line:
    return Line(what, f"{seconds / other:.2f}", f"≤ {limit:.2f}", seconds <= limit * other)


def _difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    pairs = (zip(scores, other["scores"][name], strict=True) for name, scores in one["scores"].items())
    return float(max(abs(a - b) for pair in pairs for a, b in pair))
