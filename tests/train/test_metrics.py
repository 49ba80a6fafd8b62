"""Metrics are scikit-learn's, also for classes of any name."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LinearRegression
from sklearn.metrics import get_scorer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from tasks.config.metrics import METRICS, Metric
from tasks.train.checks.section import check_training
from tasks.train.evaluation.metrics import ModelOutput, UsualMetric, compute, score_all
from tasks.train.evaluation.predictions import Predictions
from tests.train.conftest import training

USUAL = {name: metric for name, metric in METRICS.kinds.items() if isinstance(metric, UsualMetric)}
CLASSIFICATION = [name for name, metric in USUAL.items() if metric.task == "classification"]
REGRESSION = [name for name, metric in USUAL.items() if metric.task == "regression"]


@pytest.mark.parametrize("name", CLASSIFICATION)
@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize(
    "estimator", [GaussianNB(), QuadraticDiscriminantAnalysis(reg_param=0.1)], ids=["probability", "decision"]
)
def test_a_metric_of_classes_is_that_of_sklearn(name: str, load: type, estimator: Any) -> None:
    """Of two classes and of three, each metric is its scorer's value with its sign taken back."""
    bunch, metric = load(), USUAL[name]
    model = estimator.fit(bunch.data, bunch.target)

    score = compute(metric, Predictions(make_pipeline(model), bunch.data, bunch.target).output)

    scorer = get_scorer(metric.scorer_for(len(model.classes_)))
    assert score == pytest.approx(metric.sign * scorer(model, bunch.data, bunch.target), rel=1e-12)


@pytest.mark.parametrize("name", REGRESSION)
def test_a_metric_of_amounts_is_that_of_sklearn(name: str) -> None:
    """Each metric is its scorer's value with its sign taken back."""
    bunch, metric = load_diabetes(), USUAL[name]
    model = LinearRegression().fit(bunch.data, bunch.target)

    score = compute(metric, ModelOutput(bunch.target, model.predict(bunch.data)))

    assert score == metric.sign * get_scorer(metric.scorer)(model, bunch.data, bunch.target)


@pytest.mark.parametrize("name", USUAL)
def test_a_figure_lies_within_the_bounds_that_its_metric_tells(name: str) -> None:
    """Of the best and the worst that can be said as well: an interval on the leaderboard ends there."""
    metric, rng = USUAL[name], np.random.default_rng(0)
    truth = rng.integers(0, 2, 40)
    figures = []
    for share in (0.0, 0.5, 1.0):
        said = np.where(rng.random(40) < share, truth, 1 - truth)
        probability = np.column_stack([1 - said, said]).astype(float)
        output = ModelOutput(truth, said, probability, probability[:, 1], np.array([0, 1]))
        figures.append(compute(metric, output if metric.task == "classification" else ModelOutput(truth + 1.0, said)))

    assert all(metric.bounds[0] <= figure <= metric.bounds[1] for figure in figures)
    best = figures[-1] if metric.task == "classification" else compute(metric, ModelOutput(truth + 1.0, truth + 1.0))
    assert best == pytest.approx(metric.bounds[1] if metric.greater_is_better else metric.bounds[0], abs=1e-12)


@pytest.mark.parametrize("names", [["no", "yes"], [False, True], [3, 8], ["a", "b", "c"]])
def test_names_of_classes_do_not_matter(names: list[object]) -> None:
    """Texts, truths and numbers as classes give the same figures; the last in order is positive."""
    rng = np.random.default_rng(0)
    truth, classes = rng.integers(0, len(names), 80), np.arange(len(names))
    probability = rng.dirichlet(np.ones(len(names)), 80)
    named = np.array(names)

    ranking = probability[:, 1] if len(names) == 2 else probability

    scores = score_all(
        "classification", ModelOutput(named[truth], named[probability.argmax(1)], probability, ranking, named)
    )

    plain = ModelOutput(truth, probability.argmax(1), probability, ranking, classes)
    assert scores == score_all("classification", plain)
    assert set(scores) >= set(CLASSIFICATION)


def test_what_is_not_defined_is_left_out() -> None:
    """Without probabilities, and where a class has no row, some metrics cannot be had; no warning is left."""
    truth, classes = np.array([0, 0, 0, 0]), np.array([0, 1])
    probability = np.array([[0.9, 0.1]] * 4)
    without = ModelOutput(truth, truth, classes=classes)
    of_one_class = ModelOutput(truth, truth, probability, probability[:, 1], classes)

    assert {"accuracy", "balanced_accuracy", "f1"} <= set(score_all("classification", without))
    assert not {"log_loss", "brier", "roc_auc", "pr_auc"} & set(score_all("classification", without))
    assert not {"roc_auc", "pr_auc"} & set(score_all("classification", of_one_class))
    assert "r2" not in score_all("regression", ModelOutput(np.array([1.0]), np.array([1.5])))


class Near(Metric):
    """The share of predictions within a tenth of the truth."""

    name = "near"
    task: Literal["regression"] = "regression"
    greater_is_better = True

    def compute(self, truth: Any, said: Any, classes: Any) -> float:
        """Return the share."""
        del classes
        return float(np.mean(np.abs(said - truth) <= np.abs(truth) / 10))


def test_one_of_ours_that_scikit_learn_has_no_scorer_of_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no more than a line of the registry, as one of an extension."""
    monkeypatch.setitem(METRICS.kinds, "near", Near())
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    model = make_pipeline(LinearRegression()).fit(rows, [1.0, 2.0, 3.0])
    said = Predictions(model, rows, np.array([1.05, 4.0, 3.0]))

    assert check_training(training(metric="near")) == []
    assert said.figure("near") == pytest.approx(2 / 3)
    assert said.scoring("near")(np.array([0, 1])) == pytest.approx(1 / 2)
