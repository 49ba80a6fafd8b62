"""Columns become numbers as their type and the estimator ask, and only of the rows that train."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Candidate
from tasks.train.data.features import Features, observe
from tasks.train.data.types import Array
from tasks.train.evaluation.fit import fit_model
from tasks.train.evaluation.folds import Attempt, fit_rows
from tasks.train.evaluation.job import CandidateJob
from tasks.train.models.preprocessing import build_model
from tasks.train.models.transformers import split_times
from tasks.train.registry import load_model, save_model
from tests.train.conftest import LOGISTIC, training

Jobs = Callable[..., dict[str, CandidateJob]]

ROWS = 200
FEATURES = Features(numeric=("amount", "seen"), categorical=("kind", "place", "remark"), times=("seen",))
BOOSTING = ["lightgbm.LGBM", "xgboost.XGB", "xgboost.XGBRF", "catboost.CatBoost"]


def remarks(seed: int = 0) -> pd.DataFrame:
    """Return numbers, times, names and remarks, each once missing."""
    rng = np.random.default_rng(seed)
    words = ["tide", "mill", "sea", "corn", "wheel", "late"]
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=ROWS),
            "seen": rng.uniform(0, 1.5e9, ROWS),
            "kind": rng.choice(["x", "y", "z"], ROWS).astype(object),
            "place": rng.choice(["p", "q"], ROWS).astype(object),
            "remark": np.array([" ".join(rng.choice(words, 6)) for _ in range(ROWS)], dtype=object),
        }
    )
    for place, name in enumerate(frame):
        frame.loc[place, name] = np.nan
    return frame


def transformed(estimator: str, preprocessing: Any = "auto", params: dict[str, Any] | None = None) -> Any:
    """Return what an estimator is fitted on."""
    frame = remarks()
    candidate = Candidate(estimator=estimator, preprocessing=preprocessing, params=params or {})
    model = build_model(candidate, observe(FEATURES, frame), seed=1)
    return model[:-1].fit_transform(frame)


@pytest.mark.parametrize(
    ("estimator", "preprocessing", "columns"),
    [
        # amount and seen; its five parts; three kinds and missing, two places and missing; six words
        ("sklearn.linear_model.LogisticRegression", "auto", 2 + 5 + 4 + 3 + 6),
        ("sklearn.ensemble.RandomForestClassifier", "auto", 2 + 5 + 4 + 3 + 6),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "auto", 2 + 5 + 2 + 6),
        ("lightgbm.LGBMClassifier", "auto", 2 + 5 + 2 + 6),
        ("sklearn.linear_model.LogisticRegression", {"texts": "drop", "times": "seconds"}, 2),
        ("sklearn.linear_model.LogisticRegression", {"texts": "codes", "times": "drop"}, 1 + 3),
        ("sklearn.linear_model.LogisticRegression", {"texts": "drop", "times": "parts"}, 1 + 5),
        (
            "sklearn.ensemble.HistGradientBoostingClassifier",
            {"texts": "one_hot", "min_frequency": 0.5},
            2 + 5 + 1 + 2 + 1,
        ),
        ("sklearn.ensemble.RandomForestClassifier", {"texts": "words"}, 2 + 5 + 3 + 2 + 6),
    ],
)
def test_columns_are_chosen_by_type_and_estimator(estimator: str, preprocessing: Any, columns: int) -> None:
    """What an estimator cannot take becomes columns of numbers, and the pipeline file may say otherwise."""
    assert transformed(estimator, preprocessing).shape == (ROWS, columns)


@pytest.mark.parametrize(
    ("estimator", "preprocessing", "missing", "scaled"),
    [
        ("sklearn.linear_model.LogisticRegression", "auto", False, True),
        ("sklearn.ensemble.RandomForestClassifier", "auto", False, False),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "auto", True, False),
        ("lightgbm.LGBMClassifier", "auto", True, False),
        ("lightgbm.LGBMClassifier", {"numbers": "scale"}, False, True),
        ("sklearn.ensemble.HistGradientBoostingClassifier", {"numbers": "impute"}, False, False),
    ],
)
def test_numbers_are_imputed_and_scaled_where_it_helps(
    estimator: str, preprocessing: Any, *, missing: bool, scaled: bool
) -> None:
    """Linear models get both, forests the median, and what splits on missing values by itself neither."""
    choice = {"texts": "drop", **(preprocessing if isinstance(preprocessing, dict) else {})}

    amount, seen = transformed(estimator, choice)[:, :2].T

    assert np.isnan(amount).any() == missing
    assert (np.nanmax(seen) < 10) == scaled


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("estimator", BOOSTING)
@pytest.mark.filterwarnings("error")
def test_other_packages_fit_and_are_saved(tmp_path: Path, estimator: str, kind: str, *, words: bool) -> None:
    """Classes keep their names, categories and missing values are taken, and a loaded model predicts the same."""
    if importlib.util.find_spec(estimator.partition(".")[0]) is None:
        pytest.skip(f"{estimator} is not installed")
    frame = remarks() if words else remarks().drop(columns="remark")
    features = FEATURES if words else Features(FEATURES.numeric, ("kind", "place"), FEATURES.times)
    target = np.where(frame["kind"] == "x", "yes", "no") if kind == "Classifier" else np.arange(ROWS) / 7
    name = "iterations" if "Cat" in estimator else "n_estimators"
    candidate = Candidate(estimator=estimator + kind, params={name: 20})

    model = fit_model(training(), candidate, features, frame, target)

    save_model(model, tmp_path / "model.skops")
    predicted = model.predict(remarks(1))
    assert np.array_equal(load_model(tmp_path / "model.skops").predict(remarks(1)), predicted)
    assert predicted.shape == (ROWS,)
    assert kind == "Regressor" or set(predicted) == {"yes", "no"}


def test_lightgbm_is_told_its_categories() -> None:
    """Texts are categories to LightGBM, not amounts."""
    frame = remarks()

    candidate = Candidate(estimator="lightgbm.LGBMClassifier", params={"n_estimators": 2, "min_data_per_group": 1})
    model = fit_model(training(), candidate, FEATURES, frame, (frame["kind"] == "y").to_numpy())

    first = model[-1].booster_.dump_model()["tree_info"][0]["tree_structure"]
    assert (first["split_feature"], first["decision_type"]) == (0, "==")


SEARCHED = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "search": {"by": "grid", "space": {"C": [0.1, 1, 10]}},
}


@pytest.mark.parametrize("candidate", [LOGISTIC, SEARCHED, {"estimator": "lightgbm.LGBMClassifier"}])
def test_nothing_is_fitted_on_rows_that_test(jobs: Jobs, candidate: dict[str, Any]) -> None:
    """Extreme numbers, new categories and new words in the rows that test change nothing that is fitted."""
    target = (np.arange(ROWS) % 7 < 3).tolist()
    settings: dict[str, Any] = {
        "query": "SELECT * EXCLUDE (row) FROM rows ORDER BY row",
        "candidates": {"any": candidate},
    }

    def fit(frame: pd.DataFrame) -> tuple[Array, str]:
        columns = {name: pa.array(frame[name], from_pandas=True) for name in frame}
        job = jobs({"row": range(ROWS), **columns, "y": target}, **settings)["any"]
        train, test = job.split.sides()
        return test, str(joblib.hash(fit_rows(job, train, Attempt(job))))

    test, plain = fit(remarks())
    wild = remarks()
    wild.loc[test, ["amount", "seen"]] = 1e12
    wild.loc[test, ["kind", "place"]] = "never seen"
    wild.loc[test, "remark"] = "words that no row to train on has ever had"
    tested, planted = fit(wild)

    assert np.array_equal(test, tested)
    assert plain == planted


@given(st.lists(st.one_of(st.none(), st.datetimes()), min_size=1, max_size=5))
def test_times_are_split_as_the_calendar_has_them(moments: list[Any]) -> None:
    """Year, month, day, weekday and hour are those of Python's calendar; a missing time has none."""
    column = pd.Series([m and (m - pd.Timestamp(0).to_pydatetime()).total_seconds() for m in moments], dtype=float)

    found = split_times(pd.DataFrame({"at": column.map(np.floor)}))

    for row, moment in zip(found.to_numpy(), moments, strict=True):
        expected = moment and [moment.year, moment.month, moment.day, moment.weekday(), moment.hour]
        assert np.isnan(row).all() if moment is None else row.tolist() == expected


def test_features_seen_empty_are_left_out() -> None:
    """A column without a value in the rows that train is left out with a warning, whatever it is of."""
    frame = remarks()
    frame[["seen", "place"]] = np.nan

    with pytest.warns(UserWarning, match="null in every row that trains, so left out: seen, place"):
        found = observe(FEATURES, frame)

    assert found == Features(("amount",), ("kind", "remark"), (), wordy=("remark",))
