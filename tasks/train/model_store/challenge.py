"""Two models on the same held-out rows: by how much one leads, and whether that is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline

from tasks.spec import GroupSplit, Training
from tasks.train.features import Array, features_of, read_frame, read_target
from tasks.train.new_rows import kind_of_type
from tasks.train.split import split_rows
from tasks.train.statistics import Score, bootstrap_difference
from tasks.train.training_set import TrainingSet

DRAWS = 500  # a scorer takes milliseconds; the percentiles of a thousand draws differ in the third digit


@dataclass(frozen=True)
class HeldOut:
    """The rows that no candidate has learnt from."""

    frame: pd.DataFrame
    truth: Array
    groups: Array | None
    kinds: dict[str, str]
    """Kind of each feature: number, truth, time or text."""


def read_held_out(training: Training, training_set: TrainingSet) -> HeldOut:
    """Return the hold-out of a training set."""
    with pa.memory_map(str(training_set.path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        features = features_of(training, table.schema)
        test = split_rows(training, table, training_set.task).test
        by = training.split.column if isinstance(training.split, GroupSplit) else None
        groups = np.array(table.column(by).to_pylist(), dtype=object).astype(str)[test] if by else None
        return HeldOut(
            frame=read_frame(table, features).iloc[test].reset_index(drop=True),
            truth=read_target(table.column(training.target), training_set.task)[test],
            groups=groups,
            kinds={name: kind_of_type(table.schema.field(name).type) for name in features.names},
        )


def lead_over(
    challenger: Pipeline, champion: Pipeline, held_out: HeldOut, training: Training, *, task: str
) -> tuple[float, float, float]:
    """Return how much better the challenger scores than the champion, and the interval of that.

    It is the paired bootstrap: both are scored on the same draws of the rows.
    """
    return bootstrap_difference(
        scoring(challenger, held_out, training.metric),
        scoring(champion, held_out, training.metric),
        len(held_out.truth),
        seed=training.seed,
        draws=DRAWS,
        confidence=training.promotion.confidence,
        strata=held_out.truth if task == "classification" and held_out.groups is None else None,
        groups=held_out.groups,
    )


def scoring(model: Pipeline, held_out: HeldOut, metric: str) -> Score:
    """Return what scores a model on positions of the held-out rows; it predicts each row once."""
    scorer, answers = get_scorer(metric), _Answers.of(model, held_out.frame)

    def score(rows: Array) -> float:
        try:
            return float(scorer(answers, rows, held_out.truth[rows]))
        except ValueError:
            return float("nan")  # a draw without a class that the metric needs

    return score


class _Answers(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """What a model said of each row, in the shape of a model: scikit-learn's scorers take it as one."""

    @classmethod
    def of(cls, model: Pipeline, frame: pd.DataFrame) -> _Answers:
        found = _ClassAnswers() if hasattr(model, "classes_") else _AmountAnswers()
        for method in ("predict", "predict_proba", "decision_function"):
            if hasattr(model, method):
                setattr(found, method, _look_up(method, getattr(model, method)(frame)))
        if hasattr(model, "classes_"):
            found.classes_ = model.classes_
        return found

    def __sklearn_is_fitted__(self) -> bool:
        return True


class _ClassAnswers(ClassifierMixin, _Answers):  # type: ignore[misc]  # as above
    """Answers of a classifier."""


class _AmountAnswers(RegressorMixin, _Answers):  # type: ignore[misc]  # as above
    """Answers of a regressor."""


def _look_up(method: str, answers: Array) -> Any:
    def look_up(rows: Array) -> Array:
        return answers[rows]

    look_up.__name__ = method  # by which scikit-learn asks
    return look_up
