"""Where the first bottleneck comes: convert of a terabyte by up to a hundred workers, as a discrete-event model.

Each batch of files is read from a store by a worker, parsed, and its parts written to
storage that all mount; the run hands batches out, takes them back, and commits. What work
costs was measured on two cores, and `--measure` measures it anew on the machine at hand;
what networks and stores give is assumed. Both are in `Model`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import simpy
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_dask import DaskTaskRunner

from tasks.core.storage import hash_file
from tests.benchmarks.rig import open_rig
from tests.benchmarks.table import Line, draw_table
from tests.clusters import dask_cluster

WORKERS = (1, 2, 5, 10, 20, 50, 100)
_MEGABYTE = 1e6
_TASKS, _WORKERS_WARM = 200, 8
_STORED_S = 6.0
"""After this the server has stored what tasks came to."""
_HASHED_BYTES = 2**28
_PROCESSES = {"flows.cli.temporary_server": "server", "dask_scheduler": "scheduler"}
"""What is in the command of a process that is no worker."""


@dataclass(frozen=True)
class Model:
    """What a run costs, in seconds and bytes; measured unless it is said to be assumed."""

    input_bytes: float = 1e12
    batch_bytes: float = 256 * _MEGABYTE
    """The most that a task is given."""
    parse_bytes_s: float = 75 * _MEGABYTE
    """Of CSV by one thread, Parquet written: 2 GB by two threads in 13.3 s."""
    parts_share: float = 0.27
    """Bytes of Parquet to those of CSV, of the demo's flights."""
    task_of_run_s: float = 0.031
    """Of the run's own process, for a task that is handed out and taken back."""
    task_of_scheduler_s: float = 0.006
    """Of Dask's scheduler."""
    task_of_server_s: float = 0.014
    """Of Prefect's server, for what a task's states are stored with."""
    task_of_worker_s: float = 0.064
    """Of a worker, beside the parsing."""
    checksum_bytes_s: float = 1_100 * _MEGABYTE
    """Of the run, which reads each part once at the commit, in one thread."""
    worker_network_bytes_s: float = 600 * _MEGABYTE
    """Assumed: 5 Gbit/s a worker."""
    store_bytes_s: float = 12_500 * _MEGABYTE
    """Assumed: what the store gives to all together, 100 Gbit/s."""
    shared_bytes_s: float = 1_250 * _MEGABYTE
    """Assumed: what the shared storage takes from all together, 10 Gbit/s, and what it gives to one."""
    latency_s: float = 0.03
    """Assumed: until a store begins to answer."""

    @property
    def batches(self) -> int:
        """Return how many tasks there are."""
        return round(self.input_bytes / self.batch_bytes)


@dataclass
class Busy:
    """How long each part of a cluster was at work."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, part: str, seconds: float) -> None:
        """Count seconds of a part."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds


@dataclass(frozen=True)
class Simulated:
    """What a run of so many workers took: converting, the commit after it, and how busy each part was while it converted."""

    workers: int
    convert_s: float
    commit_s: float
    busy: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """Return the part that was busiest, with its share of the time."""
        part = max(self.busy, key=lambda name: self.busy[name])
        return f"{part} ({self.busy[part]:.0%})"


def simulate(model: Model, workers: int) -> Simulated:
    """Return what a run takes with so many workers of one thread each."""
    cluster = simpy.Environment()
    run, scheduler, server = simpy.Resource(cluster), simpy.Resource(cluster), simpy.Resource(cluster)
    store, shared = simpy.Resource(cluster), simpy.Resource(cluster)
    free = simpy.Resource(cluster, workers)
    busy = Busy()

    def hold(part: str, resource: simpy.Resource, seconds: float) -> Generator[Any, Any, None]:
        with resource.request() as turn:
            yield turn
            yield cluster.timeout(seconds)
            busy.add(part, seconds)

    def batch() -> Generator[Any, Any, None]:
        with free.request() as turn:
            yield turn
            began = cluster.now
            yield from hold("the run's process", run, model.task_of_run_s)
            yield from hold("Dask's scheduler", scheduler, model.task_of_scheduler_s)
            yield from hold("Prefect's server", server, model.task_of_server_s)
            yield cluster.timeout(model.latency_s)
            # The store serves all at once: it is held for its share, and the worker's own network is waited for beside.
            yield from hold("the store", store, model.batch_bytes / model.store_bytes_s)
            own = model.batch_bytes / model.worker_network_bytes_s - model.batch_bytes / model.store_bytes_s
            parse = model.batch_bytes / model.parse_bytes_s
            yield cluster.timeout(max(own, parse) + model.task_of_worker_s)  # it parses as it reads
            yield from hold("the shared storage", shared, model.batch_bytes * model.parts_share / model.shared_bytes_s)
            busy.add("the workers", (cluster.now - began) / workers)

    for _ in range(model.batches):
        cluster.process(batch())
    cluster.run()
    parts = model.input_bytes * model.parts_share
    commit = parts / min(model.checksum_bytes_s, model.shared_bytes_s)
    shares = {part: seconds / cluster.now for part, seconds in busy.seconds.items()}
    return Simulated(workers, cluster.now, commit, shares)


@task(cache_policy=NO_CACHE, persist_result=False)
def _do_nothing(number: int) -> int:
    return number


@flow(persist_result=False)
def _hand_out(tasks: int) -> None:
    for future in [_do_nothing.submit(number) for number in range(tasks)]:
        future.result()


def measure_model() -> Model:
    """Return the model with what tasks cost on this machine, on a cluster of two workers, and what a checksum does."""
    with (
        open_rig() as rig,
        dask_cluster(rig.folder, 2) as cluster,
        temporary_settings({PREFECT_API_URL: rig.api.url}),
    ):
        run = _hand_out.with_options(task_runner=DaskTaskRunner(address=cluster.address))
        run(_WORKERS_WARM)
        before = _processor_s()
        run(_TASKS)
        time.sleep(_STORED_S)
        spent = {part: (seconds - before[part]) / _TASKS for part, seconds in _processor_s().items()}
        file = rig.folder / "bytes"
        file.write_bytes(os.urandom(_HASHED_BYTES))
        hashed = _hash_s(file)
    return replace(
        Model(),
        task_of_run_s=spent["run"],
        task_of_scheduler_s=spent["scheduler"],
        task_of_server_s=spent["server"],
        task_of_worker_s=spent["worker"],
        checksum_bytes_s=_HASHED_BYTES / hashed,
    )


def _processor_s() -> dict[str, float]:
    """Return the seconds of processor that each part of the cluster here has had."""
    seconds = {"run": time.process_time(), "scheduler": 0.0, "server": 0.0, "worker": 0.0}
    for process in psutil.Process().children(recursive=True):
        command, spent = " ".join(process.cmdline()), process.cpu_times()
        part = next((part for name, part in _PROCESSES.items() if name in command), "worker")
        seconds[part] += spent.user + spent.system
    return seconds


def _hash_s(file: Path) -> float:
    hash_file(file)
    before = time.process_time()
    hash_file(file)
    return time.process_time() - before


def measure_simulation(model: Model) -> str:
    """Return the table of what a terabyte takes with each number of workers."""
    return draw_table(list(_lines(model)))


def _lines(model: Model) -> Iterator[Line]:
    alone = simulate(model, 1).convert_s
    for workers in WORKERS:
        found = simulate(model, workers)
        minutes, commit = found.convert_s / 60, found.commit_s / 60
        said = f"{minutes:,.1f} min + commit {commit:.1f} min, {alone / found.convert_s:.1f} times as fast; busiest: {found.bottleneck}"
        yield Line(f"{workers} workers", said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure here what tasks and checksums cost")
    chosen = measure_model() if parser.parse_args().measure else Model()
    print(chosen)
    print(measure_simulation(chosen))
