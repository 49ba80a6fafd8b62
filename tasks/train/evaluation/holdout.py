"""Fit a finalist on all rows that train, judge it once on the hold-out, and look into it; runs in a process that may be killed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.inspection import permutation_importance

from tasks.config import TimeSplit
from tasks.core.errors import TrainingError
from tasks.core.storage import commit
from tasks.train.data.types import Array
from tasks.train.evaluation.fit import chosen_params
from tasks.train.evaluation.folds import Attempt, attempted, fit_rows, read_rows
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.predictions import Predictions, scoring_of
from tasks.train.evaluation.results import (
    CURVE_FOLDS,
    HOLDOUT_FILE,
    MODEL_FILE,
    PROBABILITY,
    RANKING,
    SHARES,
    CurvePoint,
    HoldoutResult,
)
from tasks.train.evaluation.statistics import Bootstrap, bootstrap_interval
from tasks.train.models.model_file import load_model, save_model

DRAWS = 1000
_DRAWN_ROWS = 4_000_000  # over all draws: a scorer takes a second for them, and more rows need fewer draws
_FEWEST_DRAWS = 200
IMPORTANCE_ROWS = 2_000  # more show the same order of features
IMPORTANCE_REPEATS = 5


def judge_finalist(job: CandidateJob) -> HoldoutResult:
    """Return the scores of the hold-out, after its predictions and the model are committed in the job's folder."""
    result = HoldoutResult(job.fingerprint)
    with attempted(job) as attempt:
        train, test = job.split.sides()
        model = fit_rows(job, train, attempt)
        predictions = Predictions(model, *read_rows(job, test), job.training_set.positive)
        score = predictions.score(job.training.metric)
        save_model(model, job.folder / MODEL_FILE)
        _keep_holdout(job, predictions, test)
        interval = _interval(job, predictions)
        metrics = predictions.metrics(job.training_set.task)
        result = replace(
            result, score=score, interval=interval, metrics=metrics, params=chosen_params(model, job.candidate)
        )
    return replace(result, fit_s=attempt.fit_s, warnings=attempt.warnings, error=attempt.error)


def measure_importances(job: CandidateJob) -> dict[str, tuple[float, float]]:
    """Return by feature how much the score on the hold-out drops where the feature is shuffled, and its deviation.

    Raises:
        TrainingError: the metric is not defined on the rows that they are measured on, as of one class alone.

    """
    _, test = job.split.sides()
    if len(test) > IMPORTANCE_ROWS:
        test = np.sort(np.random.default_rng(job.training.seed).choice(test, IMPORTANCE_ROWS, replace=False))
    frame, truth = read_rows(job, test)
    found = permutation_importance(
        load_model(job.folder / MODEL_FILE),
        frame,
        truth,
        scoring=scoring_of(job.training.metric, job.training_set.positive),
        n_repeats=IMPORTANCE_REPEATS,
        random_state=job.training.seed,
    )
    if not np.isfinite(found.importances).all():
        raise TrainingError(
            f"{job.training.metric} is not defined on the {len(test):,} held-out rows that they are measured on; "
            "hold out more rows of each class, or choose another metric"
        )
    drops = zip(frame.columns, found.importances_mean, found.importances_std, strict=True)
    return {str(name): (float(mean), float(deviation)) for name, mean, deviation in drops}


def measure_share(job: CandidateJob, share: int) -> CurvePoint:
    """Return what the candidate scores after learning from a share of each fold's rows."""
    point = CurvePoint(share, job.fingerprint)
    with attempted(job) as attempt:
        figures = [_learn(job, SHARES[share], fold, attempt) for fold in range(len(job.split.folds))[-CURVE_FOLDS:]]
        rows, train_score, score = (float(value) for value in np.mean(figures, axis=0))
        point = replace(point, rows=round(rows), train_score=train_score, score=score)
    return replace(point, error=attempt.error)


def _learn(job: CandidateJob, share: float, fold: int, attempt: Attempt) -> tuple[float, float, float]:
    train, test = job.split.sides(fold)
    wanted = math.ceil(len(train) * share)
    if isinstance(job.training.split, TimeSplit):
        chosen = train[-wanted:]  # as it would have been, had the records begun later
    else:
        chosen = train[np.sort(np.random.default_rng(job.training.seed).permutation(len(train))[:wanted])]
    model = fit_rows(job, chosen, attempt)
    metric, positive = job.training.metric, job.training_set.positive
    seen, unseen = (Predictions(model, *read_rows(job, side), positive).score(metric) for side in (chosen, test))
    return wanted, seen, unseen


def _interval(job: CandidateJob, predictions: Predictions) -> tuple[float, float] | None:
    """Return the interval of the score, or None where no draw of the held-out rows defines the metric."""
    rows, groups = len(predictions.truth), job.split.held_out_units()
    bootstrap = Bootstrap(
        rows,
        job.training.seed,
        draws=max(_FEWEST_DRAWS, min(DRAWS, _DRAWN_ROWS // rows)),
        strata=predictions.truth if job.training_set.task == "classification" else None,
        groups=groups,
    )
    low, high = bootstrap_interval(predictions.scoring(job.training.metric), bootstrap)
    return (low, high) if math.isfinite(low) else None


def holdout_table(output: ModelOutput, rows: Array) -> pa.Table:
    """Return what a model said of the held-out rows: prediction, and `probability_` and `ranking_` by class."""
    columns: dict[str, Any] = {
        "row": pa.array(rows, pa.int64()),
        "truth": output.truth,
        "prediction": output.prediction,
    }
    if output.classes is None:
        return pa.table(columns)
    if output.probability is not None:
        columns |= {f"{PROBABILITY}{c}": output.probability[:, i] for i, c in enumerate(output.classes)}
    if output.ranking is not None:
        of_each = output.ranking.ndim > 1
        ranked = output.classes if of_each else output.classes[1:]
        columns |= {f"{RANKING}{c}": output.ranking[:, i] if of_each else output.ranking for i, c in enumerate(ranked)}
    return pa.table(columns)


def _keep_holdout(job: CandidateJob, predictions: Predictions, rows: Array) -> None:
    """Commit what the model says of the held-out rows."""
    table = holdout_table(predictions.output, rows)
    with commit(job.folder / HOLDOUT_FILE) as part, pa.ipc.new_file(str(part), table.schema) as file:
        file.write_table(table)
