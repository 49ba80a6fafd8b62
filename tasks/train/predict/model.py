"""A version that predicts: what it says of a batch of rows, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from tasks.core.errors import ConfigError, TrainingError
from tasks.train.assessment.conformal import Conformal
from tasks.train.assessment.threshold import Threshold, decide
from tasks.train.data.classes import TWO
from tasks.train.data.features import Features, read_columns, read_frame
from tasks.train.data.types import Array
from tasks.train.evaluation.output_file import PROBABILITY
from tasks.train.models.estimators import package_of
from tasks.train.models.own import check_answers, check_length
from tasks.train.predict.intervals import interval_columns, interval_fields
from tasks.train.predict.output import MADE_BY
from tasks.train.predict.preparation import Preparation
from tasks.train.registry import Version, read_champion, read_version

PREDICTION = "prediction"
DECISION = "decision"

# BLAS adds up the products of a matrix's last rows in another order than those of the others, in blocks of up to 16: with
# whole blocks a row's answer is the same to the last bit, whatever rows it is predicted with.
_BLOCK_ROWS = 16

# Their `predict` takes the class whose `predict_proba` is largest, by the same sums: it need not be asked too, which takes
# as long, but where two classes are so near that the probabilities may have lost what tells them apart.
_BY_PROBABILITY: Mapping[str, frozenset[str]] = {
    "sklearn": frozenset(
        {
            "BernoulliNB",
            "CalibratedClassifierCV",
            "DecisionTreeClassifier",
            "ExtraTreeClassifier",
            "ExtraTreesClassifier",
            "GaussianNB",
            "GradientBoostingClassifier",
            "HistGradientBoostingClassifier",
            "LogisticRegression",
            "MLPClassifier",
            "MultinomialNB",
            "RandomForestClassifier",
            "VotingClassifier",
        }
    ),
    "lightgbm": frozenset({"LGBMClassifier"}),
}
_NEAR = 1e-6


@dataclass(frozen=True)
class ServingModel:
    """A version that predicts batches of rows with its features."""

    version: Version
    model: Pipeline
    features: Features
    preparation: Preparation | None = None
    """How a few rows are made ready in less time, where that is known to be the same."""

    def predict(self, table: pa.Table) -> tuple[pa.Table, pd.DataFrame]:
        """Return the rows with what the model says of them, and their features as it was asked.

        What it says of a row does not depend on the rows beside it.

        Raises:
            TrainingError: the model cannot predict these rows.

        """
        rows = table.num_rows
        padding = [table.slice(rows - 1)] * (-rows % _BLOCK_ROWS)
        frame = read_frame(pa.concat_tables([table, *padding]), self.features)
        with self._refusing():
            predicted, probability = self._ask(frame)
            self._check(predicted, probability, len(frame))
        for name, values in self._columns(predicted, probability, rows).items():
            table = table.append_column(name, values)
        return table, frame.head(rows)

    def answer(self, table: pa.Table) -> tuple[pa.Table, Mapping[str, Array]]:
        """Return the same of few rows in less time, without their columns; the features are arrays.

        Raises:
            TrainingError: the model cannot predict these rows.

        """
        rows = table.num_rows
        if self.preparation is None:
            told, frame = self.predict(table)
            return told.select(self.added), {name: frame[name].to_numpy() for name in self.features.names}
        columns = read_columns(table, self.features, _BLOCK_ROWS)
        with self._refusing():
            predicted, probability = self._ask_estimator(self.preparation.prepare(columns))
        told = pa.table(self._columns(predicted, probability, rows))
        return told, {name: values[:rows] for name, values in columns.items()}

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:  # of missing numbers where the model takes none, say
            said = (str(error).splitlines() or [""])[0].rstrip(".")
            raise TrainingError(f"{self.version.name} cannot predict these rows ({said}); correct them") from error

    def _columns(self, predicted: Array, probability: Array | None, rows: int) -> dict[str, pa.Array]:
        """Return what the model says of the first rows, by column; the others filled a block."""
        predicted, probability = predicted[:rows], None if probability is None else probability[:rows]
        told = {PREDICTION: _plain(predicted)}
        if probability is not None:
            for name, column in zip(self._probabilities, probability.T, strict=True):
                told[name] = pa.array(np.ascontiguousarray(column, dtype=float))
            if (threshold := self._threshold) is not None:
                place = self.model.classes_.tolist().index(threshold.positive)
                told[DECISION] = pa.array(decide(threshold, probability[:, place]))
        told |= interval_columns(self._intervals, predicted, probability, self._classes)
        return told | {MADE_BY: pa.repeat(self.version.name, rows)}

    def empty(self, schema: pa.Schema) -> pa.Table:
        """Return what no rows become."""
        kind = pa.float64() if self._classes is None else self._classes.type
        fields = [*schema, pa.field(PREDICTION, kind)]
        fields += [pa.field(name, pa.float64()) for name in self._probabilities]
        if (threshold := self._threshold) is not None:
            fields += [pa.field(DECISION, pa.array([threshold.positive, threshold.negative]).type)]
        fields += interval_fields(self._intervals, kind)
        return pa.schema([*fields, pa.field(MADE_BY, pa.string())]).empty_table()

    @property
    def added(self) -> tuple[str, ...]:
        """Return the columns that the model adds."""
        decision = () if self._threshold is None else (DECISION,)
        sure = (field.name for field in interval_fields(self._intervals, pa.null()))
        return (PREDICTION, *self._probabilities, *decision, *sure, MADE_BY)

    @property
    def _threshold(self) -> Threshold | None:
        return self.version.assessment.decision if self.version.assessment is not None else None

    @property
    def _intervals(self) -> Conformal | None:
        return self.version.assessment.intervals if self.version.assessment is not None else None

    @property
    def _classes(self) -> pa.Array | None:
        return _plain(self.model.classes_) if hasattr(self.model, "classes_") else None

    @property
    def _probabilities(self) -> tuple[str, ...]:
        if not hasattr(self.model, "predict_proba"):
            return ()
        return tuple(f"{PROBABILITY}{label}" for label in self.model.classes_)

    def _check(self, predicted: Array, probability: Array | None, rows: int) -> None:
        """Raise where steps of the user's own have not one answer a row, or none that can be one."""
        if not self.version.types:
            return
        for method, answers in (("predict", predicted), ("predict_proba", probability)):
            if answers is not None:
                check_length(self.model, answers, rows)
                check_answers(self.model[-1], method, answers)

    def _ask(self, frame: Any) -> tuple[Array, Array | None]:
        """Return the prediction of each row, and the probability of each class where the model gives any."""
        if self.version.types:  # which may change the rows that they are given
            asked = getattr(self.model, "predict_proba", None)
            probability = None if asked is None else np.asarray(asked(frame.copy()))
            return np.asarray(self.model.predict(frame.copy())), probability
        return self._ask_estimator(self.model[:-1].transform(frame))

    def _ask_estimator(self, given: Any) -> tuple[Array, Array | None]:
        """Return the same of rows whose columns are made ready."""
        estimator = self.model[-1]
        if not hasattr(estimator, "predict_proba"):
            return np.asarray(estimator.predict(given)), None
        probability = np.asarray(estimator.predict_proba(given))
        if type(estimator).__name__ not in _BY_PROBABILITY.get(package_of(estimator), ()):
            return np.asarray(estimator.predict(given)), probability
        best = np.argmax(probability, axis=1)
        predicted = estimator.classes_[best]
        second, first = np.partition(probability, -TWO, axis=1)[:, -TWO:].T
        unclear = np.flatnonzero(~(first - second > _NEAR))  # NaN too
        if len(unclear):
            predicted[unclear] = self._ask_again(given, unclear)
        return predicted, probability

    def _ask_again(self, given: Any, rows: Array) -> Array:
        """Return the model's own prediction of some rows, in whole blocks."""
        padded = np.resize(rows, len(rows) + -len(rows) % _BLOCK_ROWS)
        chosen = given.iloc[padded] if hasattr(given, "iloc") else given[padded]
        answers: Array = self.model[-1].predict(chosen)
        return answers[: len(rows)]


def read_serving(models: Path) -> Version:
    """Return the version that serves.

    Raises:
        ConfigError: none does.

    """
    champion = read_champion(models)
    if champion is None:
        raise ConfigError(f"no version of {models.name} serves yet; run its pipeline first")
    return read_version(models, champion.version)


def _plain(answers: Array) -> pa.Array:
    try:
        return pa.array(answers.tolist() if answers.dtype == object else answers)
    except pa.ArrowException as error:
        raise TrainingError(f"the model's answers are {answers.dtype}, which Parquet has not ({error})") from None
