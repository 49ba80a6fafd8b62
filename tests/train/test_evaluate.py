"""A candidate's result is scikit-learn's own, kept, and never the end of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, mean_absolute_error, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.store import read_json
from tasks.train.evaluate import evaluate_candidate
from tasks.train.jobs import CandidateJob
from tasks.train.leaderboard import crown, rank
from tasks.train.model_store import load_model
from tests.train.conftest import LOGISTIC, Evaluate, mixed_table, sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"


@pytest.mark.parametrize("name", ["iris", "breast_cancer"])
def test_scores_are_those_of_plain_sklearn(evaluate: Evaluate, name: str) -> None:
    """Logistic regression, a forest and the dummy score exactly what scikit-learn alone computes."""
    table = sklearn_table(name)
    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    x, x_test, y, y_test = train_test_split(features, table["y"], test_size=0.2, random_state=42, stratify=table["y"])
    forest = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 10}}

    results = evaluate(table, query=QUERY, metric="neg_log_loss", candidates={"logistic": LOGISTIC, "forest": forest})

    plain: dict[str, Any] = {
        "dummy": DummyClassifier(strategy="prior"),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42)),
        "forest": RandomForestClassifier(n_estimators=10, random_state=42),
    }
    for candidate, model in plain.items():
        probabilities = model.fit(x, y).predict_proba(x_test)
        judged = probabilities if probabilities.shape[1] > 2 else probabilities[:, 1]
        assert results[candidate].metrics == {
            "accuracy": accuracy_score(y_test, model.predict(x_test)),
            "balanced_accuracy": balanced_accuracy_score(y_test, model.predict(x_test)),
            "log_loss": log_loss(y_test, probabilities),
            "roc_auc": roc_auc_score(y_test, judged, multi_class="ovr"),
        }
        assert results[candidate].score == -log_loss(y_test, probabilities)


def test_an_estimator_without_probabilities_is_judged_without_them(evaluate: Evaluate) -> None:
    """A support vector classifier has its accuracy, and no metric that asks for probabilities."""
    svc = {"estimator": "sklearn.svm.SVC"}

    results = evaluate(sklearn_table("iris"), query=QUERY, metric="accuracy", candidates={"svc": svc})

    assert results["svc"].error is None
    assert set(results["svc"].metrics or {}) == {"accuracy", "balanced_accuracy"}


def test_regression_has_its_own_metrics(evaluate: Evaluate) -> None:
    """Amounts are judged by rmse, mae and r2, against the mean of the rows that trained."""
    columns = {"x0": np.arange(100.0), "y": np.arange(100.0) * 2}

    results = evaluate(columns, metric="r2", candidates={"ridge": {"estimator": "sklearn.linear_model.Ridge"}})

    train, test = train_test_split(columns["y"], test_size=0.2, random_state=42)
    assert results["dummy"].metrics is not None
    assert set(results["dummy"].metrics) == {"rmse", "mae", "r2"}
    assert results["dummy"].metrics["mae"] == mean_absolute_error(test, np.full(20, train.mean()))
    assert results["ridge"].score == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    "estimator",
    [
        "linear_model.LogisticRegression",
        "ensemble.HistGradientBoostingClassifier",
        "ensemble.RandomForestClassifier",
        "naive_bayes.GaussianNB",
        "naive_bayes.MultinomialNB",
        "neighbors.KNeighborsClassifier",
    ],
)
@pytest.mark.parametrize("categories", [5, 300])
def test_auto_preprocessing_takes_any_column(evaluate: Evaluate, estimator: str, categories: int) -> None:
    """Nulls, an empty column, times, 300 categories and ones unseen in training are no obstacle."""
    split = {"by": "time", "column": "hour"}

    results = evaluate(
        mixed_table(categories=categories),
        split=split,
        query="SELECT * FROM rows ORDER BY hour",
        candidates={"any": {"estimator": f"sklearn.{estimator}"}},
    )

    assert results["any"].error is None
    assert results["any"].warnings[0] == "UserWarning: null in all 320 rows that train, so left out: nothing"


def test_no_preprocessing_refuses_texts(evaluate: Evaluate) -> None:
    """`preprocessing: none` names the texts it cannot take."""
    results = evaluate(mixed_table(), candidates={"plain": {**LOGISTIC, "preprocessing": "none"}})

    assert "word are texts; use preprocessing: auto" in str(results["plain"].error)


def test_texts_can_be_the_target(evaluate: Evaluate, tmp_path: Path) -> None:
    """A model of named classes predicts the names, also after it was saved."""
    columns = {"x0": np.arange(40.0), "y": ["low"] * 20 + ["high"] * 20}

    results = evaluate(columns, metric="roc_auc")

    model = load_model(tmp_path / "models" / str(results["logistic"].model))
    assert results["logistic"].score == 1.0
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

    result = evaluate_candidate(CandidateJob("bad", bad, planned.training, planned.training_set, planned.models))

    assert "InvalidParameterError: The 'C' parameter of LogisticRegression must be a float" in str(result.error)


def test_warnings_are_kept_with_the_result(evaluate: Evaluate) -> None:
    """A fit that does not converge says so on its line."""
    slow = {**LOGISTIC, "params": {"max_iter": 1}}

    results = evaluate(sklearn_table("breast_cancer"), candidates={"slow": slow})

    assert [text.split(":")[0] for text in results["slow"].warnings] == ["ConvergenceWarning"]


def test_a_finished_candidate_is_not_fitted_again(jobs: Jobs) -> None:
    """The second evaluation reads the first one's result; `fresh` fits once more."""
    job = jobs(sklearn_table("iris"))["logistic"]
    first = evaluate_candidate(job)
    written = (job.folder / "model.skops").stat().st_mtime_ns

    second = evaluate_candidate(job)
    unchanged = (job.folder / "model.skops").stat().st_mtime_ns == written
    third = evaluate_candidate(job, fresh=True)

    assert (first.reused, second.reused, third.reused, unchanged) == (False, True, False, True)
    assert first.metrics == second.metrics == third.metrics


def test_a_change_that_matters_changes_the_fingerprint(jobs: Jobs) -> None:
    """Parameters, seed, metric and split count; the number of workers does not."""
    table = sklearn_table("iris")
    plain = jobs(table)["logistic"].fingerprint
    changes: list[dict[str, Any]] = [
        {"candidates": {"logistic": {**LOGISTIC, "params": {"max_iter": 999}}}},
        {"seed": 1},
        {"metric": "balanced_accuracy"},
        {"split": {"by": "random", "test_fraction": 0.3}},
    ]

    assert jobs(table, workers=3)["logistic"].fingerprint == plain
    assert plain not in {jobs(table, **change)["logistic"].fingerprint for change in changes}


def test_leaderboard_ranks_and_crowns(jobs: Jobs, tmp_path: Path) -> None:
    """The best candidate besides the dummy is champion; failed ones stand last."""
    bad = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 5000}}
    planned = list(jobs(sklearn_table("iris"), candidates={"bad": bad, "logistic": LOGISTIC}).values())

    leaderboard = rank(planned, [evaluate_candidate(job) for job in planned])
    crown(tmp_path / "models", leaderboard)

    assert [result.name for result in leaderboard.results] == ["logistic", "dummy", "bad"]
    assert leaderboard.beats_dummy
    champion = read_json(tmp_path / "models" / "champion.json")
    assert (champion["candidate"], champion["training_rows"], champion["test_rows"]) == ("logistic", 120, 30)
    assert (tmp_path / "models" / champion["model"]).is_file()


def test_the_dummy_is_never_champion(jobs: Jobs) -> None:
    """Where nothing can be learnt the best candidate is champion, and it is said that the dummy is as good."""
    columns = {"x0": [1.0] * 40, "y": [False, False, True, False] * 10}
    planned = list(jobs(columns).values())

    leaderboard = rank(planned, [evaluate_candidate(job) for job in planned])

    assert leaderboard.champion is not None
    assert (leaderboard.champion.name, leaderboard.beats_dummy) == ("logistic", False)
