"""The Dask cluster of this machine that a run has for itself: it begins when it is first wanted, and ends with the run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Lock
from typing import Any

from tasks.core.isolation.process import THREAD_VARIABLES
from tasks.core.scratch import make_scratch

_HOST = "127.0.0.1"
_LOG = "distributed"


class LocalCluster:
    """The cluster of this process, for whichever of its runs and stages want one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._clusters: dict[int, Any] = {}
        """By the number of workers."""
        self._folder: Path | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the cluster stay while the block runs; it ends with the outermost of such blocks, however that ends."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._end()

    def address(self, workers: int | None) -> str:
        """Return the address of its scheduler; where there is none yet, it begins.

        A worker is a process of one thread. It ends when this process does, however that ends.
        """
        number = workers or os.cpu_count() or 1
        with self._lock:
            if number not in self._clusters:
                self._clusters[number] = self._begin(number)
            return str(self._clusters[number].scheduler_address)

    def _begin(self, workers: int) -> Any:
        from distributed import LocalCluster as Cluster  # noqa: PLC0415 - an extra, and a second

        if self._folder is None:
            self._folder = make_scratch("dask")
        logging.getLogger(_LOG).propagate = False
        with _ctrl_c_held_back():
            return Cluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=_HOST,
                dashboard_address=f"{_HOST}:0",  # of what else it tells over HTTP
                worker_dashboard_address=f"{_HOST}:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL + 1,  # what becomes of a worker, or of its client, is told by the run
                local_directory=str(self._folder),
                env=dict.fromkeys(THREAD_VARIABLES, "1"),
            )

    def _end(self) -> None:
        clusters, self._clusters = self._clusters, {}
        folder, self._folder = self._folder, None
        for cluster in clusters.values():
            with suppress(Exception):  # of a worker that was killed meanwhile
                cluster.close()
        if clusters:
            logging.getLogger(_LOG).propagate = True
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Have the threads and processes that begin in the block never see Ctrl-C: it is the run that ends them, also while they begin."""
    resource_tracker.ensure_running()  # whose start has the thread see it again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


LOCAL = LocalCluster()
