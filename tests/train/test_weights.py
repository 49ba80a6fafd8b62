"""Rows that count differently: every figure is scikit-learn's own of the same weights, and none is of rows alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from tasks.config import Candidate, Training
from tasks.core.errors import TrainingError
from tasks.train.checks.preview import find_row_mistakes
from tasks.train.data.features import Features
from tasks.train.data.training_set import Problem
from tasks.train.evaluation.fit import chosen_params, fit_model
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist, measure_importances
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.metrics import ModelOutput, quick_scoring, score_all
from tasks.train.evaluation.output_file import read_output
from tasks.train.evaluation.results import HOLDOUT_FILE
from tasks.train.evaluation.statistics import Bootstrap
from tasks.train.registry.comparison import HeldOut, paired_bootstrap_difference
from tests.train.conftest import LOGISTIC, Evaluate, check_rows, sklearn_table, training, write_table

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
SCORERS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1": "f1",
    "roc_auc": "roc_auc",
    "pr_auc": "average_precision",
    "log_loss": "neg_log_loss",
    "brier": "neg_brier_score",
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "r2": "r2",
    "mape": "neg_mean_absolute_percentage_error",
}
FOLD, HOLDOUT = attrgetter("score", "metrics"), attrgetter("score", "metrics", "interval")
near = partial(pytest.approx, abs=1e-12, rel=1e-12)


def weighted(name: str) -> tuple[dict[str, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return a data set of scikit-learn as a table with weights, and as features, target and weights."""
    table = sklearn_table(name)
    weights = np.random.default_rng(0).exponential(size=len(table["y"])) + 0.01
    return table | {"w": weights}, np.column_stack([v for n, v in table.items() if n[0] == "x"]), table["y"], weights


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_fits_and_metrics_are_those_of_plain_sklearn(evaluate: Evaluate, name: str) -> None:
    """Each fold's scores are of estimators that were given the weights, by scorers that were, the dummy's too."""
    table, x, y, w = weighted(name)
    classifies = name == "breast_cancer"
    metric = "neg_log_loss" if classifies else "r2"
    candidates: dict[str, Any] = (
        {"linear": LOGISTIC} if classifies else {"linear": {"estimator": "sklearn.linear_model.Ridge"}}
    )
    if classifies:
        candidates["xgb"] = {"estimator": "xgboost.XGBClassifier", "params": {"n_estimators": 5}}

    results = evaluate(
        table, query=QUERY, metric=metric, weights="w", positive=1 if classifies else None, candidates=candidates
    )

    train, _ = train_test_split(np.arange(len(y)), test_size=0.2, random_state=42, stratify=y if classifies else None)
    kind = StratifiedKFold if classifies else KFold
    logistic = LogisticRegression(max_iter=1000, random_state=42)
    plain: dict[str, Any] = {
        "dummy": DummyClassifier(strategy="prior") if classifies else DummyRegressor(),
        "linear": make_pipeline(StandardScaler(), logistic if classifies else Ridge(random_state=42)),
        "xgb": XGBClassifier(n_estimators=5, n_jobs=1, random_state=42),
    }
    for candidate, result in results.items():
        model, shown = plain[candidate], result.metrics or {}
        key = f"{model.steps[-1][0]}__sample_weight" if candidate == "linear" else "sample_weight"
        found: dict[str, list[float]] = {each: [] for each in [metric, *shown]}
        for learnt, judged in kind(5, shuffle=True, random_state=42).split(train, y[train]):
            a, b = train[learnt], train[judged]
            model.fit(x[a], y[a], **{key: w[a]})
            for each, scores in found.items():
                scores.append(get_scorer(SCORERS.get(each, each))(model, x[b], y[b], sample_weight=w[b]))
        assert list(result.fold_scores) == near(found[metric])
        assert {each: abs(shown[each]) for each in shown} == near({each: abs(np.mean(found[each])) for each in shown})
        assert len(shown) == (7 if classifies else 4)


def test_the_hold_out_is_judged_by_weights(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Score, interval and importances are of the held-out rows as they count; the model is asked once a feature."""
    table, x, y, w = weighted("breast_cancer")
    table |= {"x1": table["x0"]}
    x[:, 1] = x[:, 0]
    job = jobs(table, query=QUERY, metric="roc_auc", positive=1, weights="w")["logistic"]

    judged = judge_finalist(job)
    asked, say = list[int](), LogisticRegression.decision_function

    def count(model: LogisticRegression, rows: Any) -> Any:
        asked.append(len(rows))
        return say(model, rows)

    with monkeypatch.context() as patch:
        patch.setattr(LogisticRegression, "decision_function", count)
        importances = measure_importances(job)

    assert len(asked) == 1 + len(importances)
    train, test = job.split.sides()
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42))
    plain.fit(x[train], y[train], logisticregression__sample_weight=w[train])
    scorer = get_scorer("roc_auc")
    assert judged.score == near(scorer(plain, x[test], y[test], sample_weight=w[test]))
    assert read_output(job.folder / HOLDOUT_FILE).output.weight == near(w[test], rel=0)
    said, held_out = plain.decision_function(x[test]), Bootstrap(len(test), 42, strata=y[test])
    areas = [area(y[test][drawn], said[drawn], w[test][drawn]) for drawn in held_out.positions()]
    assert judged.interval == near(tuple(np.quantile(areas, [0.025, 0.975])))
    shuffled = permutation_importance(
        plain, x[test], y[test], scoring="roc_auc", n_repeats=5, random_state=42, sample_weight=w[test]
    )
    assert [mean for mean, _ in importances.values()] == near(list(shuffled.importances_mean))


def area(truth: Any, score: Any, weight: Any) -> float:
    """Return the share of weighted pairs that are in the right order, ties counted half."""
    right = truth == 1
    beats = (score[right][:, None] > score[~right]) + 0.5 * (score[right][:, None] == score[~right])
    pairs = weight[right][:, None] * weight[~right]
    return float((beats * pairs).sum() / pairs.sum())


def test_rows_that_all_count_one_are_as_without_weights(jobs: Jobs) -> None:
    """To the last bit, as with scikit-learn itself; the fingerprint alone tells them apart."""
    table = sklearn_table("iris")
    ones = table | {"w": np.ones(150)}
    asked = {"query": QUERY, "metric": "neg_log_loss"}

    found = []
    for columns, weights in ((table, None), (ones, "w")):
        job = jobs(columns, **asked, weights=weights)["logistic"]
        found.append((job.fingerprint, FOLD(evaluate_fold(job, 0)), HOLDOUT(judge_finalist(job))))

    (one, *plain), (other, *weighed) = found
    assert one != other
    assert weighed == plain


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_weight_of_three_is_the_row_three_times(task: Problem, classes: int) -> None:
    """All usual metrics, and what scores draws of a bootstrap, say so."""
    generator = np.random.default_rng(1)
    times = generator.integers(1, 4, 60)
    truth = generator.integers(classes, size=60) if task == "classification" else generator.random(60) + 1
    said = np.where(generator.random(60) < 0.6, truth, np.roll(truth, 1))
    probability = generator.dirichlet(np.ones(classes), 60).round(1) + 0.01
    probability /= probability.sum(axis=1, keepdims=True)
    output = ModelOutput(truth, said, weight=times.astype(float))
    many = ModelOutput(np.repeat(truth, times), np.repeat(said, times))
    if task == "classification":
        ranking = probability[:, 1] if classes == 2 else probability
        output = replace(output, probability=probability, ranking=ranking, classes=np.arange(classes))
        of_each, ranks = (np.repeat(each, times, axis=0) for each in (probability, ranking))
        many = replace(many, probability=of_each, ranking=ranks, classes=np.arange(classes))

    assert score_all(task, output) == near(score_all(task, many))
    named = ("f1", "precision", "recall", "balanced_accuracy", "neg_log_loss", "average_precision")
    for metric in (*named, "accuracy", "roc_auc", "r2", "neg_root_mean_squared_error", "neg_mean_absolute_error"):
        one, other = quick_scoring(metric, output), quick_scoring(metric, many)
        assert (one is None) == (other is None)
        if one and other:
            assert one(np.arange(60)) == near(other(np.arange(times.sum())))


def test_a_search_fits_and_compares_by_weights() -> None:
    """What it chooses is what scikit-learn's scores by weights choose; alike rows would choose otherwise."""
    generator = np.random.default_rng(3)
    x, w = generator.normal(size=(180, 2)), np.where(np.arange(180) < 60, 5.0, 0.5)
    y = np.where(generator.random(180) < 0.2, w < 1, w > 1).astype(int)  # of the few that count most, most are 1
    priors = [[0.5, 0.5], [0.95, 0.05], [0.05, 0.95]]
    candidate = Candidate.model_validate(
        {"estimator": "sklearn.naive_bayes.GaussianNB", "search": {"by": "grid", "space": {"priors": priors}}}
        | {"preprocessing": "none"}
    )
    frame, asked = pd.DataFrame(x, columns=["a", "b"]), training(metric="accuracy")

    def choose(weight: Any) -> Any:
        model = fit_model(asked, candidate, Features(("a", "b"), ()), frame, y, weight=weight)
        return chosen_params(model, candidate)["priors"]

    def best(weight: Any) -> Any:
        scores = []
        for each in priors:
            parts = StratifiedKFold(3, shuffle=True, random_state=42).split(x, y)
            fitted = [(GaussianNB(priors=each).fit(x[a], y[a], weight[a]), b) for a, b in parts]
            scores.append(np.mean([model.score(x[b], y[b], weight[b]) for model, b in fitted]))
        return priors[int(np.argmax(scores))]

    assert choose(w) == best(w)
    assert choose(None) == best(np.ones(180))
    assert best(w) != best(np.ones(180))


def test_models_are_compared_by_weights() -> None:
    """The champion and who would take its place are scored on the same rows as they count."""
    frame = pd.DataFrame({"x": np.arange(40.0)})
    truth, weight = (np.arange(40) >= 20).astype(int), np.where(np.arange(40) < 20, 3.0, 1.0)
    zero, one = (
        make_pipeline(DummyClassifier(strategy="constant", constant=each)).fit(frame, truth) for each in (0, 1)
    )
    held_out = HeldOut(frame, truth, weight, None, {"x": "number"})
    built: Any = type("Built", (), {"positive": 1, "task": "classification"})

    lead, low, high = paired_bootstrap_difference(zero, one, held_out, training(), built)

    assert lead == low == high == 0.5  # 60 of 80 against 20 of 80


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (
            [1.0, None, 0.0, -1.0, float("inf"), float("nan")],
            "in 5 of 60 rows \\(null in 2, infinite in 1, zero or less in 2\\)",
        ),
        (["1"], r"'w' is a text \(string\), and a weight is a number above zero"),
        ([True], r"'w' is a truth \(bool\)"),
    ],
)
def test_what_is_no_weight_is_refused_by_how_many_rows_have_it(weights: list[Any], says: str) -> None:
    """Null, endless and zero or less are counted; texts and truths are no numbers."""
    column = pa.array([*weights, *weights[:1] * (60 - len(weights))])
    table = pa.table({"x": range(60), "w": column, "y": [True, False] * 30})

    with pytest.raises(TrainingError, match=r"training\.weights: .*" + says):
        check_rows(training(weights="w"), table)


def test_weights_are_looked_at_before_a_run(tmp_path: Path) -> None:
    """`check` finds what is wrong with them in the tables that are there, and nothing where all is well."""
    columns = {"x": range(60), "w": [0.0, *[1.5] * 59], "y": [True, False] * 30}
    tables = {"rows": write_table(tmp_path / "rows", columns)}

    (mistake,) = find_row_mistakes(training(weights="w"), tables)

    assert mistake.startswith(
        "training.weights: 'w' is no number above zero in 1 of 60 rows (zero or less in 1); leave"
    )
    assert find_row_mistakes(training(weights="x", query="SELECT x + 1 AS x, w, y FROM rows"), tables) == []


def test_what_cannot_weigh_is_refused_by_name(evaluate: Evaluate) -> None:
    """A metric before any fit, an estimator as a line on the leaderboard, a column that is not there, and the target."""
    table = sklearn_table("diabetes") | {"w": np.ones(442)}
    with pytest.raises(
        TrainingError, match=r"'neg_max_error' has no weighted form, and training.weights is 'w'; take .* one of .*r2"
    ):
        check_rows(
            training(
                weights="w",
                metric="neg_max_error",
                candidates={"dummy2": {"estimator": "sklearn.dummy.DummyRegressor"}},
            ),
            pa.table(table),
        )
    iris = pa.table(sklearn_table("iris") | {"w": np.ones(150)})
    with pytest.raises(TrainingError, match="'roc_auc_ovo' has no weighted form") as refused:
        check_rows(training(weights="w", metric="roc_auc_ovo"), iris)
    assert "roc_auc_ovr" in str(refused.value)
    with pytest.raises(TrainingError, match=r"training\.weights: 'v' is not a column of the query's result"):
        check_rows(training(weights="v"), iris)
    with pytest.raises(ValueError, match="weights and target are both 'y'"):
        Training.model_validate({"query": "t", "target": "y", "weights": "y", "candidates": {"logistic": LOGISTIC}})

    neighbors = {"neighbors": {"estimator": "sklearn.neighbors.KNeighborsRegressor"}}
    results = evaluate(table, metric="r2", weights="w", candidates=neighbors)

    assert str(results["neighbors"].error).startswith(
        "training.candidates.neighbors: sklearn.neighbors.KNeighborsRegressor takes no weights of rows, and training.weights"
    )
    assert results["dummy"].error is None
