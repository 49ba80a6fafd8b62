"""What a fitted model says of rows, asked once a row and scored as often as is wanted."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline

from tasks.errors import TrainingError
from tasks.train.arrays import Array
from tasks.train.draws import quick_scoring
from tasks.train.metrics import Said, score_all
from tasks.train.statistics import Score
from tasks.train.training_set import Task

_TWO = 2


class Answers:
    """What a model says of the rows of a frame."""

    def __init__(self, model: Pipeline, frame: pd.DataFrame, truth: Array) -> None:
        self._model = model
        self._frame = frame
        self._ask = cache(self._ask_model)
        self.truth = truth

    @property
    def prediction(self) -> Array:
        """Return the prediction of each row."""
        return self._ask("predict")

    @property
    def probability(self) -> Array | None:
        """Return the probability of each row and class, where the model gives any."""
        return self._ask("predict_proba") if hasattr(self._model, "predict_proba") else None

    @property
    def ranking(self) -> Array | None:
        """Return by what areas order the rows, of the second of two classes (rows,) or of each (rows, classes).

        It is what scikit-learn's scorers take: the decision function, and where there is none the probability.
        """
        if self.classes is None:
            return None
        two = len(self.classes) == _TWO
        if not hasattr(self._model, "decision_function"):
            return self.probability[:, 1] if two and self.probability is not None else self.probability
        told = self._ask("decision_function")
        return told if two or told.shape[1:] == self.classes.shape else None  # some have a column a pair of classes

    @property
    def classes(self) -> Array | None:
        """Return the classes, where the model has any."""
        return getattr(self._model, "classes_", None)

    @property
    def said(self) -> Said:
        """Return all that the model says of the rows."""
        return Said(self.truth, self.prediction, self.probability, self.ranking, self.classes)

    def score(self, metric: str) -> float:
        """Return what scikit-learn's scorer makes of all rows.

        Raises:
            TrainingError: when it makes no number of them.

        """
        for said in (self.prediction, self.probability):
            if said is not None and said.dtype.kind == "f" and np.isnan(said).any():
                missing = int(np.isnan(said.reshape(len(said), -1)).any(axis=1).sum())
                raise TrainingError(f"it predicts NaN for {missing} of {len(said)} rows; change its parameters")
        try:
            found = float(get_scorer(metric)(self._as_model(), np.arange(len(self.truth)), self.truth))
        except ValueError as error:
            raise TrainingError(f"the metric {metric} cannot be had: {' '.join(str(error).split())}") from error
        if not np.isfinite(found):
            raise TrainingError(f"the metric {metric} cannot be had: it is {found}")
        return found

    def scoring(self, metric: str) -> Score:
        """Return what scores any positions of the rows; NaN where they do not define the metric."""
        if quick := quick_scoring(metric, self.said):
            return quick
        scorer, model = get_scorer(metric), self._as_model()

        def score(rows: Array) -> float:
            try:
                return float(scorer(model, rows, self.truth[rows]))
            except ValueError:
                return float("nan")  # a draw without a class that the metric needs

        return score

    def metrics(self, task: Task) -> dict[str, float]:
        """Return the usual metrics of the task that these answers define."""
        return score_all(task, self.said)

    def _ask_model(self, method: str) -> Array:
        return np.asarray(getattr(self._model, method)(self._frame))

    def _as_model(self) -> Any:
        """Return the answers in the shape of a model that takes positions: scikit-learn's scorers take it as one."""
        found = _RegressorAnswers() if self.classes is None else _ClassifierAnswers()
        for method in ("predict", "predict_proba", "decision_function"):
            if hasattr(self._model, method):
                setattr(found, method, self._looked_up(method))
        if self.classes is not None:
            found.classes_ = self.classes
        return found

    def _looked_up(self, method: str) -> Any:
        def look_up(rows: Array) -> Array:
            return self._ask(method)[rows]

        look_up.__name__ = method  # by which scorers tell what they were given
        return look_up


class _Fitted(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    def __sklearn_is_fitted__(self) -> bool:
        return True


class _ClassifierAnswers(ClassifierMixin, _Fitted):  # type: ignore[misc]  # as above
    """Answers of a classifier."""


class _RegressorAnswers(RegressorMixin, _Fitted):  # type: ignore[misc]  # as above
    """Answers of a regressor."""
