"""Where the first bottleneck comes: convert of a terabyte by up to a hundred workers, as a discrete-event model.

Each batch of files is read from a store by a worker, parsed, and its parts written to
storage that all mount; the run hands batches out, takes them back, and commits. What a
thread parses was measured on two cores, what tasks cost and a cluster has is assumed, and
both are in `Model`, so that other figures can be put there.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import simpy

from tests.benchmarks.table import Line, draw_table

WORKERS = (1, 2, 5, 10, 20, 50, 100)
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Model:
    """What a run costs, in seconds and bytes; measured unless it is said to be assumed."""

    input_bytes: float = 1e12
    batch_bytes: float = 256 * _MEGABYTE
    """The most that a task is given."""
    parse_bytes_s: float = 115 * _MEGABYTE
    """Of CSV by one thread, Parquet written: 2 GB by two threads in 8.7 s."""
    parts_share: float = 0.27
    """Bytes of Parquet to those of CSV, of the demo's flights."""
    task_of_run_s: float = 0.02
    """Assumed: of the run's own process, for a task that is handed out and taken back."""
    task_of_server_s: float = 0.03
    """Assumed: of Prefect's server, for what a task's states are stored with."""
    task_of_worker_s: float = 0.05
    """Assumed: of a worker, beside the parsing."""
    checksum_bytes_s: float = 1_500 * _MEGABYTE
    """Assumed: of the run, which reads each part once at the commit, in one thread."""
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
    run, server = simpy.Resource(cluster), simpy.Resource(cluster)
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


def measure_simulation() -> str:
    """Return the table of what a terabyte takes with each number of workers."""
    return draw_table(list(_lines(Model())))


def _lines(model: Model) -> Iterator[Line]:
    alone = simulate(model, 1).convert_s
    for workers in WORKERS:
        found = simulate(model, workers)
        minutes, commit = found.convert_s / 60, found.commit_s / 60
        said = f"{minutes:,.1f} min + commit {commit:.1f} min, {alone / found.convert_s:.1f} times as fast; busiest: {found.bottleneck}"
        yield Line(f"{workers} workers", said)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(measure_simulation())
