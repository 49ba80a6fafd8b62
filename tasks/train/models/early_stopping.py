"""Boosting that ends by rows of its own fit, which are held back in the way of the training's split: never by rows of a test."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch

from tasks.config import EarlyStopping, Split
from tasks.core.errors import TrainingError
from tasks.train.data.features import encode_classes
from tasks.train.data.split import hold_back
from tasks.train.data.types import Array
from tasks.train.models.estimators import package_of
from tasks.train.models.preprocessing import take_weights


@dataclass(frozen=True, eq=False)
class HeldBack:
    """How rows are held back from a fit."""

    stopping: EarlyStopping
    split: Split
    seed: int
    unit: Array | None
    """Moment or group of the rows that frames have by number in their index, where the split goes by one."""

    def part(self, frame: pd.DataFrame, target: Array) -> tuple[Array, Array]:
        """Return which rows are learnt from, and which tell when to end.

        Raises:
            TrainingError: when the rows cannot be parted so, or those learnt from lack a class.

        """
        classes = None if target.dtype.kind == "f" else encode_classes(target)
        unit = None if self.unit is None else self.unit[frame.index.to_numpy()]
        told, fraction = (
            f"early_stopping: holds back a part of the {len(frame):,} rows of a fit",
            self.stopping.fraction,
        )
        try:
            learnt, held = hold_back(self.split, self.seed, len(frame), fraction=fraction, classes=classes, unit=unit)
        except TrainingError as error:
            why = str(error).partition(": ")[2].partition(";")[0]
            raise TrainingError(f"{told}, and {why}; take early_stopping out or widen the query") from None
        if classes is not None and not np.isin(classes, classes[learnt]).all():
            raise TrainingError(
                f"{told}, and the others lack one of the classes; lower fraction, or take early_stopping out"
            )
        return learnt, held


@dataclass(frozen=True)
class _Rows:
    """Rows as an estimator takes them."""

    x: Any
    y: Array
    weight: Array | None


class EarlyStopped(Pipeline):  # type: ignore[misc]  # scikit-learn ships no types
    """The pipeline of a candidate whose fit holds rows back; it is no part of a saved model."""

    def __init__(self, steps: Any, *, held_back: HeldBack, memory: Any = None, verbose: bool = False) -> None:
        super().__init__(steps, memory=memory, verbose=verbose)
        self.held_back = held_back

    def fit(self, X: pd.DataFrame, y: Array, estimator__sample_weight: Array | None = None) -> EarlyStopped:  # noqa: N803 - as scikit-learn calls them
        """Fit columns and estimator on a part of the rows; the others tell when to end."""
        weight = estimator__sample_weight
        learnt, held = self.held_back.part(X, y)
        columns, estimator = self[0], self[-1]
        seen = _Rows(columns.fit_transform(X.iloc[learnt], y[learnt]), y[learnt], take_weights(weight, learnt))
        unseen = _Rows(columns.transform(X.iloc[held]), y[held], take_weights(weight, held))
        _fit(estimator, seen, unseen, self.held_back.stopping.rounds)
        return self


def as_plain(model: Pipeline) -> Pipeline:
    """Return a fitted pipeline as one of scikit-learn's own, as it is saved."""
    return Pipeline(model.steps) if isinstance(model, EarlyStopped) else model


def stops_early(estimator: type[Any]) -> bool:
    """Return whether an estimator class can be told by which rows to end."""
    if package_of(estimator) == "xgboost":
        return "RF" not in estimator.__name__  # a forest has one round
    if package_of(estimator) == "sklearn":
        return estimator.__name__.startswith("HistGradientBoosting")
    return package_of(estimator) in ("lightgbm", "catboost")


TOLD_BY = frozenset(
    {"early_stopping", "early_stopping_round", "early_stopping_rounds", "n_iter_no_change", "validation_fraction"}
    | {"od_pval", "od_type", "od_wait", "use_best_model"}
)
"""Parameters that say the same of an estimator otherwise."""


def _fit(estimator: Any, learnt: _Rows, held: _Rows, rounds: int) -> None:
    judged: dict[str, Any]
    if isinstance(estimator, VotingClassifier):
        _fit_voted(estimator, learnt, held, rounds)
        return
    weights = None if held.weight is None else [held.weight]
    if package_of(estimator) == "xgboost":
        estimator.set_params(early_stopping_rounds=rounds)
        judged = {"eval_set": [(held.x, held.y)], "sample_weight_eval_set": weights, "verbose": False}
    elif package_of(estimator) == "lightgbm":
        from lightgbm import early_stopping  # noqa: PLC0415 - an extra

        stop = early_stopping(rounds, verbose=False)
        judged = {"eval_set": [(held.x, held.y)], "eval_sample_weight": weights, "callbacks": [stop]}
    elif package_of(estimator) == "catboost":
        from catboost import Pool  # noqa: PLC0415 - an extra; pairs of rows and target have no weights there

        categories = estimator.get_params().get("cat_features")
        judged = {"eval_set": Pool(held.x, held.y, cat_features=categories and list(categories), weight=held.weight)}
        judged["early_stopping_rounds"] = rounds
    else:
        estimator.set_params(early_stopping=True, n_iter_no_change=rounds)
        judged = {"X_val": held.x, "y_val": held.y, "sample_weight_val": held.weight}
    with warnings.catch_warnings():
        # What lightgbm would have instead, eval_y, takes numbers of classes for their names.
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        estimator.fit(learnt.x, learnt.y, sample_weight=learnt.weight, **judged)


def _fit_voted(vote: VotingClassifier, learnt: _Rows, held: _Rows, rounds: int) -> None:
    """Fit a vote of one as its own fit does, which hands on no rows that are held back."""
    ((name, estimator),) = vote.estimators
    vote.le_ = LabelEncoder().fit(learnt.y)
    vote.classes_ = vote.le_.classes_
    seen, unseen = (replace(each, y=vote.le_.transform(each.y)) for each in (learnt, held))
    _fit(estimator, seen, unseen, rounds)
    vote.estimators_, vote.named_estimators_ = [estimator], Bunch(**{name: estimator})
