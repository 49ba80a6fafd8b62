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
    truth, prediction, classes, weight = output.truth, output.prediction, output.classes, output.weight
    if metric == "accuracy":
        return _mean_of((truth == prediction).astype(float), weight)
    if metric in _ERRORS and classes is None:
        return _mean_of(_ERRORS[metric](truth, prediction), weight)
    if metric == "neg_root_mean_squared_error" and classes is None:
        mean = _mean_of(np.square(truth - prediction), weight)
        return lambda rows: -float(np.sqrt(mean(rows)))
    if metric == "r2" and classes is None:
        return _r2(truth, prediction, weight)
    if metric == "roc_auc" and classes is not None and len(classes) == TWO and output.ranking is not None:
        return _fast_roc_auc(truth == classes[1], output.ranking, weight)
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


def _fast_roc_auc(positive: Array, ranking: Array, weight: Array | None) -> Score:
    """Return the share of pairs that are in the right order, ties counted half, by counting at each level."""
    levels, level = np.unique(ranking, return_inverse=True)

    def score(rows: Array) -> float:
        drawn, right = level[rows], positive[rows]
        of_positive, of_negative = (
            np.bincount(drawn[side], None if weight is None else weight[rows][side], len(levels))
            for side in (right, ~right)
        )
        pairs = float(of_positive.sum()) * float(of_negative.sum())
        below = np.cumsum(of_negative) - of_negative / 2
        return float((of_positive * below).sum()) / pairs if pairs else float("nan")

    return score
