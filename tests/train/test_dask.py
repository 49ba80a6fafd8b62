"""The train flow on a Dask cluster: a scheduler and two workers, as processes of their own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import s3fs

from flows.train import train
from tasks.config import Pipeline
from tasks.core.errors import RunnerError, TrainingError
from tasks.runners.dask import DaskRunner
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.leaderboard_file import read_leaderboard
from tasks.train.registry import list_versions, load_model, read_champion
from tests.clusters import dask_cluster
from tests.processes import descendants, is_fit
from tests.stores import serving_s3
from tests.thorough import takes_minutes
from tests.train.conftest import LOGISTIC, Trained, sklearn_table, training, write_table
from tests.train.own_packages import NEAREST
from tests.train.test_failures import ENDLESS, has_results, have_ended, wait_until
from tests.train.test_flow import FOREST, pipeline

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_RUN = """
import asyncio, sys
from pathlib import Path
from flows.train import train
from tests.train.test_dask import everything
asyncio.run(train(everything(Path(sys.argv[1])), Path(sys.argv[1])))
"""
_INTERRUPTED = """
import asyncio, sys
from pathlib import Path
from flows.train import train
from tests.train.test_dask import endless
asyncio.run(train(endless(Path(sys.argv[1]), sys.argv[2]), Path(sys.argv[1])))
"""
_WITHOUT = """
import sys
sys.modules["prefect_dask"] = None  # as if it were not there: every import of it fails
from tasks.core.errors import RunnerError
from tasks.runners.dask import DaskRunner
from tasks.train.execution.pool import Workers
try:
    Workers(DaskRunner(address="tcp://127.0.0.1:9")).width
except RunnerError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Yield the address of an empty S3 bucket."""
    with serving_s3() as url:
        yield url


@pytest.fixture(scope="module")
def cluster(bucket: str, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a scheduler with two workers of one thread each, which know where bucket and packages are."""
    assert bucket
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(packages))
        with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
            patch.delenv("PYTHONPATH")
            yield started.address


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


def everything(data: Path) -> Pipeline:
    """Return a pipeline that asks for all that a training can be asked for, on a table that it writes below `data`."""
    cancer = sklearn_table("breast_cancer")
    draw = np.random.default_rng(0)
    columns = {f"x{i}": cancer[f"x{i}"][:300] for i in range(3)} | {"y": cancer["y"][:300]}
    columns |= {"w": draw.uniform(0.5, 2, 300), "clinic": draw.integers(40, size=300)}
    write_table(data / "tables" / "rows", columns)
    asked = training(
        query="SELECT * FROM rows",
        weights="w",
        positive=1,
        split={"by": "group", "column": "clinic", "folds": 2, "repeats": 2},
        decision={"cost": {"fp": 1, "fn": 20}},
        coverage=0.8,
        slices=[{"column": "x0", "bins": 2}],
        finalists=3,
        candidates={
            "logistic": {**LOGISTIC, "calibrate": "sigmoid"},
            "boosting": {
                "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
                "params": {"max_iter": 5},
                "early_stopping": {"fraction": 0.2, "rounds": 2},
            },
            "stacked": {"stack": ["logistic", "boosting"]},
        },
        runner={"kind": "processes", "workers": 2},
    )
    sources = {"rows": {"kind": "files", "path": "inbox/*.csv"}}
    return Pipeline.model_validate({"name": "everything", "sources": sources, "training": asked.model_dump()})


def kept(data: Path) -> tuple[object, ...]:
    """Return what a training of everything has left that does not depend on how fast, or where, it came about."""
    models = data / "models" / "everything"
    (version,) = list_versions(models)
    board = read_leaderboard(models / "leaderboard.json")
    assert board is not None
    assert version.assessment is not None
    assert version.assessment.decision is not None
    assert version.assessment.intervals is not None
    assert version.assessment.slices
    return version.name, version.score, version.interval, version.assessment, version.calibration, board.assessment


@takes_minutes("it trains all there is twice")
def test_a_cluster_and_a_run_that_was_killed_come_to_the_same(tmp_path: Path, cluster: str) -> None:
    """To the last digit, and of everything that is asked for: weights, repeats, calibration, ensembles, and what is made of them."""
    there, here = tmp_path / "there", tmp_path / "here"
    on_cluster = asyncio.run(train(on(cluster, everything(there)), there))
    config, models = everything(here), here / "models" / "everything"
    with subprocess.Popen([sys.executable, "-c", _RUN, str(here)], stderr=subprocess.DEVNULL) as run:
        wait_until(partial(has_results, models, 7))
        started = descendants(run.pid)
        run.kill()
    wait_until(partial(have_ended, started))
    assert not (models / "leaderboard.json").exists()
    resumed = asyncio.run(train(config, here))

    assert figures(on_cluster) == figures(resumed)
    assert not on_cluster.failed
    assert kept(there) == kept(here)


def endless(data: Path, address: str) -> Pipeline:
    """Return a pipeline whose fits on a cluster take hours, and may."""
    return on(address, pipeline(data, endless={**ENDLESS, "time_limit_s": 3600}))


@takes_minutes("a signal to a run on this machine is tried, and what ends the fits of its workers")
def test_the_fits_of_a_run_that_is_interrupted_end(tmp_path: Path, cluster: str) -> None:
    """On workers that know nothing of the run but the folder in which it waits."""
    command = [sys.executable, "-c", _INTERRUPTED, str(tmp_path), cluster]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: fits_but_of(run.pid))
        run.send_signal(signal.SIGINT)

    wait_until(lambda: not fits_but_of(run.pid))
    assert not list((tmp_path / "training").rglob(".workers-*"))


def fits_but_of(run: int) -> set[int]:
    """Return the processes of fits below this one, but for those of a run's own."""
    return {pid for pid in descendants(os.getpid()) - descendants(run) if is_fit(pid)}


@pytest.fixture
def data_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder that is another one to every other process, by its working directory."""
    monkeypatch.chdir(tmp_path)
    return Path("/proc/self/cwd/of_this_process")


@takes_minutes("it starts a cluster anew")
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


@takes_minutes("it trains twice on a cluster")
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


@pytest.mark.usefixtures("own_packages")
def test_classes_of_one_s_own_come_to_the_same_on_a_cluster(tmp_path: Path, cluster: str) -> None:
    """An estimator whose package lies where the workers can import it."""
    config = pipeline(tmp_path, own=NEAREST)
    assert config.training is not None
    asked = config.training.model_copy(update={"trusted": ("my_models",)})

    there = asyncio.run(train(on(cluster, config.model_copy(update={"training": asked})), tmp_path))

    own = next(line for line in there.lines if line.name == "own")
    planned = plan_jobs(asked, there.training_set, tmp_path / "here")
    job = next(each for each in planned if each.name == "own")
    assert own.result.fold_scores == tuple(evaluate_fold(job, fold).score for fold in range(5))
    assert own.finalist is not None
    assert own.finalist.score == judge_finalist(job).score


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
        "runner: kind dask needs prefect-dask, which is not installed; pip install 'tidemill[dask]'\n"
    )


async def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is named, and what to start."""
    monkeypatch.setattr("tasks.runners.dask._ANSWERS_S", 1)

    with pytest.raises(RunnerError, match=r"no worker at tcp://127\.0\.0\.1:9 .*start the Dask scheduler"):
        await train(on("tcp://127.0.0.1:9", pipeline(tmp_path, logistic=LOGISTIC)), tmp_path)
