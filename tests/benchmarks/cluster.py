"""How fast convert is on a Dask cluster of this machine, as a ratio to the threads of a run here, and how much memory a worker takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import psutil

from deployments.sample.data import read_flight_lines
from tests.benchmarks.conversion import run_case, write_year
from tests.benchmarks.peers.convert import CLUSTER
from tests.benchmarks.rig import Rig, open_rig
from tests.benchmarks.table import Line, describe_machine, draw_table
from tests.clusters import Cluster, dask_cluster

WORKERS = 2
COPIES = 3  # of the year's twelve files
GIGABYTES = 2.0
ROUNDS = 3
SHARE, PEAK_MEBIBYTES = 1.15, 400

_PACKAGES = ("tidemill", "prefect", "prefect-dask", "distributed", "pyarrow")
_LIMIT_S = 900.0
_LOOK_S = 0.05
_MEBIBYTE = 2**20


def measure_cluster(given: list[str] | None = None) -> str:
    """Measure convert of CSV files, of 2 GB or as many as are given, and return the table."""
    gigabytes = float(given[0]) if given else GIGABYTES
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig:
        lines = list(_measure(rig, gigabytes))
    setting = f"{12 * COPIES} CSV files of flights, {gigabytes:g} GB; scheduler and {WORKERS} workers of one thread each are up; in turns, the median counts."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure(rig: Rig, gigabytes: float) -> Iterator[Line]:
    header, rows = read_flight_lines()
    repeated = max(round(gigabytes * 1e9 / COPIES / sum(map(len, rows))), 1)
    case = write_year(rig.folder / "files", header, rows * repeated, COPIES)
    with dask_cluster(rig.folder, WORKERS) as cluster, _watched(cluster) as peaks:
        run_case(rig, "tidemill_on_dask", case, {CLUSTER: cluster.address})  # what the workers import
        here, there = [], []
        for _ in range(ROUNDS):
            here.append(run_case(rig, "tidemill", case).seconds)
            there.append(run_case(rig, "tidemill_on_dask", case, {CLUSTER: cluster.address}).seconds)
    ratio = median(there) / median(here)
    told = f"{median(there):.1f} s to {median(here):.1f} s, {ratio:.2f}"
    yield Line("convert on the cluster to that here", told, f"<= {SHARE}", ratio <= SHARE)
    peak = max(peaks.values()) // _MEBIBYTE
    yield Line("peak memory of a worker", f"{peak} MiB", f"<= {PEAK_MEBIBYTES} MiB", peak <= PEAK_MEBIBYTES)


@contextmanager
def _watched(cluster: Cluster) -> Iterator[dict[int, int]]:
    """Yield the most bytes that each worker has held, while the block runs."""
    peaks: dict[int, int] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            for child in psutil.Process(cluster.workers.pid).children():
                if "resource_tracker" not in " ".join(child.cmdline()):
                    peaks[child.pid] = max(peaks.get(child.pid, 0), child.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peaks
    finally:
        over.set()
        looking.join()
