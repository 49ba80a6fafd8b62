"""Common metrics of many draws of the same rows, without scikit-learn's checks of each: the bootstrap's inner loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.train.arrays import Array
from tasks.train.metrics import Said
from tasks.train.statistics import Score

_TWO = 2
_ERRORS: dict[str, Callable[[Array, Array], Array]] = {
    "neg_mean_absolute_error": lambda truth, said: -np.abs(truth - said),
    "neg_mean_squared_error": lambda truth, said: -np.square(truth - said),
}


def quick_scoring(metric: str, said: Said) -> Score | None:
    """Return what scores positions as scikit-learn's scorer does, to the last digits, or None for other metrics.

    A scorer takes a millisecond or more for checks alone; a thousand draws of
    a hold-out are seconds.
    """
    truth, prediction, classes = said.truth, said.prediction, said.classes
    if metric == "accuracy":
        return _mean_of((truth == prediction).astype(float))
    if metric in _ERRORS and classes is None:
        return _mean_of(_ERRORS[metric](truth, prediction))
    if metric == "neg_root_mean_squared_error" and classes is None:
        mean = _mean_of(np.square(truth - prediction))
        return lambda rows: -float(np.sqrt(mean(rows)))
    if metric == "r2" and classes is None:
        return _r2(truth, prediction)
    if metric == "roc_auc" and classes is not None and len(classes) == _TWO and said.ranking is not None:
        return _roc_auc(truth == classes[1], said.ranking)
    return None


def _mean_of(values: Array) -> Score:
    return lambda rows: float(np.mean(values[rows]))


def _r2(truth: Array, prediction: Array) -> Score:
    wrong = np.square(truth - prediction)

    def score(rows: Array) -> float:
        spread = float(np.square(truth[rows] - truth[rows].mean()).sum())
        return 1 - float(wrong[rows].sum()) / spread if spread else float("nan")

    return score


def _roc_auc(positive: Array, ranking: Array) -> Score:
    """Return the share of pairs that are in the right order, ties counted half, by counting at each level."""
    levels, level = np.unique(ranking, return_inverse=True)

    def score(rows: Array) -> float:
        drawn, right = level[rows], positive[rows]
        of_positive = np.bincount(drawn[right], minlength=len(levels))
        of_negative = np.bincount(drawn[~right], minlength=len(levels))
        pairs = float(of_positive.sum()) * float(of_negative.sum())
        below = np.cumsum(of_negative) - of_negative / 2
        return float((of_positive * below).sum()) / pairs if pairs else float("nan")

    return score
