"""The article's way: models and data handed to multiprocessing.Pool().starmap, one call a model and fold."""

from __future__ import annotations

import multiprocessing

import pandas as pd
from sklearn.pipeline import Pipeline

from tasks.train.data.features import features_of, observe
from tasks.train.data.types import Array
from tasks.train.evaluation.folds import read_rows
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.predictions import Predictions
from tasks.train.models.preprocessing import build_model
from tests.benchmarks.fits import FOLDS, tell

Call = tuple[Pipeline, pd.DataFrame, pd.DataFrame, Array, Array]


def train_model(model: Pipeline, x_train: pd.DataFrame, x_test: pd.DataFrame, y_train: Array, y_test: Array) -> float:
    """Fit one model and return its score, after all metrics that Tidemill computes too."""
    answers = Predictions(model.fit(x_train, y_train), x_test, y_test)
    answers.metrics("classification")
    return answers.score("roc_auc")


def calls_of(jobs: tuple[CandidateJob, ...]) -> list[Call]:
    """Return what is handed over: each model with the rows of each fold."""
    import pyarrow as pa  # noqa: PLC0415 - for this line

    schema = pa.ipc.open_file(str(jobs[0].training_set.path)).schema
    sides = [jobs[0].split.sides(fold) for fold in range(FOLDS)]
    data = [(*read_rows(jobs[0], train)[:2], *read_rows(jobs[0], test)[:2]) for train, test in sides]
    features = observe(features_of(jobs[0].training, schema), data[0][0])
    return [
        (build_model(job.single, features, job.training.seed), x, x_test, y, y_test)
        for job in jobs
        for x, y, x_test, y_test in data
    ]


def by_candidate(jobs: tuple[CandidateJob, ...], scores: list[float]) -> dict[str, list[float]]:
    """Return the scores of the folds by candidate."""
    return {job.name: scores[number * FOLDS : (number + 1) * FOLDS] for number, job in enumerate(jobs)}


def in_pool(jobs: tuple[CandidateJob, ...]) -> dict[str, list[float]]:
    """Do the work as the article does."""
    with multiprocessing.Pool() as pool:
        return by_candidate(jobs, pool.starmap(train_model, calls_of(jobs)))


if __name__ == "__main__":
    tell(in_pool)
