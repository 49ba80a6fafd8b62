"""The train flow, run by Prefect through its process pool."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.train import train
from tasks.config import Pipeline
from tasks.core.errors import StageError, TrainingError
from tasks.core.locks import exclusive_lock
from tasks.core.progress import subscribed
from tasks.core.storage import DataFolder
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.leaderboard_file import read_leaderboard
from tasks.train.registry import load_model
from tests.train.conftest import LOGISTIC, Trained, sklearn_table, training, write_table

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

FOREST = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 20}}
NEIGHBORS = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 5000}}


def pipeline(data: Path, workers: int | None = 2, **candidates: Any) -> Pipeline:
    """Return a pipeline on the iris table, which it writes below `data`; without `workers`, the runner is not declared."""
    write_table(data / "tables" / "rows", sklearn_table("iris"))
    query = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
    runner = {} if workers is None else {"runner": {"kind": "processes", "workers": workers}}
    section = training(query=query, candidates=candidates, **runner)
    sources = {"rows": {"kind": "files", "path": "inbox/*.csv"}}
    return Pipeline.model_validate({"name": "iris", "sources": sources, "training": section.model_dump()})


def names(leaderboard: Leaderboard) -> list[str]:
    """Return the candidates, the best first."""
    return [line.name for line in leaderboard.lines]


def test_trains_ranks_and_crowns(trained: Trained) -> None:
    """The leaderboard and the champion are kept, the champion predicts, and progress is told."""
    leaderboard, models = trained.leaderboard, trained.data / "models" / "iris"

    champion = json.loads((models / "champion.json").read_text())
    kept = read_leaderboard(models / "leaderboard.json")
    assert kept is not None
    assert kept.assessment is not None
    assert replace(kept, assessment=None) == leaderboard.kept
    assert "correlated_features" in [finding["id"] for finding in kept.assessment["findings"]]
    assert {step.name for step in trained.steps} == {"dummy", "logistic", "forest"}
    assert [(step.done, step.total) for step in trained.steps] == [(1, 3), (2, 3), (3, 3)] * 2
    assert leaderboard.best is not None
    assert champion["candidate"] == leaderboard.best.name
    assert leaderboard.best.finalist is not None
    assert set(leaderboard.best.finalist.importances) == {f"x{i}" for i in range(4)}
    assert [rows for rows, _, _ in leaderboard.best.finalist.learning_curve] == [12, 24, 48, 96]
    frame = {f"x{i}": sklearn_table("iris")[f"x{i}"] for i in range(4)}
    model = load_model(models / champion["model"])
    assert set(model.predict(pd.DataFrame(frame))) == {0, 1, 2}


def test_short_work_starts_no_workers_and_comes_to_the_same(tmp_path: Path, trained: Trained) -> None:
    """Fits that end before workers have started are waited for by threads, and their results are those of workers."""
    config = pipeline(tmp_path, workers=None, logistic=LOGISTIC, forest=FOREST)
    workers: list[int] = []

    with subscribed(lambda _: workers.append(len(multiprocessing.active_children()))):
        short = asyncio.run(train(config, tmp_path))

    assert workers == [0] * 6
    assert [(line.name, line.result.fold_scores) for line in short.lines] == [
        (line.name, line.result.fold_scores) for line in trained.leaderboard.lines
    ]
    assert [line.finalist and line.finalist.score for line in short.lines] == [
        line.finalist and line.finalist.score for line in trained.leaderboard.lines
    ]


def test_a_second_run_starts_no_process(tmp_path: Path, trained: Trained) -> None:
    """What is finished is read back, and no worker is started for it."""
    data = tmp_path / "again"
    shutil.copytree(trained.data, data)
    config = pipeline(tmp_path, logistic=LOGISTIC, forest=FOREST)
    workers: list[int] = []

    with subscribed(lambda _: workers.append(len(multiprocessing.active_children()))):
        second = asyncio.run(train(config, data))

    assert workers == [0] * 3
    assert [line.result.reused for line in second.lines] == [True] * 3
    assert [line.result.metrics for line in second.lines] == [line.result.metrics for line in trained.leaderboard.lines]


async def test_the_stage_fails_when_every_candidate_failed(tmp_path: Path) -> None:
    """A dummy alone is no success."""
    with pytest.raises(StageError, match=r"every candidate failed; correct them.*\n.*n_neighbors = 5000"):
        await train(pipeline(tmp_path, None, neighbors=NEIGHBORS), tmp_path)


async def test_a_damaged_champion_ends_the_stage_before_the_fits(tmp_path: Path) -> None:
    """Nothing is fitted for a version that could not take its place."""
    models = tmp_path / "models" / "iris"
    models.mkdir(parents=True)
    await asyncio.to_thread((models / "champion.json").write_text, "{")

    with pytest.raises(TrainingError, match=r"iris/champion.json: is damaged \(Input data was truncated\); remove it"):
        await train(pipeline(tmp_path, logistic=LOGISTIC), tmp_path)

    assert [path.name for path in models.iterdir()] == ["champion.json"]


async def test_two_runs_of_a_pipeline_do_not_train_at_once(tmp_path: Path) -> None:
    """The second would replace the rows that the fits of the first read."""
    async with exclusive_lock(DataFolder.at(tmp_path).training("iris"), TrainingError("not this one")):
        with pytest.raises(TrainingError, match=r"another run is training 'iris' in .*; wait until it has ended"):
            await train(pipeline(tmp_path, logistic=LOGISTIC), tmp_path)


async def test_a_pipeline_without_training_is_refused(tmp_path: Path) -> None:
    """The flow says what the file lacks."""
    config = pipeline(tmp_path, logistic=LOGISTIC).model_copy(update={"training": None})

    with pytest.raises(TrainingError, match="'iris' has no training section; add training:"):
        await train(config, tmp_path)
