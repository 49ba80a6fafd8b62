"""Metrics: what all of them say of themselves, and the registry."""

from __future__ import annotations

import inspect
import math
import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, get_args

from tasks.core.registry import Registry

OutputKind = Literal["prediction", "probability", "ranking"]
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TASKS = ("classification", "regression")


class Metric(ABC):
    """How good what a model says is, as one figure."""

    name: str
    """What it is called where it is shown."""
    task: Literal["classification", "regression"]
    """What is predicted: a class or an amount."""
    greater_is_better: bool
    """Whether the greater figure is the better one; where it is not, models are ranked by the figure negated."""
    has_scorer: ClassVar[bool] = False
    """Whether scikit-learn has a scorer that gives the same, which then ranks by it."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    """The least and the greatest figure; intervals on the leaderboard end there."""
    of: OutputKind = "prediction"
    """What is judged: the prediction of each row; the probability of each row and class; or by what the rows are ordered, of the positive of two classes, or of each row and class."""

    def __init_subclass__(cls, **keys: Any) -> None:
        super().__init_subclass__(**keys)
        if ABC not in cls.__bases__:
            _refuse_half(cls)

    @abstractmethod
    def compute(self, truth: Any, predicted: Any, classes: Any) -> float:
        """Return the figure of rows; raise ValueError where they define none.

        One that takes `weights` too, how much each row counts, is given them
        where a pipeline file weighs rows; any other is left out there.

        Args:
            truth: The target of each row, an array.
            predicted: What the model predicts of each row, an array.
            classes: All classes, sorted, but for the positive one of two, which is the last; None for amounts.

        """

    @property
    def sign(self) -> int:
        """Return what the figure is multiplied by for greater to be better."""
        return 1 if self.greater_is_better else -1

    @property
    def ranked_as(self) -> str:
        """Return the name by which a pipeline file ranks by it; as scikit-learn's, neg_… where it is negated."""
        return self.name if self.greater_is_better else f"neg_{self.name}"

    @property
    def takes_weights(self) -> bool:
        """Return whether it can be computed of rows that do not all count alike."""
        return "weights" in inspect.signature(self.compute).parameters

    def judged(self, classes: int) -> OutputKind:  # noqa: ARG002 - for those that judge another of many
        """Return what is judged of a number of classes."""
        return self.of


def _refuse_half(kind: type[Metric]) -> None:
    """Raise TypeError of a metric that lacks a part: it would fail in a run."""
    if not _NAME.fullmatch(str(getattr(kind, "name", ""))):
        raise TypeError(f"{kind.__name__} has no name; add name = '...', of small letters, digits and _")
    if getattr(kind, "task", None) not in _TASKS:
        raise TypeError(f"{kind.__name__} has no task; add task = 'classification' or 'regression'")
    if not isinstance(getattr(kind, "greater_is_better", None), bool):
        raise TypeError(f"{kind.__name__} has no greater_is_better; add True or False")
    if kind.of not in get_args(OutputKind) or (kind.task == "regression" and kind.of != "prediction"):
        raise TypeError(f"{kind.__name__} judges {kind.of!r}; write prediction, or of classes probability or ranking")
    if not _are_bounds(kind.bounds):
        raise TypeError(
            f"{kind.__name__} has the bounds {kind.bounds!r}; write the least and the greatest figure, as (0.0, 1.0)"
        )
    if getattr(kind.compute, "__isabstractmethod__", False):
        raise TypeError(f"{kind.__name__} has no compute; add it")


def _are_bounds(bounds: object) -> bool:
    match bounds:
        case (int() | float() as least, int() | float() as greatest):
            return isinstance(bounds, tuple) and least < greatest
        case _:
            return False


_KINDS = "tasks.train.evaluation.metrics"
METRICS: Registry[type[Metric] | Metric] = Registry(
    "tidemill.metrics",
    "tasks.config.metrics:Metric",
    {
        "accuracy": f"{_KINDS}:ACCURACY",
        "balanced_accuracy": f"{_KINDS}:BALANCED_ACCURACY",
        "f1": f"{_KINDS}:F1",
        "roc_auc": f"{_KINDS}:ROC_AUC",
        "pr_auc": f"{_KINDS}:PR_AUC",
        "log_loss": f"{_KINDS}:LOG_LOSS",
        "brier": f"{_KINDS}:BRIER",
        "rmse": f"{_KINDS}:RMSE",
        "mae": f"{_KINDS}:MAE",
        "r2": f"{_KINDS}:R2",
        "mape": f"{_KINDS}:MAPE",
    },
)
"""Those that are shown beside others; every scorer of scikit-learn is one to rank by, too."""


def named_metrics() -> dict[str, Metric]:
    """Return every metric that is shown, by name."""
    return {name: kind() if isinstance(kind, type) else kind for name, kind in METRICS.kinds.items()}


def metrics_without_scorer() -> dict[str, Metric]:
    """Return the metrics that scikit-learn has no scorer of, by the name that ranks by them."""
    return {metric.ranked_as: metric for metric in named_metrics().values() if not metric.has_scorer}
