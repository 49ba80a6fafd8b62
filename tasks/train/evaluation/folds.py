"""Fit a candidate on the rows of a fold and score it on the others; runs in a process that may be killed."""

from __future__ import annotations

import gc
import random
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from tasks.core.errors import TrainingError
from tasks.train.data.features import features_of, read_frame, read_target, read_weights
from tasks.train.data.split import read_unit
from tasks.train.data.split_file import mapped_table
from tasks.train.data.types import Array
from tasks.train.evaluation.fit import fit_model
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.members import combine_fold
from tasks.train.evaluation.output_file import keep_output
from tasks.train.evaluation.predictions import Predictions
from tasks.train.evaluation.results import MAX_WARNINGS, FoldResult, fold_file
from tasks.train.models.estimators import is_own

_MOST_WRITTEN = 200  # characters of what a fit writes


@dataclass
class Attempt:
    """One try at a fit: the seconds it took, and what was warned of and raised meanwhile."""

    job: CandidateJob
    fit_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None


def evaluate_fold(job: CandidateJob, fold: int) -> FoldResult:
    """Return the scores of one fold; a candidate that fails in any way returns `error`, one sentence."""
    result = FoldResult(fold, job.fingerprint)
    with attempted(job) as attempt:
        if job.members:
            predictions, test, attempt.fit_s = combine_fold(job, fold)
        else:
            train, test = job.split.sides(fold)
            model = fit_rows(job, train, attempt)
            predictions = Predictions(model, *read_rows(job, test), job.training_set.positive)
        score = predictions.score(job.training.metric)
        if is_own(job.final.estimator) if job.final else job.own_packages and fold == 0:  # before it may win
            predictions.prove_saving(job.training.trusted)
        result = replace(result, score=score, metrics=predictions.metrics(job.training_set.task))
        keep_output(job.folder / fold_file(fold), predictions.output, test)
    return replace(result, fit_s=attempt.fit_s, warnings=attempt.warnings, error=attempt.error)


def evaluate_folds(job: CandidateJob, folds: Sequence[int]) -> Iterator[FoldResult]:
    """Yield the scores of some folds, each as if it came alone; after a failed one no other is tried."""
    for fold in folds:
        gc.collect()  # what the fold before has left
        result = evaluate_fold(job, fold)
        yield result
        if result.error is not None:
            return


def rehearse() -> None:
    """Fit and score four rows, so that what libraries import late is there before the first fork: 40 ms of each."""
    frame, truth = pd.DataFrame({"x": np.arange(4.0)}), np.array([0, 1, 0, 1])
    columns = ColumnTransformer([("numbers", "passthrough", ["x"])])
    model = Pipeline([("columns", columns), ("estimator", DummyClassifier())]).fit(frame, truth)
    Predictions(model, frame, truth).metrics("classification")
    pa.array(truth).to_pandas()


@contextmanager
def attempted(job: CandidateJob) -> Iterator[Attempt]:
    """Keep what the block warns of and raises; whatever asks joblib for processes or threads gets none."""
    attempt = Attempt(job)
    random.seed(job.training.seed)  # for what takes no random_state: the same whichever folds came before
    np.random.seed(job.training.seed)  # noqa: NPY002 - the same
    written = StringIO()
    with warnings.catch_warnings(record=True) as caught, joblib.parallel_config("sequential"), redirect_stdout(written):
        warnings.simplefilter("always")
        try:
            yield attempt
        except Exception as error:  # noqa: BLE001 - estimators raise anything; one failing must not end the others
            attempt.error = explain(job, error)
    attempt.warnings = _messages_of(caught)
    if said := " ".join(written.getvalue().split()):
        attempt.warnings = (*attempt.warnings, f"it writes to standard output: {said[:_MOST_WRITTEN]}")[:MAX_WARNINGS]


def read_rows(job: CandidateJob, rows: Array) -> tuple[pd.DataFrame, Array, Array | None]:
    """Return features, target and, where there are any, weights of the chosen rows, in their order; of the mapped file no others are copied."""
    with mapped_table(job.training_set.path) as table:
        features = features_of(job.training, table.schema)
        target = read_target(table.select([job.training.target]).take(rows).column(0), job.training_set.task)
        return read_frame(table, features, rows), target, read_weights(job.training, table, rows)


def fit_rows(job: CandidateJob, rows: Array, attempt: Attempt) -> Pipeline:
    """Return the candidate's pipeline, fitted on the chosen rows."""
    frame, target, weight = read_rows(job, rows)
    with mapped_table(job.training_set.path) as table:
        features = features_of(job.training, table.schema)
        unit = read_unit(job.training.split, table) if _folds_within(job) else None
    start = time.perf_counter()
    taken = None if unit is None else unit[rows]
    model = fit_model(job.training, job.single, features, frame, target, taken, job.training_set.positive, weight)
    attempt.fit_s = round(time.perf_counter() - start, 3)
    return model


def _folds_within(job: CandidateJob) -> bool:
    """Return whether a fit cuts its own rows again, in the way of the split."""
    candidate = job.single
    return any(each is not None for each in (candidate.search, candidate.calibrate, candidate.early_stopping))


def explain(job: CandidateJob, error: Exception | str) -> str:
    """Return the sentence that tells why a candidate has no score."""
    told = " ".join(str(error).split()).rstrip(".") or "no reason given"
    kind = "" if isinstance(error, TrainingError | str) else f"{type(error).__name__}: "
    return f"training.candidates.{job.name}: {kind}{told[:300]}; correct the candidate or remove it"


def _messages_of(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return each distinct warning once, on one line."""
    told = (f"{warning.category.__name__}: {' '.join(str(warning.message).split())}"[:300] for warning in caught)
    return tuple(dict.fromkeys(told))[:MAX_WARNINGS]
