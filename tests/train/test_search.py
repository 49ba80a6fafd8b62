"""A search finds what is better, on the rows of its fit only, and the same each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from tasks.config import Candidate, RandomSearch
from tasks.core.errors import TrainingError
from tasks.train.data.features import Features
from tasks.train.evaluation.fit import chosen_params, fit_model
from tasks.train.evaluation.search import combine, first_rows
from tests.train.conftest import training

LINEAR = "sklearn.linear_model.LogisticRegression"
NEIGHBORS = "sklearn.neighbors.KNeighborsClassifier"
CANCER = load_breast_cancer()
COLUMNS = tuple(f"x{i}" for i in range(30))
FRAME = pd.DataFrame(CANCER.data, columns=list(COLUMNS))
NAMES = Features(COLUMNS, ())


def fitted(candidate: Candidate, rows: int = len(FRAME), **changes: Any) -> Pipeline:
    """Return a candidate fitted on the first rows of breast_cancer; each ten rows are a moment or group."""
    target = CANCER.target[:rows]
    return fit_model(training(**changes), candidate, NAMES, FRAME.iloc[:rows], target, np.arange(rows) // 10)


def searching(estimator: str = NEIGHBORS, params: dict[str, Any] | None = None, **search: Any) -> Candidate:
    """Return a candidate with a search."""
    return Candidate.model_validate({"estimator": estimator, "params": params or {}, "search": search})


def test_a_grid_finds_what_sklearn_finds() -> None:
    """With rows for one round only, the search is that of `GridSearchCV` over stratified folds of the seed."""
    candidate = searching(by="grid", space={"n_neighbors": [1, 9, 30], "weights": ["uniform", "distance"]})

    model = fitted(candidate, rows=210, metric="roc_auc")

    plain = GridSearchCV(
        model,
        {"estimator__n_neighbors": [1, 9, 30], "estimator__weights": ["uniform", "distance"]},
        scoring="roc_auc",
        cv=StratifiedKFold(3, shuffle=True, random_state=42),
    ).fit(FRAME[:210], CANCER.target[:210])
    assert chosen_params(model, candidate) == {k.removeprefix("estimator__"): v for k, v in plain.best_params_.items()}
    assert type(model) is Pipeline
    assert np.array_equal(model.predict(FRAME), plain.predict(FRAME))


@pytest.mark.parametrize("split", ["random", "time", "group"])
def test_a_random_search_is_the_same_each_time(split: str) -> None:
    """The seed decides what is drawn and chosen, however the training is split."""
    candidate = searching(
        by="random",
        n=9,
        space={"n_neighbors": {"low": 1, "high": 60, "whole": True, "log": True}, "weights": ["uniform", "distance"]},
    )
    wanted = {"by": split} if split == "random" else {"by": split, "column": "unit"}

    first, second = (chosen_params(fitted(candidate, split=wanted), candidate) for _ in range(2))

    assert first == second
    assert isinstance(first["n_neighbors"], int)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_a_bad_combination_does_not_end_the_search() -> None:
    """A combination that the estimator refuses loses; the others are compared."""
    candidate = searching(
        LINEAR, {"max_iter": 5000}, by="grid", space={"solver": ["lbfgs", "saga"], "l1_ratio": [1, 0]}
    )

    model = fitted(candidate, rows=60)

    assert chosen_params(model, candidate) != {"solver": "lbfgs", "l1_ratio": 1}


@pytest.mark.parametrize(
    ("rows", "split", "says"),
    [
        (21, {"by": "random"}, "tunes on 3 folds of the 21 rows of a fit, and there are 2 rows of the rarest class"),
        (30, {"by": "time", "column": "unit"}, "there are 3 moments of 'unit' to train on, and 3 folds need 4; take"),
        (20, {"by": "group", "column": "unit"}, "there are 2 groups to train on, and 3 folds need 3; take search out"),
    ],
)
def test_too_few_rows_are_told(rows: int, split: dict[str, Any], says: str) -> None:
    """A fit whose rows make no folds says how many there are, and the cure."""
    with pytest.raises(TrainingError, match=says):
        fitted(searching(by="grid", space={"n_neighbors": [1, 2]}), rows=rows, split=split)


@given(
    low=st.floats(0.001, 10),
    width=st.floats(0.5, 1000),
    whole=st.booleans(),
    log=st.booleans(),
    seed=st.integers(0, 5),
)
def test_numbers_are_drawn_between_their_bounds(*, low: float, width: float, whole: bool, log: bool, seed: int) -> None:
    """Bounds hold, whole numbers are whole, and nothing is tried twice."""
    low, high = (float(int(low)) + 1, float(int(low + width)) + 2) if whole else (low, low + width)
    space = {"size": {"low": low, "high": high, "log": log, "whole": whole}, "kind": ["a", "b"]}

    combinations = combine(RandomSearch.model_validate({"n": 12, "space": space}), seed)

    assert all(low <= each["size"] <= high for each in combinations)
    assert all(isinstance(each["size"], int if whole else float) for each in combinations)
    assert 1 <= len(combinations) == len({(each["size"], each["kind"]) for each in combinations}) <= 12


@pytest.mark.parametrize(
    ("rows", "combinations", "rarest", "expected"),
    [
        (60_000, 27, 0.5, 2222),  # 2222, 6666, 20,000 and 60,000 rows
        (60_000, 27, 0.001, 20_000),  # twenty rows of the rare class
        (1000, 27, 0.5, 200),
        (120, 27, 0.5, 120),  # one round
        (60_000, 2, 0.5, 60_000),
    ],
)
def test_rounds_begin_with_enough_rows(rows: int, combinations: int, rarest: float, expected: int) -> None:
    """The first round has rows enough to tell combinations apart, and of every class."""
    classes = (np.arange(rows) < rows * rarest).astype(int)

    assert first_rows(rows, combinations, classes) == expected
