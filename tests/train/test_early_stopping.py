"""Boosting ends by rows of its own fit, parted as the training is, and is else what its package makes of the same rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, early_stopping
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

from tasks.config import Candidate, EarlyStopping, GroupSplit
from tasks.core.errors import TrainingError
from tasks.train.checks.section import check_training
from tasks.train.data.features import Features
from tasks.train.evaluation.calibration import uncalibrated
from tasks.train.evaluation.fit import chosen_params, fit_model
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.job import CandidateJob
from tasks.train.models.early_stopping import HeldBack
from tasks.train.models.model_file import load_model, save_model
from tests.train.conftest import sklearn_table, training

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
STOP: dict[str, Any] = {"early_stopping": {"fraction": 0.2, "rounds": 3}, "params": {"learning_rate": 0.3}}
CLASSIFIER = "sklearn.ensemble.HistGradientBoostingClassifier"
HISTOGRAM = {"estimator": "sklearn.ensemble.HistGradientBoostingRegressor", **STOP}


@pytest.mark.parametrize("by", ["random", "time", "group"])
def test_rows_are_held_back_in_the_way_of_the_split(jobs: Jobs, by: str) -> None:
    """At random, the latest after a gap, or whole groups, of the rows that a fold trains on: scikit-learn's own of them."""
    table = sklearn_table("diabetes")
    x, y = np.column_stack([table[f"x{i}"] for i in range(10)]), table["y"]
    days, shops = [date(2020, 1, 1) + timedelta(days=row) for row in range(len(y))], [row // 7 for row in range(len(y))]
    kinds: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
        "random": ({}, {}),
        "time": ({"day": days}, {"column": "day", "gap": "5d"}),
        "group": ({"shop": shops}, {"column": "shop"}),
    }
    of_row, more = kinds[by]
    split = {"by": by, "folds": 3, **more}
    asked = {"query": QUERY, "metric": "r2", "split": split, "candidates": {"boosting": HISTOGRAM}}
    job = jobs(table | of_row, **asked)["boosting"]

    result = evaluate_fold(job, 2)

    train, test = job.split.sides(2)
    if by == "random":
        learnt, held = train_test_split(train, test_size=0.2, random_state=42)
    elif by == "time":
        cut = round(len(train) * 0.8)
        learnt, held = train[: cut - 5], train[cut:]
    else:
        shuffle = GroupShuffleSplit(1, test_size=0.2, random_state=42)
        learnt, held = (train[side] for side in next(shuffle.split(train, groups=train // 7)))
    plain = HistGradientBoostingRegressor(
        learning_rate=0.3, early_stopping=True, n_iter_no_change=3, random_state=42
    ).fit(x[learnt], y[learnt], X_val=x[held], y_val=y[held])
    assert result.error is None
    assert result.score == pytest.approx(plain.score(x[test], y[test]), abs=1e-12)
    assert plain.n_iter_ < 100
    assert set(held) <= set(train)
    other = jobs(table | of_row, **asked | {"candidates": {"boosting": {**HISTOGRAM, "early_stopping": None}}})
    assert other["boosting"].fingerprint != job.fingerprint


def fitted(candidate: Candidate, weight: Any = None, **changes: Any) -> tuple[Pipeline, pd.DataFrame, Any]:
    """Return a candidate fitted on breast cancer, whose classes are texts and each row a moment; its rows, and their classes."""
    table = sklearn_table("breast_cancer")
    frame = pd.DataFrame({f"x{i}": table[f"x{i}"] for i in range(30)})
    target = np.where(table["y"] == 1, "benign", "malign")
    asked, names = training(metric="roc_auc", positive="malign", **changes), Features(tuple(frame.columns), ())
    model = fit_model(asked, candidate, names, frame, target, np.arange(569), weight=weight)
    return model, frame, target


@pytest.mark.parametrize("package", ["sklearn", "lightgbm", "xgboost", "catboost"])
def test_each_package_ends_by_the_rows_held_back_and_is_saved_so(package: str, tmp_path: Path) -> None:
    """Weights go with both parts; what is loaded predicts the same; scikit-learn's pipeline is all that is saved."""
    weight = np.random.default_rng(0).exponential(size=569) ** 3 + 0.001
    pytest.importorskip(package)  # one of them is not among what tests need
    params: dict[str, Any] = {"learning_rate": 0.3, "random_state": 42}
    told: dict[str, Any]
    plain: Any
    path = {
        "sklearn": CLASSIFIER,
        "lightgbm": "lightgbm.LGBMClassifier",
        "xgboost": "xgboost.XGBClassifier",
        "catboost": "catboost.CatBoostClassifier",
    }[package]

    model, frame, target = fitted(Candidate.model_validate({"estimator": path, **STOP}), weight)

    learnt, held = train_test_split(np.arange(569), test_size=0.2, random_state=42, stratify=target)
    x, y = frame.to_numpy(), (target == "malign").astype(int)
    given = x[learnt], y[learnt], weight[learnt]
    if package == "sklearn":
        plain = HistGradientBoostingClassifier(early_stopping=True, n_iter_no_change=3, **params)
        plain.fit(*given, X_val=x[held], y_val=y[held], sample_weight_val=weight[held])
        assert plain.n_iter_ < 100
    elif package == "lightgbm":
        plain = LGBMClassifier(n_jobs=1, verbosity=-1, **params)
        told = {"eval_X": x[held], "eval_y": y[held], "eval_sample_weight": [weight[held]]}
        plain.fit(*given, callbacks=[early_stopping(3, verbose=False)], **told)
        assert plain.best_iteration_ < 100
    elif package == "catboost":
        catboost = pytest.importorskip(package)
        plain = catboost.CatBoostClassifier(thread_count=1, verbose=False, allow_writing_files=False, **params)
        told = {"eval_set": catboost.Pool(x[held], y[held], weight=weight[held]), "early_stopping_rounds": 3}
        plain.fit(*given[:2], sample_weight=given[2], **told)
        assert plain.tree_count_ < 900
    else:
        plain = XGBClassifier(n_jobs=1, early_stopping_rounds=3, **params)
        told = {"eval_set": [(x[held], y[held])], "sample_weight_eval_set": [weight[held]]}
        plain.fit(given[0], given[1], sample_weight=given[2], verbose=False, **told)
        assert plain.best_iteration < 90
    assert type(model) is Pipeline
    assert model.classes_.tolist() == ["benign", "malign"]
    found = model.predict_proba(frame)
    np.testing.assert_allclose(found, plain.predict_proba(x), rtol=0, atol=1e-12)
    save_model(model, tmp_path / "model.skops")
    np.testing.assert_array_equal(load_model(tmp_path / "model.skops").predict_proba(frame), found)


def test_a_search_holds_rows_back_within_its_own_fits() -> None:
    """Each of its fits is early stopped; what it gives is a plain pipeline with what it chose."""
    search = {"by": "grid", "space": {"max_depth": [1, 2, 3]}}
    candidate = Candidate.model_validate({"estimator": CLASSIFIER, **STOP, "search": search})

    model, _, _ = fitted(candidate)

    assert type(model) is Pipeline
    assert chosen_params(model, candidate)["max_depth"] in {1, 2, 3}
    assert model[-1].n_iter_ < 100
    assert model[-1].validation_score_ is not None


def test_some_of_a_fits_rows_are_held_back_by_their_own_groups() -> None:
    """As a search's fits see them: known by the numbers in their index, in whatever order."""
    unit, rows = np.arange(300) // 10, np.random.default_rng(1).permutation(300)[:120]
    held_back = HeldBack(EarlyStopping(fraction=0.3), GroupSplit(column="shop"), 7, unit)

    learnt, held = held_back.part(pd.DataFrame({"x": rows}, index=rows), rows / 3)

    assert sorted(np.concatenate([learnt, held])) == list(range(120))
    assert not set(unit[rows[learnt]]) & set(unit[rows[held]])


@pytest.mark.parametrize("split", [{"by": "random"}, {"by": "time", "column": "t"}])
def test_each_fit_of_a_correction_holds_rows_back(split: dict[str, Any], tmp_path: Path) -> None:
    """What is corrected has ended early, and is saved as scikit-learn's own."""
    candidate = Candidate.model_validate({**HISTOGRAM, "estimator": CLASSIFIER, "calibrate": "sigmoid"})

    model, frame, _ = fitted(candidate, split=split)

    beneath = uncalibrated(model)
    assert isinstance(beneath, Pipeline)
    assert type(beneath) is Pipeline
    assert beneath[-1].n_iter_ < 100
    save_model(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops").predict_proba(frame)
    np.testing.assert_array_equal(loaded, model.predict_proba(frame))


def test_rows_that_cannot_be_held_back_are_told() -> None:
    """A class that the rows learnt from lack, or too few rows, end the candidate with a sentence."""
    candidate = Candidate.model_validate({"estimator": CLASSIFIER, **STOP})
    frame, names = pd.DataFrame({"x": np.arange(40.0)}), Features(("x",), ())
    late = np.repeat([0, 1, 2], [18, 18, 4])
    by_time = training(split={"by": "time", "column": "t"})
    with pytest.raises(
        TrainingError, match=r"early_stopping: .* 40 rows of a fit, and the others lack one of the classes"
    ):
        fit_model(by_time, candidate, names, frame, late, np.arange(40))
    with pytest.raises(
        TrainingError, match=r"40 rows of a fit, and 't' is the same moment in all 40 rows.*; take early_"
    ):
        fit_model(by_time, candidate, names, frame, late, np.zeros(40))
    with pytest.raises(TrainingError, match=r"early_stopping: .*; take early_stopping out or widen the query"):
        fit_model(training(), candidate, names, frame, np.repeat([0, 1], [39, 1]))


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        ({"estimator": "sklearn.ensemble.RandomForestClassifier"}, "RandomForestClassifier takes no rows to end by"),
        (
            {"estimator": "xgboost.XGBRFClassifier"},
            "XGBRFClassifier takes no rows to end by; take it out, or choose Hist",
        ),
        (
            {"estimator": "xgboost.XGBClassifier", "params": {"early_stopping_rounds": 5}},
            "is said by early_stopping_rounds too; take one of them out",
        ),
    ],
)
def test_what_cannot_end_early_is_refused_before_there_is_data(candidate: dict[str, Any], says: str) -> None:
    """An estimator that takes no such rows, and a parameter that says otherwise."""
    asked = training(candidates={"boosting": {**candidate, "early_stopping": {}}})

    (mistake,) = check_training(asked)

    assert mistake.startswith("training.candidates.boosting.early_stopping: ")
    assert says in mistake
