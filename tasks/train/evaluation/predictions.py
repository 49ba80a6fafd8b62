"""What a fitted model says of rows, asked once a row and scored as often as is wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline

from tasks.config import Label
from tasks.config.metrics import metrics_without_scorer
from tasks.core.errors import TrainingError
from tasks.train.data.classes import TWO
from tasks.train.data.training_set import Problem
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput, compute, metric_scoring, quick_scoring, score_all
from tasks.train.evaluation.statistics import Score
from tasks.train.models.ensembles import is_vote_of_classes, parts_of
from tasks.train.models.estimators import is_own_object
from tasks.train.models.model_file import prove_saving
from tasks.train.models.own import check_answers, check_length


class Predictions:
    """What a model says of the rows of a frame.

    Of two classes the second is the positive one: where the model has them in
    the other order, its answers are turned round, so that every figure, and
    every column of one, is of the same class.
    """

    def __init__(
        self,
        model: Pipeline | _Replay,
        frame: pd.DataFrame | Array | None,
        truth: Array,
        weight: Array | None = None,
        positive: Label | None = None,
    ) -> None:
        self._model = model
        self._frame = frame
        self._call = cache(self._call_model)
        self.truth = truth
        self.weight = weight
        classes: Array | None = getattr(model, "classes_", None)
        self._two = classes is not None and len(classes) == TWO
        self._turned = bool(self._two and classes is not None and positive is not None and classes[0] == positive)
        self.classes: Array | None = classes[::-1] if self._turned and classes is not None else classes
        """The classes, where the model has any, the positive one of two last."""

    @property
    def prediction(self) -> Array:
        """Return the prediction of each row."""
        return self._call("predict")

    @property
    def probability(self) -> Array | None:
        """Return the probability of each row and class, where the model gives any."""
        if not hasattr(self._model, "predict_proba"):
            return None
        output = self._call("predict_proba")
        return output[:, ::-1] if self._turned else output

    @property
    def ranking(self) -> Array | None:
        """Return by what areas order the rows, of the positive of two classes (rows,) or of each (rows, classes).

        It is what scikit-learn's scorers take: the decision function, and where there is none the probability.
        """
        if self.classes is None:
            return None
        if not hasattr(self._model, "decision_function"):
            return self.probability[:, 1] if self._two and self.probability is not None else self.probability
        output = -self._call("decision_function") if self._turned else self._call("decision_function")
        return (
            output if self._two or output.shape[1:] == self.classes.shape else None
        )  # some have a column a pair of classes

    @property
    def output(self) -> ModelOutput:
        """Return all that the model says of the rows."""
        return ModelOutput(self.truth, self.prediction, self.probability, self.ranking, self.classes, self.weight)

    def score(self, metric: str) -> float:
        """Return what scikit-learn's scorer makes of all rows.

        Raises:
            TrainingError: when it makes no number of them.

        """
        for output in (self.prediction, self.probability):
            if output is not None and output.dtype.kind == "f" and np.isnan(output).any():
                missing = int(np.isnan(output.reshape(len(output), -1)).any(axis=1).sum())
                raise TrainingError(f"it predicts NaN for {missing} of {len(output)} rows; change its parameters")
        try:
            found = self.figure(metric)
        except ValueError as error:
            raise TrainingError(f"the metric {metric} cannot be had: {' '.join(str(error).split())}") from error
        if not np.isfinite(found):
            raise TrainingError(f"the metric {metric} cannot be had: it is {found}")
        return found

    def figure(self, metric: str) -> float:
        """Return what scikit-learn's scorer, or the metric itself where there is none, makes of all rows, whatever that is."""
        if own := metrics_without_scorer().get(metric):
            return own.sign * compute(own, self.output)
        rows = np.arange(len(self.truth))
        return float(get_scorer(metric)(self._as_model(), rows, self._coded_truth(), **_weighing(self.weight)))

    def scoring(self, metric: str) -> Score:
        """Return what scores any positions of the rows; NaN where they do not define the metric."""
        if quick := quick_scoring(metric, self.output):
            return quick
        if own := metrics_without_scorer().get(metric):
            return metric_scoring(own, self.output)
        scorer, model, truth, weight = get_scorer(metric), self._as_model(), self._coded_truth(), self.weight

        def score(rows: Array) -> float:
            try:
                return float(scorer(model, rows, truth[rows], **_weighing(None if weight is None else weight[rows])))
            except ValueError:
                return float("nan")  # a draw without a class that the metric needs

        return score

    def metrics(self, task: Problem) -> dict[str, float]:
        """Return the usual metrics of the task that these answers define."""
        return score_all(task, self.output)

    def prove_saving(self, trusted: Collection[str]) -> None:
        """Raise unless a model says the same of the rows once it is saved and loaded; what a file has kept of one does anyway.

        `trusted` are the packages whose classes it may hold.

        Raises:
            TrainingError: it does not.

        """
        if isinstance(self._model, Pipeline) and self._frame is not None:
            prove_saving(self._model, self._frame, trusted)

    def _call_model(self, method: str) -> Array:
        if method == "predict" and is_vote_of_classes(self._model):  # whose members would all be asked a second time
            return np.asarray(self._model.classes_[np.argmax(self._call("predict_proba"), axis=1)])
        answers = np.asarray(getattr(self._model, method)(self._frame))
        if isinstance(self._model, Pipeline):
            check_length(self._model, answers, len(self.truth))
            if any(map(is_own_object, parts_of(self._model))):
                check_answers(self._model[-1], method, answers)
        return answers

    def _as_model(self) -> Any:
        """Return the answers in the shape of a model that takes positions: scikit-learn's scorers take it as one.

        Two classes are 0 and 1, the positive one: for scorers that is so, whatever classes are called.
        """
        found = _RegressorAnswers() if self.classes is None else _ClassifierAnswers()
        given = {"predict": lambda: self._coded(self.prediction), "predict_proba": lambda: self.probability}
        given["decision_function"] = lambda: self.ranking if self._two else self._call("decision_function")
        for method, predictions in given.items():
            if hasattr(self._model, method):
                setattr(found, method, self._looked_up(method, cache(predictions)))
        if self.classes is not None:
            found.classes_ = np.arange(TWO) if self._two else self.classes
        return found

    def _coded_truth(self) -> Array:
        return self._coded(self.truth)

    def _coded(self, labels: Array) -> Array:
        return (labels == self.classes[1]).astype(int) if self._two and self.classes is not None else labels

    def _looked_up(self, method: str, predictions: Any) -> Any:
        def look_up(rows: Array) -> Array:
            found: Array = predictions()[rows]
            return found

        look_up.__name__ = method  # by which scorers tell what they were given
        return look_up


def scoring_of(
    metric: str, positive: Label | None, weight: Array | None = None
) -> Callable[[Pipeline, pd.DataFrame, Array], float]:
    """Return what scores a model on rows, as scikit-learn's own scorers do, of the positive class.

    `weight` is of rows that frames have by number in their index.
    """

    def score(model: Pipeline, frame: pd.DataFrame, truth: Array) -> float:
        taken = None if weight is None else weight[frame.index.to_numpy()]
        return Predictions(model, frame, truth, taken, positive).figure(metric)

    return score


class Answers:
    """What a model says of the rows of a frame, of which it is asked once, however many parts of them are taken."""

    def __init__(self, model: Pipeline, frame: pd.DataFrame) -> None:
        self._model = model
        self._asked = cache(lambda method: np.asarray(getattr(model, method)(frame)))

    def taken(self, rows: slice) -> Any:
        """Return a model that says of any rows what is said of these."""
        found = SimpleNamespace()
        for method in ("predict", "predict_proba", "decision_function"):
            if hasattr(self._model, method):
                setattr(found, method, lambda _, method=method: self._asked(method)[rows])
        if hasattr(self._model, "classes_"):
            found.classes_ = self._model.classes_
        return found


def _weighing(weight: Array | None) -> dict[str, Array]:
    return {} if weight is None else {"sample_weight": weight}


class _Fitted(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    def __sklearn_is_fitted__(self) -> bool:
        return True


class _ClassifierAnswers(ClassifierMixin, _Fitted):  # type: ignore[misc]  # as above
    """Answers of a classifier."""


class _RegressorAnswers(RegressorMixin, _Fitted):  # type: ignore[misc]  # as above
    """Answers of a regressor."""


def replay(output: ModelOutput) -> Predictions:
    """Return what a model said, as it was kept, in the shape of a model that says it: it is scored as it was then."""
    return Predictions(_Replay(output), None, output.truth, output.weight)


class _Replay:
    """A model that says of any rows what was said."""

    def __init__(self, output: ModelOutput) -> None:
        self._output = output
        if output.classes is not None:
            self.classes_ = output.classes
        given = {"predict_proba": output.probability, "decision_function": output.ranking}
        for method, said in given.items():
            if said is not None:
                setattr(self, method, lambda _, said=said: said)

    def predict(self, _: object) -> Array:
        return self._output.prediction
