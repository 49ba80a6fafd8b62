"""The train flow, run by Prefect through its process pool."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.train import train
from tasks.errors import StageError, TrainingError
from tasks.progress import Step, listening
from tasks.spec import Pipeline
from tasks.train.model_store import load_model
from tests.train.conftest import LOGISTIC, sklearn_table, training, write_table

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

FOREST = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 20}}
NEIGHBORS = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 5000}}


def pipeline(data: Path, **candidates: Any) -> Pipeline:
    """Return a pipeline on the iris table, which it writes below `data`."""
    write_table(data / "tables" / "rows", sklearn_table("iris"))
    return Pipeline.model_validate(
        {
            "name": "iris",
            "sources": {"rows": {"kind": "files", "path": "inbox/*.csv"}},
            "training": training(
                query="SELECT * EXCLUDE (row) FROM rows ORDER BY row",
                runner=ProcessesRunner(workers=2),
                candidates=candidates,
            ).model_dump(),
        }
    )


async def test_trains_ranks_and_crowns(tmp_path: Path) -> None:
    """The leaderboard and the champion are kept, the champion predicts, and progress is told."""
    steps: list[Step] = []

    with listening(steps.append):
        leaderboard = await train(pipeline(tmp_path, logistic=LOGISTIC, forest=FOREST), tmp_path)

    models = tmp_path / "models" / "iris"
    champion = json.loads((models / "champion.json").read_text())
    assert json.loads((models / "leaderboard.json").read_text()) == leaderboard.as_data()
    assert {step.name for step in steps} == {"dummy", "logistic", "forest"}
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert leaderboard.champion is not None
    assert champion["candidate"] == leaderboard.champion.name
    frame = {f"x{i}": sklearn_table("iris")[f"x{i}"] for i in range(4)}
    model = await asyncio.to_thread(load_model, models / champion["model"])
    assert set(model.predict(pd.DataFrame(frame))) == {0, 1, 2}


async def test_a_second_run_starts_no_process(tmp_path: Path) -> None:
    """What is finished is read back, and no worker is started for it."""
    first = await train(pipeline(tmp_path, logistic=LOGISTIC), tmp_path)
    workers: list[int] = []

    with listening(lambda _: workers.append(len(multiprocessing.active_children()))):
        second = await train(pipeline(tmp_path, logistic=LOGISTIC), tmp_path)

    assert workers == [0, 0]
    assert [result.reused for result in second.results] == [True, True]
    assert [result.metrics for result in second.results] == [result.metrics for result in first.results]


async def test_a_failing_candidate_does_not_stop_the_others(tmp_path: Path) -> None:
    """A candidate that fails is the last line of the leaderboard."""
    leaderboard = await train(pipeline(tmp_path, neighbors=NEIGHBORS, logistic=LOGISTIC), tmp_path)

    assert [result.name for result in leaderboard.results] == ["logistic", "dummy", "neighbors"]
    assert [result.name for result in leaderboard.failed] == ["neighbors"]


async def test_the_stage_fails_when_every_candidate_failed(tmp_path: Path) -> None:
    """A dummy alone is no success."""
    with pytest.raises(StageError, match=r"every candidate failed; correct them.*\n.*n_neighbors = 5000"):
        await train(pipeline(tmp_path, neighbors=NEIGHBORS), tmp_path)


async def test_a_killed_worker_ends_the_stage_with_a_sentence(tmp_path: Path) -> None:
    """A worker killed from outside is told, and does not hang the run."""
    endless = {
        "estimator": "sklearn.neural_network.MLPClassifier",
        "params": {"max_iter": 10**9, "n_iter_no_change": 10**9},
    }

    with listening(_kill_workers), pytest.raises(StageError, match=r"was killed .* before endless ended; .* run again"):
        await train(pipeline(tmp_path, endless=endless), tmp_path)


async def test_a_pipeline_without_training_is_refused(tmp_path: Path) -> None:
    """The flow says what the file lacks."""
    spec = pipeline(tmp_path, logistic=LOGISTIC).model_copy(update={"training": None})

    with pytest.raises(TrainingError, match="'iris' has no training section; add training:"):
        await train(spec, tmp_path)


def _kill_workers(_: Step) -> None:
    """Kill the workers, as the system does for want of memory."""
    for worker in multiprocessing.active_children():
        worker.kill()
