"""A candidate's result is scikit-learn's own, kept, and never the end of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.config.metrics import named_metrics
from tasks.train.evaluation.folds import evaluate_fold, evaluate_folds
from tasks.train.evaluation.holdout import judge_finalist, measure_importances
from tasks.train.evaluation.job import CandidateJob
from tasks.train.registry import load_model
from tests.train.conftest import LOGISTIC, Evaluate, mixed_table, sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "digits", "iris"])
def test_scores_are_those_of_plain_sklearn(evaluate: Evaluate, name: str) -> None:
    """Logistic regression, a forest and the dummy score on each fold what scikit-learn alone computes."""
    table = sklearn_table(name)
    forest = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 10}}

    results = evaluate(table, query=QUERY, metric="neg_log_loss", candidates={"logistic": LOGISTIC, "forest": forest})

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    x, _, y, _ = train_test_split(features, table["y"], test_size=0.2, random_state=42, stratify=table["y"])
    folds = StratifiedKFold(5, shuffle=True, random_state=42)
    plain: dict[str, Any] = {
        "dummy": DummyClassifier(strategy="prior"),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42)),
        "forest": RandomForestClassifier(n_estimators=10, random_state=42),
    }
    several = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "roc_auc": "roc_auc_ovr"}
    for candidate, model in plain.items():
        alone = cross_validate(model, x, y, cv=folds, scoring=["neg_log_loss", *several.values()])
        found = results[candidate]
        assert list(found.fold_scores) == pytest.approx(list(alone["test_neg_log_loss"]), abs=1e-12, rel=0)
        for metric, scorer in several.items():
            assert (found.metrics or {})[metric] == pytest.approx(alone[f"test_{scorer}"].mean(), abs=1e-12, rel=0)


def test_regression_scores_are_those_of_plain_sklearn(evaluate: Evaluate) -> None:
    """Ridge and a forest on the diabetes data, by r2 and in the target's own unit."""
    table = sklearn_table("diabetes")
    forest = {"estimator": "sklearn.ensemble.RandomForestRegressor", "params": {"n_estimators": 10}}
    ridge = {"estimator": "sklearn.linear_model.Ridge"}

    results = evaluate(table, query=QUERY, metric="r2", candidates={"ridge": ridge, "forest": forest})

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    x, _, y, _ = train_test_split(features, table["y"], test_size=0.2, random_state=42)
    folds = KFold(5, shuffle=True, random_state=42)
    plain: dict[str, Any] = {
        "dummy": DummyRegressor(),
        "ridge": make_pipeline(StandardScaler(), Ridge(random_state=42)),
        "forest": RandomForestRegressor(n_estimators=10, random_state=42),
    }
    for candidate, model in plain.items():
        alone = cross_validate(model, x, y, cv=folds, scoring=["r2", "neg_root_mean_squared_error"])
        assert list(results[candidate].fold_scores) == pytest.approx(list(alone["test_r2"]), abs=1e-12, rel=0)
        error = -alone["test_neg_root_mean_squared_error"].mean()
        assert (results[candidate].metrics or {})["rmse"] == pytest.approx(error, abs=1e-12, rel=1e-12)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [("linear_model.LogisticRegression", {}), ("ensemble.HistGradientBoostingClassifier", {"max_iter": 10})],
)
def test_infinite_values_are_missing_ones(evaluate: Evaluate, estimator: str, params: dict[str, int]) -> None:
    """Numbers and moments without end score as nulls in their place, with imputing and without."""
    candidate = {"estimator": f"sklearn.{estimator}", "params": params}
    asked = {"query": QUERY, "split": {"by": "random", "folds": 2}, "candidates": {"model": candidate}}
    table = sklearn_table("breast_cancer")
    nulls = table | {
        "x0": pa.array(table["x0"], mask=table["x1"] > 25),
        "x1": pa.array(table["x1"], mask=table["x2"] > 99),
    }
    endless = table | {
        "x0": np.where(table["x1"] > 25, np.inf, table["x0"]),
        "x1": np.where(table["x2"] > 99, -np.inf, table["x1"]),
    }

    assert evaluate(endless, **asked)["model"].fold_scores == evaluate(nulls, **asked)["model"].fold_scores


def test_an_estimator_without_probabilities_is_judged_without_them(evaluate: Evaluate) -> None:
    """A support vector classifier has its accuracy, and no metric that asks for probabilities."""
    svc = {"estimator": "sklearn.svm.SVC"}

    results = evaluate(sklearn_table("iris"), query=QUERY, metric="accuracy", candidates={"svc": svc})

    assert results["svc"].error is None
    shown = {n for n, m in named_metrics().items() if m.task == "classification" and m.judged(3) != "probability"}
    assert set(results["svc"].metrics or {}) == shown


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("linear_model.LogisticRegression", {}),
        ("ensemble.HistGradientBoostingClassifier", {"max_iter": 5}),
        ("ensemble.RandomForestClassifier", {"n_estimators": 5}),
        ("naive_bayes.GaussianNB", {}),
        ("naive_bayes.MultinomialNB", {}),
        ("neighbors.KNeighborsClassifier", {}),
    ],
)
@pytest.mark.parametrize("categories", [5, 300])
def test_auto_preprocessing_takes_any_column(
    evaluate: Evaluate, estimator: str, params: dict[str, int], categories: int
) -> None:
    """Nulls, an empty column, times, 300 categories and ones unseen in training are no obstacle."""
    split = {"by": "time", "column": "hour", "folds": 2}

    results = evaluate(
        mixed_table(categories=categories),
        split=split,
        query="SELECT * FROM rows ORDER BY hour",
        candidates={"any": {"estimator": f"sklearn.{estimator}", "params": params}},
    )

    assert results["any"].error is None
    assert results["any"].warnings[0] == "UserWarning: null in every row that trains, so left out: nothing"


def test_no_preprocessing_refuses_texts(evaluate: Evaluate) -> None:
    """`preprocessing: none` names the texts it cannot take."""
    results = evaluate(mixed_table(), candidates={"plain": {**LOGISTIC, "preprocessing": "none"}})

    assert "word are texts; use preprocessing: auto" in str(results["plain"].error)


def test_texts_can_be_the_target(jobs: Jobs) -> None:
    """A model of named classes predicts the names, also after it was saved."""
    columns = {"x0": np.arange(40.0), "y": ["low"] * 20 + ["high"] * 20}
    job = jobs(columns, metric="roc_auc")["logistic"]

    judged = judge_finalist(job)

    model = load_model(job.folder / "model.skops")
    assert (judged.score, judged.interval, judged.error) == (1.0, (1.0, 1.0), None)
    assert sorted(model.classes_) == ["high", "low"]


def test_a_failing_candidate_is_a_result_with_its_reason(evaluate: Evaluate) -> None:
    """A fit or a score that raises ends its own candidate only."""
    neighbors = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 5000}}

    results = evaluate(sklearn_table("iris"), candidates={"neighbors": neighbors, "logistic": LOGISTIC})

    assert results["neighbors"].score is None
    assert "training.candidates.neighbors: " in str(results["neighbors"].error)
    assert "n_neighbors = 5000" in str(results["neighbors"].error)
    assert results["logistic"].error is None


def test_a_bad_parameter_is_a_result_with_its_reason(jobs: Jobs) -> None:
    """A value that scikit-learn refuses at fit is told in its own words."""
    planned = jobs(sklearn_table("iris"))["logistic"]
    bad = planned.candidate.model_copy(update={"params": {"C": -1}})

    result = evaluate_fold(replace(planned, name="bad", candidate=bad), 0)

    assert "InvalidParameterError: The 'C' parameter of LogisticRegression must be a float" in str(result.error)


def test_warnings_are_kept_with_the_result(evaluate: Evaluate) -> None:
    """A fit that does not converge says so on its line."""
    slow = {**LOGISTIC, "params": {"max_iter": 1}}

    results = evaluate(sklearn_table("breast_cancer"), candidates={"slow": slow})

    assert [text.split(":")[0] for text in results["slow"].warnings] == ["ConvergenceWarning"]


def test_a_finalist_is_judged_once_on_the_hold_out(jobs: Jobs) -> None:
    """Its score is plain scikit-learn's, its predictions are kept, and its importances find what matters."""
    table = sklearn_table("iris") | {"x9": np.zeros(150)}
    job = jobs(table, query=QUERY)["logistic"]

    judged, importances = judge_finalist(job), measure_importances(job)

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    x, x_test, y, y_test = train_test_split(features, table["y"], test_size=0.2, random_state=42, stratify=table["y"])
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42)).fit(x, y)
    assert judged.score == plain.score(x_test, y_test) == judged.metrics["accuracy"]
    assert judged.interval is not None
    assert judged.interval[0] <= judged.score <= judged.interval[1]
    kept = pa.ipc.open_file(job.folder / "holdout.arrow").read_all().to_pandas()
    told = [f"{kind}_{i}" for kind in ("probability", "ranking") for i in range(3)]
    assert list(kept.columns) == ["row", "truth", "prediction", *told]
    assert list(kept["row"]) == list(x_test.index)
    assert list(kept["prediction"]) == list(plain.predict(x_test))
    assert importances["x9"] == (0.0, 0.0)
    assert max(importances, key=lambda name: importances[name][0]) in {"x2", "x3"}


def test_an_interval_that_no_draw_defines_is_unknown(jobs: Jobs) -> None:
    """Of sixteen held-out moments with a class each, a draw misses some class, and the areas need them all."""
    moments = np.arange(80)
    columns = {"moment": moments, "x": moments % 16 * 1.0, "y": moments % 16}
    asked = {"split": {"by": "time", "column": "moment", "folds": 2}, "metric": "roc_auc_ovr"}
    job = jobs(columns, query="SELECT * FROM rows ORDER BY moment", **asked)["logistic"]

    judged = judge_finalist(job)

    assert (judged.error, judged.interval) == (None, None)
    assert judged.score > 0.5


def test_a_change_that_matters_changes_the_fingerprint(jobs: Jobs) -> None:
    """Parameters, seed, metric and split count; the number of workers and the limits do not."""
    table = sklearn_table("iris")
    plain = jobs(table)["logistic"].fingerprint
    changes: list[dict[str, Any]] = [
        {"candidates": {"logistic": {**LOGISTIC, "params": {"max_iter": 999}}}},
        {"seed": 1},
        {"metric": "balanced_accuracy"},
        {"split": {"by": "random", "test_fraction": 0.3}},
    ]

    limits = {"logistic": {**LOGISTIC, "time_limit_s": 9, "memory_limit_mb": 999}}

    assert jobs(table, runner={"kind": "processes", "workers": 3}, candidates=limits)["logistic"].fingerprint == plain
    assert plain not in {jobs(table, **change)["logistic"].fingerprint for change in changes}


@pytest.mark.parametrize(
    "candidate",
    [
        {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 5}},
        {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"splitter": "random", "random_state": None}},
    ],
)
def test_a_fold_is_the_same_whichever_came_before(jobs: Jobs, candidate: dict[str, Any]) -> None:
    """How folds are shared among processes changes no score, also of what draws from the state that a process shares."""
    job = jobs(sklearn_table("iris"), candidates={"one": candidate})["one"]

    together = list(evaluate_folds(job, range(3)))

    backwards = [evaluate_fold(job, fold).score for fold in reversed(range(3))]
    assert [result.score for result in together] == backwards[::-1]


def test_no_fold_is_tried_after_a_failed_one(jobs: Jobs) -> None:
    """It would fail alike, and the candidate has failed."""
    neighbors = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 5000}}
    job = jobs(sklearn_table("iris"), candidates={"neighbors": neighbors})["neighbors"]

    (result,) = evaluate_folds(job, range(5))

    assert "n_neighbors = 5000" in str(result.error)
