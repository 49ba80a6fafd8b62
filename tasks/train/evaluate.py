"""Fit one candidate and judge it on the held-out rows; runs in a worker process."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from tasks.errors import TrainingError
from tasks.train.features import Array, Features, features_of, read_frame, read_target
from tasks.train.jobs import CandidateJob
from tasks.train.model_store import save_model
from tasks.train.preprocessing import build_model
from tasks.train.results import MODEL_FILE, CandidateResult, finished_result, keep_result
from tasks.train.split import split_rows
from tasks.train.training_set import Task

# Shown beside the ranking metric, under the usual name: (scorer, sign that undoes scikit-learn's negation).
SIDE_METRICS: dict[Task, dict[str, tuple[str, int]]] = {
    "classification": {
        "accuracy": ("accuracy", 1),
        "balanced_accuracy": ("balanced_accuracy", 1),
        "log_loss": ("neg_log_loss", -1),
        "roc_auc": ("roc_auc_ovr", 1),
    },
    "regression": {
        "rmse": ("neg_root_mean_squared_error", -1),
        "mae": ("neg_mean_absolute_error", -1),
        "r2": ("r2", 1),
    },
}
PROBABILITY_SCORERS = frozenset({"neg_log_loss", "roc_auc_ovr"})
MAX_WARNINGS = 5  # a solver may warn once an iteration


def evaluate_candidate(job: CandidateJob, *, fresh: bool = False) -> CandidateResult:
    """Return the result of a candidate, fitting it unless it is finished already.

    The model and then the metrics are committed in the job's folder. A
    candidate that fails in any way returns a result with `error`, one
    sentence, so that the others go on; it is tried again by the next run.
    """
    if not fresh and (finished := finished_result(job)):
        return finished
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(limits=1):
        warnings.simplefilter("always")
        try:
            fitted = _fit_and_score(job)
        except Exception as error:  # noqa: BLE001 - estimators raise anything; one failing must not end the others
            return CandidateResult(job.name, job.fingerprint, error=_explain(job, error), warnings=_told(caught))
    result = replace(fitted, warnings=_told(caught))
    keep_result(job, result)
    return result


def _fit_and_score(job: CandidateJob) -> CandidateResult:
    features, frame, target, train, test = _read_rows(job)
    model = build_model(job.candidate, _observed(features, frame.iloc[train]), job.training.seed)
    start = time.perf_counter()
    model.fit(frame.iloc[train], target[train])
    fit_s = time.perf_counter() - start
    score, metrics = _score(job, model, frame.iloc[test], target[test])
    save_model(model, job.folder / MODEL_FILE)
    return CandidateResult(
        name=job.name,
        fingerprint=job.fingerprint,
        score=score,
        metrics=metrics,
        fit_s=round(fit_s, 3),
        model=f"{job.folder.name}/{MODEL_FILE}",
    )


def _read_rows(job: CandidateJob) -> tuple[Features, pd.DataFrame, Array, Array, Array]:
    """Return the features, their frame, the target, and the positions that train and test."""
    with pa.memory_map(str(job.training_set.path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        features = features_of(job.training, table.schema)
        frame = read_frame(table, features)
        target = read_target(table.column(job.training.target), job.training_set.task)
        rows = split_rows(job.training, table, job.training_set.task)
        return features, frame, target, rows.train, rows.test


def _observed(features: Features, frame: pd.DataFrame) -> Features:
    """Return the features without the numbers that are null in every row that trains; histogram boosting fails on them."""
    empty = [name for name in features.numeric if frame[name].isna().all()]
    if empty:
        warnings.warn(f"null in all {len(frame)} rows that train, so left out: {', '.join(empty)}", stacklevel=2)
    return replace(features, numeric=tuple(name for name in features.numeric if name not in empty))


def _score(job: CandidateJob, model: Pipeline, frame: pd.DataFrame, target: Array) -> tuple[float, dict[str, float]]:
    """Return the ranking score and the side metrics that this model can be judged by."""
    side = SIDE_METRICS[job.training_set.task]
    if job.training_set.task == "classification" and len(model.classes_) == 2:  # noqa: PLR2004 - two classes are binary
        side = {**side, "roc_auc": ("roc_auc", 1)}
    if not hasattr(model, "predict_proba"):  # an SVC, say: scikit-learn would refuse all metrics together
        side = {name: metric for name, metric in side.items() if metric[0] not in PROBABILITY_SCORERS}
    names = sorted({job.training.metric, *(scorer for scorer, _ in side.values())})
    # raise_exc=False: a metric that cannot be had is the text of its error; predictions are made once for all.
    scores = check_scoring(model, scoring=names, raise_exc=False)(model, frame, target)
    ranking = scores[job.training.metric]
    if isinstance(ranking, str) or not np.isfinite(ranking):
        why = ranking.strip().splitlines()[-1] if isinstance(ranking, str) else f"it is {ranking}"
        raise TrainingError(f"the metric {job.training.metric} cannot be had: {why}")
    metrics = {name: sign * scores[scorer] for name, (scorer, sign) in side.items() if _is_figure(scores[scorer])}
    return float(ranking), {name: float(value) for name, value in metrics.items()}


def _is_figure(score: Any) -> bool:
    return not isinstance(score, str) and bool(np.isfinite(score))


def _explain(job: CandidateJob, error: Exception) -> str:
    told = " ".join(str(error).split()).rstrip(".") or "no reason given"
    kind = "" if isinstance(error, TrainingError) else f"{type(error).__name__}: "
    return f"training.candidates.{job.name}: {kind}{told[:300]}; correct the candidate or remove it"


def _told(caught: Sequence[warnings.WarningMessage]) -> tuple[str, ...]:
    """Return each distinct warning once, on one line."""
    told = (f"{warning.category.__name__}: {' '.join(str(warning.message).split())}"[:300] for warning in caught)
    return tuple(dict.fromkeys(told))[:MAX_WARNINGS]
