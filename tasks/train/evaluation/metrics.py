"""The usual metrics of each problem, by the names and in the units that people know them by, of one draw or many."""

from __future__ import annotations

import math
import warnings
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tasks.config.metrics import Metric, OutputKind, named_metrics
from tasks.core.errors import TrainingError
from tasks.train.data.classes import TWO
from tasks.train.data.training_set import Problem
from tasks.train.data.types import Array

if TYPE_CHECKING:  # scipy: a third of a second, which a run in which nothing is new has no use for
    from tasks.train.evaluation.statistics import Score

Judge = Callable[[Array, Array, Array, Array | None], float]  # (truth, what was said, classes, weights)


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """What a model said of rows, and what was true."""

    truth: Array
    prediction: Array
    probability: Array | None = None
    """Of each row (rows) and class (columns)."""
    ranking: Array | None = None
    """By which areas order the rows: of the positive of two classes (rows), or of each class (columns)."""
    classes: Array | None = None
    """All classes, sorted, but for the positive one of two, which is the last; needed for classification."""
    weight: Array | None = None
    """How much each row counts; without it, all alike."""

    def taken(self, rows: Array) -> ModelOutput:
        """Return what was said of rows, by their positions."""
        probability, ranking, weight = (
            each if each is None else each[rows] for each in (self.probability, self.ranking, self.weight)
        )
        return ModelOutput(self.truth[rows], self.prediction[rows], probability, ranking, self.classes, weight)


@dataclass(frozen=True)
class UsualMetric(Metric, ABC):
    """One metric: how to compute it of predictions that are there, and which scorer of scikit-learn gives the same.

    With two classes F1 and the areas are of the second, the positive one; with
    more, F1 and the areas are the unweighted mean over each class against the
    others.
    """

    name: str
    task: Problem
    scorer: str
    judge: Judge
    has_scorer: ClassVar[bool] = True
    greater_is_better: bool = True
    of: OutputKind = "prediction"
    """What is judged: of areas, as scikit-learn's scorers have it, the ranking; of many classes' ROC the probability."""
    scorer_of_many: str | None = None
    """The scorer for more than two classes, where it is another."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    """The least and the greatest figure."""

    def compute(self, truth: Array, predicted: Array, classes: Array, weights: Array | None = None) -> float:
        """Return the metric in its own unit and direction."""
        return self.judge(truth, predicted, classes, weights)

    @property
    def ranked_as(self) -> str:
        """Return the name of scikit-learn's scorer."""
        return self.scorer

    def judged(self, classes: int) -> OutputKind:
        """Return what is judged of a number of classes."""
        return "probability" if self.scorer_of_many and classes > TWO and self.of == "ranking" else self.of

    def scorer_for(self, classes: int | None) -> str:
        """Return the name of scikit-learn's scorer for a number of classes."""
        return self.scorer_of_many if self.scorer_of_many and (classes or 0) > TWO else self.scorer


def compute(metric: Metric, output: ModelOutput) -> float:
    """Return a metric of what a model said, in its own unit and direction.

    Raises:
        ValueError: what was said does not define it.
        TrainingError: it fails otherwise, as one of an extension may.

    """
    classes = np.unique(output.truth) if output.classes is None and metric.task == "classification" else output.classes
    judged = metric.judged(0 if classes is None else len(classes))
    predicted: Array | None = getattr(output, judged)
    if predicted is None:
        raise ValueError(f"the model gives no {judged}")
    if output.weight is not None and not metric.takes_weights:
        raise ValueError(f"{metric.name} has no weighted form")
    weights = {} if output.weight is None else {"weights": output.weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rows without a class: the value is NaN
        try:
            return float(metric.compute(output.truth, predicted, classes, **weights))
        except ValueError:
            raise
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise TrainingError(f"the metric {metric.name} cannot be computed ({what}); mend it") from error


def compute_or_nan(metric: Metric, output: ModelOutput) -> float:
    """Return a metric of what a model said; NaN where that does not define it, and, with a warning, where it fails."""
    try:
        return compute(metric, output)
    except ValueError:
        return float("nan")
    except TrainingError as error:
        warnings.warn(str(error), stacklevel=2)
        return float("nan")


def metric_scoring(metric: Metric, output: ModelOutput) -> Score:
    """Return what scores positions by a metric that scikit-learn has no scorer of, greater is better; NaN where they do not define it."""
    return lambda rows: metric.sign * compute_or_nan(metric, output.taken(rows))


def score_all(task: Problem, output: ModelOutput) -> dict[str, float]:
    """Return every metric of the task that what was said defines, by name."""
    scores = {name: compute_or_nan(metric, output) for name, metric in named_metrics().items() if metric.task == task}
    return {name: value for name, value in scores.items() if np.isfinite(value)}


def _f1(truth: Array, prediction: Array, classes: Array, weights: Array | None) -> float:
    told: dict[str, Any] = {"zero_division": 0, "sample_weight": weights}
    if len(classes) > TWO:
        return float(_scikit_learn().f1_score(truth, prediction, labels=classes, average="macro", **told))
    return float(_scikit_learn().f1_score(truth == classes[1], prediction == classes[1], **told))


def _roc_auc(truth: Array, ranking: Array, classes: Array, weights: Array | None) -> float:
    told = {"sample_weight": weights}
    if len(classes) > TWO:
        return float(_scikit_learn().roc_auc_score(truth, ranking, multi_class="ovr", labels=classes, **told))
    return float(_scikit_learn().roc_auc_score(truth == classes[1], ranking, **told))


def _pr_auc(truth: Array, ranking: Array, classes: Array, weights: Array | None) -> float:
    if len(np.unique(truth)) < len(classes):
        return float("nan")  # scikit-learn says 0 for a class without rows
    told = {"sample_weight": weights}
    if len(classes) > TWO:
        each = truth[:, None] == classes
        return float(_scikit_learn().average_precision_score(each, ranking, average="macro", **told))
    return float(_scikit_learn().average_precision_score(truth == classes[1], ranking, **told))


def _log_loss(truth: Array, probability: Array, classes: Array, weights: Array | None) -> float:
    told = {"sample_weight": weights}
    if len(classes) > TWO:
        return float(_scikit_learn().log_loss(truth, probability, labels=classes, **told))
    # Of the positive class alone, as the scorer: both columns differ from it in the last digits near 0 and 1.
    return float(_scikit_learn().log_loss(truth == classes[1], probability[:, 1], labels=[False, True], **told))


def _brier(truth: Array, probability: Array, classes: Array, weights: Array | None) -> float:
    """Return the mean squared distance; scikit-learn's own takes more than two classes from 1.7 on only."""
    wrong = np.average(np.square(probability - (truth[:, None] == classes)).sum(axis=1), weights=weights)
    return float(wrong / 2 if len(classes) == TWO else wrong)


def _without_classes(metric: str) -> Judge:
    return lambda truth, prediction, _, weights: float(
        getattr(_scikit_learn(), metric)(truth, prediction, sample_weight=weights)
    )


def _scikit_learn() -> Any:
    """Return scikit-learn's metrics: a second of import, which a run in which nothing is new has no use for."""
    return import_module("sklearn.metrics")


_SHARE, _ERROR = (0.0, 1.0), (0.0, math.inf)
ACCURACY = UsualMetric("accuracy", "classification", "accuracy", _without_classes("accuracy_score"), bounds=_SHARE)
BALANCED_ACCURACY = UsualMetric(
    "balanced_accuracy",
    "classification",
    "balanced_accuracy",
    _without_classes("balanced_accuracy_score"),
    bounds=_SHARE,
)
F1 = UsualMetric("f1", "classification", "f1", _f1, scorer_of_many="f1_macro", bounds=_SHARE)
ROC_AUC = UsualMetric(
    "roc_auc", "classification", "roc_auc", _roc_auc, of="ranking", scorer_of_many="roc_auc_ovr", bounds=_SHARE
)
PR_AUC = UsualMetric("pr_auc", "classification", "average_precision", _pr_auc, of="ranking", bounds=_SHARE)
LOG_LOSS = UsualMetric(
    "log_loss",
    "classification",
    "neg_log_loss",
    _log_loss,
    greater_is_better=False,
    bounds=_ERROR,
    of="probability",
)
BRIER = UsualMetric(
    "brier", "classification", "neg_brier_score", _brier, greater_is_better=False, bounds=_ERROR, of="probability"
)
RMSE = UsualMetric(
    "rmse",
    "regression",
    "neg_root_mean_squared_error",
    _without_classes("root_mean_squared_error"),
    greater_is_better=False,
    bounds=_ERROR,
)
MAE = UsualMetric(
    "mae",
    "regression",
    "neg_mean_absolute_error",
    _without_classes("mean_absolute_error"),
    greater_is_better=False,
    bounds=_ERROR,
)
R2 = UsualMetric("r2", "regression", "r2", _without_classes("r2_score"), bounds=(-math.inf, 1.0))
MAPE = UsualMetric(
    "mape",
    "regression",
    "neg_mean_absolute_percentage_error",
    _without_classes("mean_absolute_percentage_error"),
    greater_is_better=False,
    bounds=_ERROR,
)


_ERRORS: dict[str, Callable[[Array, Array], Array]] = {
    "neg_mean_absolute_error": lambda truth, output: -np.abs(truth - output),
    "neg_mean_squared_error": lambda truth, output: -np.square(truth - output),
}


def quick_scoring(metric: str, output: ModelOutput) -> Score | None:
    """Return what scores positions as scikit-learn's scorer does, to the last digits, or None for other metrics.

    A scorer takes a millisecond or more for checks alone; a thousand draws of
    a hold-out are seconds.
    """
    if metric == "accuracy":
        return _mean_of((output.truth == output.prediction).astype(float), output.weight)
    if output.classes is None:
        return _quick_of_amounts(metric, output)
    of_two = _quick_of_two(metric, output) if len(output.classes) == TWO else None
    return of_two or (_of_classes(_OF_CLASSES[metric], output) if metric in _OF_CLASSES else None)


def _quick_of_amounts(metric: str, output: ModelOutput) -> Score | None:
    truth, prediction, weight = output.truth, output.prediction, output.weight
    if metric in _ERRORS:
        return _mean_of(_ERRORS[metric](truth, prediction), weight)
    if metric == "neg_root_mean_squared_error":
        mean = _mean_of(np.square(truth - prediction), weight)
        return lambda rows: -float(np.sqrt(mean(rows)))
    return _r2(truth, prediction, weight) if metric == "r2" else None


def _quick_of_two(metric: str, output: ModelOutput) -> Score | None:
    assert output.classes is not None
    positive, weight = output.truth == output.classes[1], output.weight
    if metric in _OF_COUNTS:
        return _of_counts(_OF_COUNTS[metric], positive, output.prediction == output.classes[1], weight)
    if metric == "neg_log_loss" and output.probability is not None:
        return _fast_log_loss(positive, output.probability[:, 1], weight)
    if metric in _AREAS and output.ranking is not None:
        return _of_levels(_AREAS[metric], positive, output.ranking, weight)
    return None


def _mean_of(values: Array, weight: Array | None) -> Score:
    if weight is None:
        return lambda rows: float(np.mean(values[rows]))
    return lambda rows: float(np.average(values[rows], weights=weight[rows]))


def _r2(truth: Array, prediction: Array, weight: Array | None) -> Score:
    wrong = np.square(truth - prediction)

    def score(rows: Array) -> float:
        drawn, counts = truth[rows], 1.0 if weight is None else weight[rows]
        middle = np.average(drawn, weights=None if weight is None else counts)
        spread = float((counts * np.square(drawn - middle)).sum())
        return 1 - float((counts * wrong[rows]).sum()) / spread if spread else float("nan")

    return score


def _fast_log_loss(positive: Array, probability: Array, weight: Array | None) -> Score:
    tiny = np.finfo(probability.dtype).eps  # beyond which scikit-learn cuts
    mean = _mean_of(np.log(np.clip(np.where(positive, probability, 1 - probability), tiny, 1 - tiny)), weight)
    return lambda rows: mean(rows) if 0 < positive[rows].mean() < 1 else float("nan")


def _of_counts(figure: Callable[[Array], float], positive: Array, said: Array, weight: Array | None) -> Score:
    """Return what scores positions by the four counts of truth and prediction: tn, fp, fn, tp."""
    cells = 2 * positive.astype(int) + said
    return lambda rows: figure(np.bincount(cells[rows], None if weight is None else weight[rows], 4))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _mean_recall(counts: Array) -> float:
    tn, fp, fn, tp = counts
    return float(np.mean([hits / (hits + missed) for hits, missed in ((tn, fp), (tp, fn)) if hits + missed]))


_OF_COUNTS: dict[str, Callable[[Array], float]] = {
    "f1": lambda counts: _share(2 * counts[3], 2 * counts[3] + counts[1] + counts[2]),
    "precision": lambda counts: _share(counts[3], counts[3] + counts[1]),
    "recall": lambda counts: _share(counts[3], counts[3] + counts[2]),
    "balanced_accuracy": _mean_recall,
}


def _of_classes(figure: Callable[[Array, Array, Array], float], output: ModelOutput) -> Score:
    """Return what scores positions by how many rows of each class are hit, are there and are said."""
    labels, codes = np.unique([output.truth, output.prediction], return_inverse=True)
    (truth, said), weight = codes.reshape(2, -1), output.weight

    def score(rows: Array) -> float:
        drawn, told, counts = truth[rows], said[rows], None if weight is None else weight[rows]
        hit = drawn == told
        hits = np.bincount(drawn[hit], None if counts is None else counts[hit], len(labels))
        there, predicted = (np.bincount(each, counts, len(labels)) for each in (drawn, told))
        known = there + predicted > 0
        return figure(hits[known], there[known], predicted[known])

    return score


def _recall_of_each(hits: Array, there: Array, _: Array) -> float:
    return float(np.mean(hits[there > 0] / there[there > 0]))


_OF_CLASSES: dict[str, Callable[[Array, Array, Array], float]] = {
    "f1_macro": lambda hits, there, said: float(np.mean(2 * hits / (there + said))),
    "f1_weighted": lambda hits, there, said: float(np.average(2 * hits / (there + said), weights=there)),
    "balanced_accuracy": _recall_of_each,
}


def _of_levels(area: Callable[[Array, Array], float], positive: Array, ranking: Array, weight: Array | None) -> Score:
    """Return what scores positions by how many of each class there are at each level of the ranking."""
    levels, level = np.unique(ranking, return_inverse=True)

    def score(rows: Array) -> float:
        drawn, right = level[rows], positive[rows]
        of_positive, of_negative = (
            np.bincount(drawn[side], None if weight is None else weight[rows][side], len(levels))
            for side in (right, ~right)
        )
        return area(of_positive, of_negative)

    return score


def _area_of_roc(of_positive: Array, of_negative: Array) -> float:
    """Return the share of pairs that are in the right order, ties counted half."""
    pairs = float(of_positive.sum()) * float(of_negative.sum())
    below = np.cumsum(of_negative) - of_negative / 2
    return float((of_positive * below).sum()) / pairs if pairs else float("nan")


def _average_precision(of_positive: Array, of_negative: Array) -> float:
    """Return the mean of the precision at each positive row, of those that rank as high or higher."""
    found = np.cumsum(of_positive[::-1])
    taken = found + np.cumsum(of_negative[::-1])
    precision = np.divide(found, taken, out=np.zeros(len(taken)), where=taken > 0)
    return float((of_positive[::-1] * precision).sum()) / float(found[-1]) if found[-1] else 0.0


_AREAS: dict[str, Callable[[Array, Array], float]] = {"roc_auc": _area_of_roc, "average_precision": _average_precision}
