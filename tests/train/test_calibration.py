"""Corrected probabilities are scikit-learn's own, and are judged on rows that had no say in the correction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.train.checks.section import check_training
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.output_file import read_output
from tasks.train.registry import load_model
from tests.train.conftest import LOGISTIC, sklearn_table, training

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
NAIVE = {"estimator": "sklearn.naive_bayes.GaussianNB"}


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_it_is_that_of_plain_sklearn(jobs: Jobs, method: str) -> None:
    """On the first fold and on the hold-out; naive Bayes is too sure of itself, which the Brier score tells."""
    table = sklearn_table("breast_cancer")
    candidates = {"naive": NAIVE | {"calibrate": method}}
    job = jobs(table, query=QUERY, metric="neg_log_loss", positive=1, candidates=candidates)["naive"]

    fold, judged = evaluate_fold(job, 0), judge_finalist(job)

    x = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    y = table["y"]
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=42, stratify=y)

    def plain(rows: Any) -> Any:
        inner = StratifiedKFold(5, shuffle=True, random_state=42)
        model = CalibratedClassifierCV(
            make_pipeline(StandardScaler(), GaussianNB()), method=method, cv=inner, ensemble=False
        )
        return model.fit(x.iloc[rows], y[rows])

    learnt, tested = next(StratifiedKFold(5, shuffle=True, random_state=42).split(train, y[train]))
    brier = brier_score_loss(y[train[tested]], plain(train[learnt]).predict_proba(x.iloc[train[tested]])[:, 1])
    assert fold.metrics["brier"] == pytest.approx(brier, abs=1e-12)

    alone = plain(train).predict_proba(x.iloc[test])[:, 1]
    output = read_output(job.folder / "holdout.arrow").output
    assert output.probability is not None
    np.testing.assert_allclose(output.probability[:, 1], alone, rtol=0, atol=1e-12)
    loaded = load_model(job.folder / "model.skops")
    np.testing.assert_allclose(loaded.predict_proba(x.iloc[test])[:, 1], alone, rtol=0, atol=1e-12)

    before = make_pipeline(StandardScaler(), GaussianNB()).fit(x.iloc[train], y[train]).predict_proba(x.iloc[test])
    assert judged.calibration is not None
    assert judged.calibration.brier_before == pytest.approx(brier_score_loss(y[test], before[:, 1]), abs=1e-12)
    assert judged.calibration.brier_after == pytest.approx(brier_score_loss(y[test], alone), abs=1e-12)
    assert judged.calibration.brier_after < judged.calibration.brier_before


def test_by_time_it_is_fitted_on_the_latest_rows(jobs: Jobs) -> None:
    """The model learns from what came before them."""
    rows = 240
    generator = np.random.default_rng(3)
    x = generator.normal(size=rows)
    y = (generator.random(rows) < 1 / (1 + np.exp(-2 * x))).astype(int)
    split = {"by": "time", "column": "at", "folds": 3}
    candidates = {"naive": NAIVE | {"calibrate": "sigmoid"}}
    job = jobs({"at": range(rows), "x": x, "y": y}, split=split, metric="roc_auc", candidates=candidates)["naive"]

    assert judge_finalist(job).error is None

    train, test = np.arange(192), np.arange(192, 240)
    frame = pd.DataFrame({"x": x})
    model = make_pipeline(StandardScaler(), GaussianNB())
    before = FrozenEstimator(model.fit(frame.iloc[train[:160]], y[:160]))
    plain = CalibratedClassifierCV(before, method="sigmoid").fit(frame.iloc[160:192], y[160:192])
    output = read_output(job.folder / "holdout.arrow").output
    assert output.probability is not None
    assert output.classes is not None
    positive = output.probability[:, output.classes.tolist().index(1)]
    np.testing.assert_allclose(positive, plain.predict_proba(frame.iloc[test])[:, 1], rtol=0, atol=1e-9)


def test_a_search_chooses_before_it(jobs: Jobs) -> None:
    """What was chosen is told as without a correction."""
    search = {"by": "grid", "space": {"C": [0.001, 1.0]}}
    candidates = {"logistic": LOGISTIC | {"search": search, "calibrate": "sigmoid"}}
    job = jobs(sklearn_table("breast_cancer"), query=QUERY, candidates=candidates)["logistic"]

    assert judge_finalist(job).params == {"C": 1.0}


def test_areas_alone_become_probabilities(jobs: Jobs) -> None:
    """A linear support vector machine has none before."""
    candidates = {"svm": {"estimator": "sklearn.svm.LinearSVC", "calibrate": "sigmoid"}}
    job = jobs(sklearn_table("breast_cancer"), query=QUERY, metric="neg_log_loss", candidates=candidates)["svm"]

    judged = judge_finalist(job)

    assert judged.error is None
    assert judged.calibration is None
    assert "brier" in judged.metrics


def test_a_regression_has_none_to_correct() -> None:
    """It is told before anything is read."""
    candidates = {"ridge": {"estimator": "sklearn.linear_model.Ridge", "calibrate": "sigmoid"}}

    (mistake,) = check_training(training(task="regression", metric="r2", candidates=candidates))

    assert (
        mistake
        == "training.candidates.ridge.calibrate: corrects probabilities, and Ridge tells none; take calibrate out"
    )


def test_latest_rows_that_lack_a_class_are_told(jobs: Jobs) -> None:
    """Of what is rare there may be none in the span that a correction by time is fitted on."""
    columns = {"at": range(240), "x": np.arange(240.0) % 7, "y": [*([0, 1] * 80), *([0] * 40), *([0, 1] * 20)]}
    candidates = {"naive": NAIVE | {"calibrate": "sigmoid"}}
    job = jobs(columns, split={"by": "time", "column": "at", "folds": 3}, candidates=candidates)["naive"]

    assert "and none of them is of the class 1; take calibrate out" in str(judge_finalist(job).error)


def test_too_few_rows_are_told(jobs: Jobs) -> None:
    """With what they are too few for."""
    columns = {"x": np.arange(16.0), "y": [0, 1] * 8}
    candidates = {"naive": NAIVE | {"calibrate": "sigmoid"}}
    job = jobs(columns, split={"by": "random", "folds": 3}, candidates=candidates)["naive"]

    assert "calibrate: takes 5 folds of the 8 rows of a fit" in str(evaluate_fold(job, 0).error)
