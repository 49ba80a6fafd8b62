"""The metric against the target: whether scikit-learn's own scorer can judge predictions of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names

from tasks.config import Training
from tasks.config.metrics import metrics_without_scorer
from tasks.train.data.training_set import Problem
from tasks.train.data.types import Array

# Scorers that are of one class; others look at all classes alike.
OF_THE_POSITIVE = {
    "average_precision",
    "f1",
    "jaccard",
    "neg_negative_likelihood_ratio",
    "positive_likelihood_ratio",
    "precision",
    "recall",
}
_PROBE_ROWS = 1000


def find_metric_mistakes(training: Training, task: Problem, target: Array, other_task: str) -> Iterator[str]:
    """Yield why the metric cannot judge predictions of the target.

    Args:
        training: The training section.
        task: What the target asks for.
        target: Its values; of two classes 0 and 1, the positive one.
        other_task: The cure where it may be learnt as the other task, else nothing.

    """
    known = [*get_scorer_names(), *metrics_without_scorer()]
    probe, weighted = _probe(target), training.weights is not None
    if training.metric not in known or _fits(training.metric, probe, task, weighted=weighted):
        return
    fitting = ", ".join(name for name in known if _fits(name, probe, task, weighted=weighted))
    if weighted and _fits(training.metric, probe, task):
        yield (
            f"training.metric: {training.metric!r} has no weighted form, and training.weights is {training.weights!r}; "
            f"take weights out, or choose one of {fitting}"
        )
    else:
        yield (
            f"training.metric: {training.metric!r} does not fit the target {training.target!r} ({task}, "
            f"{len(np.unique(target)):,} distinct values); {other_task}choose one of {fitting}"
        )


def _fits(metric: str, target: Array, task: Problem, *, weighted: bool = False) -> bool:
    """Return whether scikit-learn's own scorer can judge a constant prediction of the target, of rows that have weights too."""
    if own := metrics_without_scorer().get(metric):
        return own.task == task and (own.takes_weights or not weighted)
    if metric in _regression_metrics() or _compares_clusters(metric):
        able = task == "regression" and not _compares_clusters(metric)
        return able and _scores(metric, target, task, weighted=weighted)
    return task == "classification" and _scores(metric, target, task, weighted=weighted)


@cache
def _regression_metrics() -> frozenset[str]:
    amounts = np.array([0.5, 1.5, 2.5, 3.25])  # no classifier's metric takes them, and no logarithm fails on them
    return frozenset(name for name in get_scorer_names() if _scores(name, amounts, "regression"))


def _compares_clusters(metric: str) -> bool:
    return ".cluster." in get_scorer(metric)._score_func.__module__  # noqa: SLF001 - public with scikit-learn#31985


def _scores(metric: str, target: Array, task: Problem, *, weighted: bool = False) -> bool:
    dummy: Any = DummyClassifier(strategy="prior") if task == "classification" else DummyRegressor()
    nothing, weights = np.zeros((len(target), 1)), {"sample_weight": np.ones(len(target))} if weighted else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(np.isfinite(get_scorer(metric)(dummy.fit(nothing, target), nothing, target, **weights)))
        except Exception:  # noqa: BLE001 - a scorer refuses in many ways
            return False


def _probe(target: Array) -> Array:
    """Return a small target with every class of the whole one, or a thousand of them, and the least amount."""
    _, firsts = np.unique(target, return_index=True)
    return np.concatenate([target[firsts], target])[:_PROBE_ROWS]
