"""The train flow on a Dask cluster: a scheduler and two workers, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import s3fs

from flows.train import train
from tasks.config import Pipeline
from tasks.core.errors import TrainingError
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.execution.runners.dask import DaskRunner
from tasks.train.registry import load_model, read_champion
from tests.processes import descendants
from tests.stores import serving_s3
from tests.train.conftest import LOGISTIC, Trained, sklearn_table
from tests.train.test_flow import FOREST, pipeline

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_READY_S = 180.0
_WITHOUT = """
import sys
sys.modules["prefect_dask"] = None  # as if it were not there: every import of it fails
from tasks.core.errors import TrainingError
from tasks.train.execution.runners.dask import DaskRunner
from tasks.train.execution.pool import Workers
try:
    Workers(DaskRunner(address="tcp://127.0.0.1:9")).width
except TrainingError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Yield the address of an empty S3 bucket."""
    with serving_s3() as url:
        yield url


@pytest.fixture(scope="module")
def cluster(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a scheduler with two workers of one thread each, which know where the bucket is."""
    assert bucket
    folder = tmp_path_factory.mktemp("dask")
    known = folder / "scheduler.json"
    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(known))
    workers = start("dask_worker", "--scheduler-file", str(known), "--nworkers", "2", "--nthreads", "1", folder=folder)
    try:
        deadline = time.monotonic() + _READY_S
        while not known.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield json.loads(known.read_text())["address"]
    finally:
        for process in (workers, scheduler):
            process.terminate()
            process.wait()


def start(module: str, *arguments: str, folder: Path | None = None) -> subprocess.Popen[bytes]:
    """Start one of Dask's commands."""
    local = ["--local-directory", str(folder)] if folder else []
    command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *arguments, *local]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)


def on(address: str, config: Pipeline, data_url: str | None = None) -> Pipeline:
    """Return a pipeline that trains on a cluster."""
    assert config.training
    training = config.training.model_copy(update={"runner": DaskRunner(address=address, data_url=data_url)})
    return config.model_copy(update={"training": training})


def figures(leaderboard: Leaderboard) -> list[object]:
    """Return all of a leaderboard that does not depend on how fast it came about."""
    return [
        (line.name, line.result.fold_scores, line.interval, line.p_best, line.finalist and line.finalist.score)
        for line in leaderboard.lines
    ]


async def test_a_cluster_gives_the_same_leaderboard(tmp_path: Path, cluster: str, trained: Trained) -> None:
    """To the last digit, as the processes of this machine do."""
    there = await train(on(cluster, pipeline(tmp_path, logistic=LOGISTIC, forest=FOREST)), tmp_path)

    assert figures(there) == figures(trained.leaderboard)
    assert not there.failed


@pytest.fixture
def data_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder that is another one to every other process, by its working directory."""
    monkeypatch.chdir(tmp_path)
    return Path("/proc/self/cwd/of_this_process")


async def test_a_worker_that_does_not_see_the_data_is_told(cluster: str, data_of_this_process: Path) -> None:
    """Path, worker and cure are named."""
    data = data_of_this_process
    told = rf"{data}/training/iris/training_set\.arrow: the worker \S+ \(process (\d+)\) cannot reach it \(No such file"

    with pytest.raises(
        TrainingError, match=rf"{told} .*; put the data folder on storage that every worker mounts .* or name a store"
    ) as got:
        await train(on(cluster, pipeline(data, logistic=LOGISTIC)), data)

    found = re.search(told, str(got.value))
    assert found
    assert int(found[1]) in descendants(os.getpid())


def test_data_by_url_gives_the_same_leaderboard(
    cluster: str, bucket: str, data_of_this_process: Path, trained: Trained
) -> None:
    """Workers that do not see the data folder are handed rows, and hand back models, through a bucket, which is then empty; ensembles of them too."""
    data, single = data_of_this_process, {"logistic": LOGISTIC, "forest": FOREST}
    ensembles = {"blend": {"vote": [*single]}, "stacked": {"stack": [*single], "final": LOGISTIC}}
    config, more = (
        on(cluster, pipeline(data, **each), f"{bucket}/handed/over") for each in (single, {**single, **ensembles})
    )
    assert more.training is not None
    asked = more.training.model_copy(update={"finalists": 4})

    there = asyncio.run(train(config, data))
    again = asyncio.run(train(more.model_copy(update={"training": asked}), data))

    assert figures(there) == figures(trained.leaderboard)
    assert {line.name for line in again.lines if line.result.reused} == {*single, "dummy"}
    judged = {line.name: line for line in again.lines}
    for job in plan_jobs(asked, again.training_set, data / "models" / "iris"):
        alone = tuple(evaluate_fold(job, fold).score for fold in range(5))
        assert judged[job.name].result.fold_scores == alone
        finalist = judged[job.name].finalist
        assert finalist is not None
        assert finalist.score == judge_finalist(job).score
    assert s3fs.S3FileSystem().find(bucket) == []
    champion = read_champion(data / "models" / "iris")
    assert champion is not None
    model = load_model(data / "models" / "iris" / champion.model)
    assert set(model.predict(pd.DataFrame(sklearn_table("iris")).drop(columns=["row", "y"]))) == {0, 1, 2}


async def test_a_store_that_is_not_there_is_told(cluster: str, data_of_this_process: Path) -> None:
    """The address is named, and what failed."""
    data = data_of_this_process
    told = r"training\.runner\.data_url: s3://no-such-bucket/run-\w+: cannot be written \(FileNotFoundError: The specified bucket does not exist\)"

    with pytest.raises(TrainingError, match=told):
        await train(on(cluster, pipeline(data, logistic=LOGISTIC), "s3://no-such-bucket"), data)


def test_a_cluster_without_prefect_dask_is_told() -> None:
    """The error says what to install."""
    ended = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=False)

    assert ended.stdout == (
        "training.runner: kind dask needs prefect-dask, which is not installed; pip install 'tidemill[dask]'\n"
    )


async def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is named, and what to start."""
    monkeypatch.setattr("tasks.train.execution.runners.dask._ANSWERS_S", 1)

    with pytest.raises(TrainingError, match=r"no worker at tcp://127\.0\.0\.1:9 .*start the Dask scheduler"):
        await train(on("tcp://127.0.0.1:9", pipeline(tmp_path, logistic=LOGISTIC)), tmp_path)
