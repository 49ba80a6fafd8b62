"""Fit a finalist on all rows that train, judge it once on the hold-out, and look into it; runs in a process that may be killed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from tasks.config import TimeSplit
from tasks.core.errors import TrainingError
from tasks.train.data.types import Array
from tasks.train.evaluation.calibration import compare_calibration, uncalibrated
from tasks.train.evaluation.fit import chosen_params
from tasks.train.evaluation.folds import Attempt, attempted, fit_rows, read_rows
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.members import combination_of, combine_models, read_fitted
from tasks.train.evaluation.output_file import keep_output
from tasks.train.evaluation.predictions import Answers, Predictions
from tasks.train.evaluation.results import (
    CURVE_FOLDS,
    HOLDOUT_FILE,
    MODEL_FILE,
    SHARES,
    Calibration,
    CurvePoint,
    HoldoutResult,
    Refit,
    kept_part,
)
from tasks.train.evaluation.statistics import Bootstrap, bootstrap_interval, held_out_bootstrap
from tasks.train.models.ensembles import members_of
from tasks.train.models.model_file import load_model, save_model

IMPORTANCE_ROWS = 2_000  # more show the same order of features
IMPORTANCE_REPEATS = 5


def judge_finalist(job: CandidateJob) -> HoldoutResult:
    """Return the scores of the hold-out, after its predictions and the model are committed in the job's folder."""
    result = HoldoutResult(job.fingerprint)
    with attempted(job) as attempt:
        test = job.split.sides().test
        model = _fit(job, attempt)
        predictions = Predictions(model, *read_rows(job, test), job.training_set.positive)
        score = predictions.score(job.training.metric)
        types = save_model(model, job.folder / MODEL_FILE, job.training.trusted)
        if types:
            predictions.prove_saving(job.training.trusted)
        keep_output(job.folder / HOLDOUT_FILE, predictions.output, test)
        interval = _interval(job, predictions)
        result = replace(
            result,
            score=score,
            interval=interval,
            metrics=predictions.metrics(job.training_set.task),
            params=_chosen(job, model),
            calibration=_calibration(job, model, predictions, test),
            types=types,
            combination=combination_of(job, model) if job.members else None,
        )
    return replace(result, fit_s=attempt.fit_s, warnings=attempt.warnings, error=attempt.error)


def refit_member(job: CandidateJob) -> Refit:
    """Fit a member of an ensemble on all rows that train, and commit its model in the job's folder."""
    with attempted(job) as attempt:
        save_model(fit_rows(job, job.split.sides().train, attempt), job.folder / MODEL_FILE, job.training.trusted)
    return Refit(job.fingerprint, fit_s=attempt.fit_s, warnings=attempt.warnings, error=attempt.error)


def _fit(job: CandidateJob, attempt: Attempt) -> Pipeline:
    """Return a finalist fitted on all rows that train; what was fitted as a member of an ensemble is not fitted again."""
    if job.members:
        model, attempt.fit_s = combine_models(job)
        return model
    refit = kept_part(job, Refit)
    if refit is None:
        return fit_rows(job, job.split.sides().train, attempt)
    attempt.fit_s = refit.fit_s
    return read_fitted(job)


def _chosen(job: CandidateJob, model: Pipeline) -> dict[str, Any]:
    """Return what a search chose; of an ensemble, by member."""
    if not job.members:
        return chosen_params(model, job.single)
    fitted = members_of(model)
    chosen = {member.name: chosen_params(fitted[member.name], member.single) for member in job.members}
    return {f"{name}.{key}": value for name, params in chosen.items() for key, value in params.items()}


def measure_importances(job: CandidateJob, types: Collection[str] = ()) -> dict[str, tuple[float, float]]:
    """Return by feature how much the score on the hold-out drops where the feature is shuffled, and its deviation.

    `types` are those of the user's own that the model was saved with.

    Raises:
        TrainingError: the metric is not defined on the rows that they are measured on, as of one class alone.

    """
    _, test = job.split.sides()
    if len(test) > IMPORTANCE_ROWS:
        test = np.sort(np.random.default_rng(job.training.seed).choice(test, IMPORTANCE_ROWS, replace=False))
    frame, truth, weight = read_rows(job, test)
    model = load_model(job.folder / MODEL_FILE, types, job.training.trusted)
    metric, positive = job.training.metric, job.training_set.positive
    plain = Predictions(model, frame, truth, weight, positive).figure(metric)
    orders = _draw_orders(job.training.seed, len(frame))
    drops = {}
    for name in frame.columns:
        answers = Answers(model, _shuffle(frame, name, orders))
        parts = (answers.taken(slice(place * len(frame), (place + 1) * len(frame))) for place in range(len(orders)))
        drops[name] = [plain - Predictions(part, None, truth, weight, positive).figure(metric) for part in parts]
    if not np.isfinite([*drops.values()]).all():
        raise TrainingError(
            f"{job.training.metric} is not defined on the {len(test):,} held-out rows that they are measured on; "
            "hold out more rows of each class, or choose another metric"
        )
    return {str(name): (float(np.mean(found)), float(np.std(found))) for name, found in drops.items()}


def _draw_orders(seed: int, rows: int) -> list[Array]:
    """Return the orders in which scikit-learn's `permutation_importance` shuffles a feature, the same for each."""
    generator = np.random.RandomState(np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1))
    order, drawn = np.arange(rows), [np.arange(rows)]
    for _ in range(IMPORTANCE_REPEATS):
        generator.shuffle(order)
        drawn.append(drawn[-1][order])  # what is shuffled was shuffled before
    return drawn[1:]


def _shuffle(frame: pd.DataFrame, name: str, orders: Sequence[Array]) -> pd.DataFrame:
    """Return the rows once for each order, one feature of them in it: a model is asked of all at once, which takes half the time."""
    batch = frame.iloc[np.tile(np.arange(len(frame)), len(orders))].reset_index(drop=True)
    return batch.assign(**{name: frame[name].iloc[np.concatenate(orders)].reset_index(drop=True)})


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


def _calibration(job: CandidateJob, model: Pipeline, predictions: Predictions, rows: Array) -> Calibration | None:
    """Return what correcting a candidate's probabilities made of it, where it has any to correct."""
    method = None if job.members else job.single.calibrate
    beneath = uncalibrated(model) if method is not None else None
    if beneath is None or method is None:
        return None
    before = Predictions(beneath, *read_rows(job, rows), job.training_set.positive).output
    if before.probability is None:  # an estimator that gives areas alone, of which the correction makes probabilities
        return None
    return compare_calibration(method, before, predictions.output, _bootstrap(job, predictions))


def _bootstrap(job: CandidateJob, predictions: Predictions) -> Bootstrap:
    classes = job.training_set.task == "classification"
    return held_out_bootstrap(predictions.truth, job.training.seed, classes=classes, groups=job.split.held_out_units())


def _interval(job: CandidateJob, predictions: Predictions) -> tuple[float, float] | None:
    """Return the interval of the score, or None where no draw of the held-out rows defines the metric."""
    bootstrap = _bootstrap(job, predictions)
    low, high = bootstrap_interval(predictions.scoring(job.training.metric), bootstrap)
    return (low, high) if math.isfinite(low) else None
