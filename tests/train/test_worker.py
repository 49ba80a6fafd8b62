"""Worker processes: one thread each, and no life without the parent."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from tasks.core.isolation.client import CallServer, run_isolated
from tasks.core.isolation.process import THREAD_VARIABLES
from tasks.core.isolation.worker import start_worker
from tests.processes import descendants, is_running

_PARENT = """
import multiprocessing, time
from tasks.core.isolation.worker import start_worker
from tests.processes import descendants, is_running

def work(queue):
    start_worker("")
    queue.put(multiprocessing.current_process().pid)
    time.sleep(60)

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    context.Process(target=work, args=(queue,)).start()
    print(queue.get(), flush=True)
    time.sleep(60)
"""

_LOCKED = """
import multiprocessing, os
from tasks.runners.processes import ProcessesRunner
from tasks.train.execution.pool import Workers

def die(lock):
    lock.acquire()
    os._exit(1)

if __name__ == "__main__":
    workers = Workers(ProcessesRunner(workers=1))
    queue = workers._opened()._subprocess_message_queue
    killed = multiprocessing.get_context("fork").Process(target=die, args=(queue._wlock,))
    killed.start()
    killed.join()
    workers.close()
"""


def _threads() -> tuple[set[int], bool]:
    import sklearn.ensemble  # noqa: F401, PLC0415 - loads OpenMP and BLAS, after the worker's start
    from threadpoolctl import threadpool_info  # noqa: PLC0415

    counts = {int(pool["num_threads"]) for pool in threadpool_info()}
    return counts, signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_worker_computes_with_one_thread_and_leaves_ctrl_c_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numeric libraries loaded in a worker use one thread, whatever the run's own may use."""
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "2")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=start_worker, initargs=("",)) as pool:
        assert pool.submit(_threads).result() == ({1}, True)


def _server() -> int:
    """Return the process that serves this worker: the parent of a fit."""
    return cast("int", run_isolated("os:getppid", time_s=60).outcome)


def test_workers_share_what_fits_are_forked_from() -> None:
    """Each is served by a fork of its own, all of them of the one process that imported scikit-learn."""
    server, context = CallServer(), multiprocessing.get_context("spawn")
    try:
        pools = [
            ProcessPoolExecutor(1, mp_context=context, initializer=start_worker, initargs=(server.address,))
            for _ in range(2)
        ]
        serving = [pool.submit(_server).result() for pool in pools]
        of_the_server = descendants(server._process.pid)
        for pool in pools:
            pool.shutdown()
        assert len(set(serving)) == 2
        assert set(serving) <= of_the_server
        deadline = time.monotonic() + 60
        while any(map(is_running, serving)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_running, serving))  # each ends with its worker
    finally:
        server.stop()
    assert not Path(server.address).parent.exists()


def test_the_fits_of_all_workers_outlive_the_server_that_they_share(tmp_path: Path) -> None:
    """Where it is killed, each is made again by a server of the worker's own."""
    server, context = CallServer(), multiprocessing.get_context("spawn")
    paths = [tmp_path / "one", tmp_path / "other"]
    with ProcessPoolExecutor(2, mp_context=context, initializer=start_worker, initargs=(server.address,)) as pool:
        fits = [
            pool.submit(run_isolated, "tests.train.calls:wait_the_first_time", str(path), time_s=60) for path in paths
        ]
        deadline = time.monotonic() + 60
        while not all(path.is_file() and path.read_text() for path in paths) and time.monotonic() < deadline:
            time.sleep(0.05)

        server._process.kill()

        assert [fit.result().outcome for fit in fits] == [path.read_text() for path in paths]
    server.stop()


def test_a_worker_ends_with_its_parent() -> None:
    """When the parent is killed the worker is gone within seconds."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()

    deadline = time.monotonic() + 60
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)


def test_the_run_ends_where_a_worker_was_killed_while_it_told_prefect() -> None:
    """Nobody waits at exit for the lock that the killed one has held."""
    ended = subprocess.run([sys.executable, "-c", _LOCKED], timeout=40, check=False, capture_output=True)

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_worker_starts_without_what_only_fits_need() -> None:
    """What workers import takes half of the pool's start: neither pandas nor DuckDB nor scikit-learn is among it."""
    code = "import sys, tasks.train.execution.pool; print({'pandas', 'duckdb', 'sklearn', 'scipy'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
