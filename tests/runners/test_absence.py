"""A cluster whose last worker is gone for good is waited for so long, and no longer."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from threading import Event

import pytest
from prefect import task

from tasks.core.errors import RunnerError
from tasks.runners import absence
from tasks.runners.dask import DaskRunner
from tasks.runners.workers import StageWorkers
from tests.clusters import dask_cluster


@task(persist_result=False)
def sleep(seconds: float) -> None:
    """Take some time."""
    import time  # noqa: PLC0415 - on a worker

    time.sleep(seconds)


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_a_cluster_without_a_worker_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told when the last one goes, and the error names the cluster and the cure; so for a thread that waits."""
    monkeypatch.setattr(absence, "LOOKS_EVERY_S", 0.1)
    monkeypatch.setattr(absence, "WAITS_S", 0.3)
    with dask_cluster(tmp_path, workers=1) as cluster:
        workers = StageWorkers(DaskRunner(address=cluster.address), "convert", tmp_path)
        assert asyncio.run(workers.width()) == 1
        stopped = Event()
        stopped.set()
        with pytest.raises(asyncio.CancelledError):  # it is not waited for once the run is cancelled
            workers.call(sleep, stopped, seconds=2)
        cluster.workers.terminate()
        cluster.workers.wait()
        told = f"no worker has been at {cluster.address} for 0 s; start the Dask scheduler, and a worker that it knows, and run"

        with pytest.raises(RunnerError, match=told):
            asyncio.run(workers.run(sleep, seconds=0))
        with pytest.raises(RunnerError, match=told):
            workers.call(sleep, Event(), seconds=0)

        (warning,) = [line for line in caplog.messages if line.startswith(f"no worker is left at {cluster.address}; ")]
        assert re.search(r"; the run goes on if one is there by \d\d:\d\d:\d\d, within 0 s, and fails then$", warning)
        workers.close()
