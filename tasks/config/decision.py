"""What a class is decided by, of two: the probability from which on a row counts as of the positive one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tasks.config.base import ConfigModel
from tasks.config.labels import Label


class Cost(ConfigModel):
    """What a wrong decision costs, in any unit; a right one costs nothing."""

    fp: Annotated[float, Field(gt=0)]
    """A false positive: decided positive, and it is not."""
    fn: Annotated[float, Field(gt=0)]
    """A false negative: it is positive, and was not decided so."""


class DecisionRule(ConfigModel):
    """How the threshold is chosen, on what folds said of rows they had not learnt from: by one of cost, metric and recall."""

    positive: Label | None = None
    """The positive class of two; the same as `training.positive`, where both are there."""
    cost: Cost | None = None
    """The least mean cost."""
    metric: Literal["f1", "accuracy", "balanced_accuracy"] | None = None
    """The greatest value of a metric."""
    recall: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The highest threshold that finds at least this share of the positive rows."""

    @model_validator(mode="after")
    def _has_one_aim(self) -> DecisionRule:
        given = [name for name in ("cost", "metric", "recall") if getattr(self, name) is not None]
        if len(given) != 1:
            told = f"has {' and '.join(given)}" if given else "has none of cost, metric and recall"
            raise ValueError(f"{told}, and a threshold is chosen by one; keep one, as in cost: {{fp: 1, fn: 20}}")
        return self

    @property
    def aim(self) -> str:
        """Return by what the threshold is chosen, in words."""
        if self.cost is not None:
            return f"the least cost, {self.cost.fp:g} a false positive and {self.cost.fn:g} a false negative"
        return f"the greatest {self.metric}" if self.metric is not None else f"a recall of at least {self.recall:g}"
