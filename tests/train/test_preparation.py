"""Columns made ready without a frame: what the model's own steps make of them, or those steps are asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tasks.config import Candidate
from tasks.train.data.drift import describe_features
from tasks.train.data.features import features_among, observe, read_columns, read_frame
from tasks.train.data.types import Array
from tasks.train.models.preprocessing import build_model
from tasks.train.predict.preparation import find_preparation
from tasks.train.scoring.records import read_records
from tasks.train.scoring.scorer import load_serving
from tests.train.conftest import LOGISTIC
from tests.train.publishing import judge
from tests.train.test_predict import new_rows
from tests.train.test_preprocessing import FEATURES, remarks

LINEAR = "sklearn.linear_model.LogisticRegression"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"


def fitted(estimator: str, preprocessing: Any) -> Pipeline:
    """Return a model whose columns have learnt from remarks."""
    frame = remarks()
    model = build_model(Candidate(estimator=estimator, preprocessing=preprocessing), observe(FEATURES, frame), seed=1)
    model[0].fit(frame)
    return model


def as_arrays(frame: pd.DataFrame) -> dict[str, Array]:
    """Return the columns of a frame."""
    return {str(name): frame[name].to_numpy() for name in frame}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("estimator", "preprocessing"),
    [
        (LINEAR, "auto"),
        (LINEAR, {"texts": "codes", "times": "seconds", "numbers": "none"}),
        (LINEAR, {"texts": "one_hot", "min_frequency": 0.4, "numbers": "impute"}),
        ("sklearn.naive_bayes.ComplementNB", {"texts": "codes"}),
        ("sklearn.ensemble.RandomForestClassifier", {"texts": "codes"}),
        (BOOSTING, "auto"),
        (BOOSTING, {"texts": "drop"}),
        ("lightgbm.LGBMClassifier", "auto"),
        ("xgboost.XGBClassifier", "auto"),
    ],
)
@pytest.mark.parametrize("rows", [1, 16])
def test_arrays_become_what_a_frame_of_them_becomes(estimator: str, preprocessing: Any, rows: int) -> None:
    """To the last bit, and in the same order in memory; with values that were never seen, or are missing."""
    model, seen = fitted(estimator, preprocessing), remarks(1)
    seen.loc[1, ["kind", "place", "remark"]] = "never seen"

    found = find_preparation(model, describe_features(remarks()))

    assert found is not None
    for start in (0, 1, 40):
        frame = seen[start : start + rows]
        made, own = found.prepare(as_arrays(frame)), model[0].transform(frame)
        assert np.array_equal(made, own, equal_nan=True)
        assert (made.dtype, made.strides) == (own.dtype, own.strides)


class Odd(StandardScaler):  # type: ignore[misc] # scikit-learn ships no types
    """A step that is none of ours."""


@pytest.mark.parametrize("case", ["own", "sparse", "frames", "vote", "unlike", "nothing"])
def test_what_is_not_known_to_be_the_same_is_left_to_a_frame(case: str) -> None:
    """Steps of others, sparse matrices, frames handed on, ensembles, and steps that answer otherwise."""
    frame = remarks()[["amount", "kind"]]
    steps: dict[str, Any] = {"own": Odd(), "sparse": OneHotEncoder(handle_unknown="ignore")}
    columns = ColumnTransformer(
        [("one", steps.get(case, StandardScaler()), ["kind" if case == "sparse" else "amount"])]
    )
    if case == "frames":
        columns.set_output(transform="pandas")
    columns.fit(frame)
    if case == "unlike":
        columns.transform = lambda given: np.zeros((len(given), 1))
    model = make_pipeline("passthrough" if case == "vote" else columns, StandardScaler())

    assert find_preparation(model, {} if case == "nothing" else describe_features(frame)) is None


def test_the_endpoint_asks_the_estimator_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame is made for a request, by which it took most of its time."""
    judged = judge(tmp_path, new_rows(120), LOGISTIC, query="SELECT * FROM rows")
    judged.decide()
    serving = load_serving(judged.models)
    row = {"number": 1.5, "whole": 2, "truth": True, "word": None, "moment": "2013-01-31T05:00:00Z"}
    frames = list[Any]()
    monkeypatch.setattr(ColumnTransformer, "transform", lambda _, given: frames.append(given))

    table = read_records(json.dumps([row]).encode(), serving.model.version.features, 1)
    serving.predict(table)

    assert frames == []


def test_arrays_have_the_values_of_the_frame() -> None:
    """Missing and infinite ones too; and the last row again, where whole blocks are asked for."""
    table = pa.table({"x": [1.0, None, np.inf], "n": [1, None, 3], "t": ["a", None, "b"], "b": [True, None, False]})
    features = features_among(table.schema)

    plain, blocks = read_columns(table, features), read_columns(table, features, 4)

    frame = read_frame(table, features)
    for name in features.names:
        assert pd.Series(plain[name]).equals(pd.Series(frame[name].to_numpy()))
        assert pd.Series(blocks[name]).equals(pd.Series(frame[name].to_numpy()[[0, 1, 2, 2]]))
