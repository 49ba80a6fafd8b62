"""Tables, trainings and training sets for the tests of the train stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from tasks.config import Training
from tasks.core.progress import ProgressEvent, subscribed
from tasks.train.checks.rows import warn_of_rows
from tasks.train.checks.target import Target, check_target
from tasks.train.checks.training_set import write_training_set
from tasks.train.data.split import split_rows
from tasks.train.data.split_file import Sides
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.job import CandidateJob, plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard
from tasks.train.evaluation.results import CandidateResult, combine_folds
from tests.train.own_packages import installed

SKLEARN_SETS: dict[str, Any] = {
    "breast_cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
    "iris": load_iris,
    "wine": load_wine,
}
LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 1000}}


def training(**changes: Any) -> Training:
    """Return a training of one logistic candidate on the table `rows`."""
    plain = {"query": "SELECT * FROM rows", "target": "y", "candidates": {"logistic": LOGISTIC}}
    return Training.model_validate(plain | changes)


def write_table(folder: Path, columns: Mapping[str, Any]) -> Path:
    """Write one Parquet part and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), folder / "part-0.parquet")
    return folder


def sklearn_table(name: str) -> dict[str, Any]:
    """Return a data set of scikit-learn as columns x0, x1, ..., y and its row number."""
    bunch = SKLEARN_SETS[name]()
    columns = {f"x{i}": bunch.data[:, i] for i in range(bunch.data.shape[1])}
    return {"row": range(len(bunch.target)), **columns, "y": bunch.target}


@dataclass(frozen=True)
class Checked:
    """What is predicted of a training set's rows, and what is doubtful about them."""

    target: Target
    warnings: tuple[str, ...]


def check_rows(asked: Training, table: pa.Table) -> Checked:
    """Check rows as a training set of them is checked when it has just been built."""
    target = check_target(asked, table)
    rows = split_rows(asked, table, target.task)
    return Checked(target, warn_of_rows(asked, table, target, Sides(rows.train, rows.test)))


@dataclass(frozen=True)
class Trained:
    """A run of the train flow that has ended: its data folder, its leaderboard and the steps that it told."""

    data: Path
    leaderboard: Leaderboard
    steps: tuple[ProgressEvent, ...]


@pytest.fixture(scope="session")
def trained(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return one run of a logistic regression and a forest on two workers, which several tests look at."""
    from flows.train import train  # noqa: PLC0415 - imports Prefect only where flows run
    from tests.train.test_flow import FOREST, pipeline  # noqa: PLC0415 - the same

    assert prefect_server
    data, steps = tmp_path_factory.mktemp("trained"), list[ProgressEvent]()
    with subscribed(steps.append):
        leaderboard = asyncio.run(train(pipeline(data, logistic=LOGISTIC, forest=FOREST), data))
    return Trained(data, leaderboard, tuple(steps))


Build = Callable[..., TrainingSet]
Evaluate = Callable[..., dict[str, CandidateResult]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that builds the training set of columns."""

    def _build(columns: Mapping[str, Any], **changes: Any) -> TrainingSet:
        tables = {"rows": write_table(tmp_path / "tables" / "rows", columns)}
        return write_training_set(training(**changes), tables, tmp_path / "training")

    return _build


@pytest.fixture
def jobs(build: Build, tmp_path: Path) -> Callable[..., dict[str, CandidateJob]]:
    """Return a function that plans the jobs of columns, by name."""

    def _jobs(columns: Mapping[str, Any], **changes: Any) -> dict[str, CandidateJob]:
        planned = plan_jobs(training(**changes), build(columns, **changes), tmp_path / "models")
        return {job.name: job for job in planned}

    return _jobs


def evaluate_job(job: CandidateJob) -> CandidateResult:
    """Return the result of a candidate on all of its folds, in this process."""
    return combine_folds(job, [evaluate_fold(job, fold) for fold in range(len(job.split.folds))])


@pytest.fixture
def evaluate(jobs: Callable[..., dict[str, CandidateJob]]) -> Evaluate:
    """Return a function that evaluates every candidate of columns, by name."""

    def _evaluate(columns: Mapping[str, Any], **changes: Any) -> dict[str, CandidateResult]:
        return {name: evaluate_job(job) for name, job in jobs(columns, **changes).items()}

    return _evaluate


def mixed_table(rows: int = 400, categories: int = 300) -> dict[str, Any]:
    """Return numbers, truths, texts and times with nulls; the last rows hold a category unseen before."""
    numbers = [None if i % 11 == 0 else float(i % 17) for i in range(rows)]
    texts = [None if i % 13 == 0 else "unseen" if i >= rows - 50 else f"c{i % categories}" for i in range(rows)]
    return {
        "hour": pd.date_range("2013-01-01", periods=rows, freq="h"),
        "number": numbers,
        "truth": [None if i % 7 == 0 else i % 2 == 0 for i in range(rows)],
        "word": texts,
        "nothing": pa.nulls(rows, pa.float64()),
        "seen": pd.date_range("2012-01-01", periods=rows, freq="D"),
        "y": [i % 17 > 8 for i in range(rows)],
    }


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of packages of one's own, one for all tests: to look for distributions on another path takes long."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def own_packages(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the packages of one's own there."""
    with installed(packages, monkeypatch):
        yield
