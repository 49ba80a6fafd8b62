"""What a model said of rows, scored as scikit-learn scores the model itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import RadiusNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tasks.core.errors import TrainingError
from tasks.train.evaluation.output_file import output_table
from tasks.train.evaluation.predictions import Predictions

CLASSIFIERS = [GaussianNB(), DecisionTreeClassifier(max_depth=3, random_state=0), LinearSVC()]
METRICS = [
    "accuracy",
    "roc_auc",
    "neg_log_loss",
    "f1",
    "average_precision",
    "precision",
    "recall",
    "balanced_accuracy",
    "f1_macro",
    "f1_weighted",
]
ERRORS = [
    "r2",
    "neg_mean_absolute_error",
    "neg_root_mean_squared_error",
    "neg_mean_squared_error",
    "neg_median_absolute_error",
]


def draw(rows: int) -> list[np.ndarray]:
    """Return all rows, and two draws of them with replacement."""
    generator = np.random.default_rng(0)
    return [np.arange(rows), *(generator.integers(rows, size=rows) for _ in range(2))]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("metric", METRICS)
def test_classifiers_score_as_scikit_learn_scores_them(metric: str) -> None:
    """On all rows and on draws of them; ties among probabilities, as trees have many, count half."""
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    for estimator in CLASSIFIERS:
        if metric == "neg_log_loss" and isinstance(estimator, LinearSVC):
            continue
        model = make_pipeline(estimator).fit(x[::2], y[::2])
        predictions = Predictions(model, x, y.to_numpy())

        for rows in draw(len(x)):
            plain = get_scorer(metric)(model, x.iloc[rows], y.iloc[rows])
            assert predictions.scoring(metric)(rows) == pytest.approx(plain, rel=1e-12)
        assert predictions.score(metric) == get_scorer(metric)(model, x, y)


def test_the_interval_is_around_the_score_that_is_shown() -> None:
    """Where probabilities have run into 0 and 1, the decision function still orders the rows: all go by it."""
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(LinearDiscriminantAnalysis()).fit(x[::2], y[::2])
    model[-1].coef_, model[-1].intercept_ = -1e3 * np.eye(1, 30), np.array([15e3])
    predictions, rows = Predictions(model, x, y.to_numpy()), np.arange(len(x))

    score = predictions.score("roc_auc")

    by_probability = roc_auc_score(y, model.predict_proba(x)[:, 1])
    assert abs(score - by_probability) > 0.01
    assert predictions.scoring("roc_auc")(rows) == pytest.approx(score, rel=1e-12)
    assert predictions.metrics("classification")["roc_auc"] == score
    pictured = output_table(predictions.output, rows)
    assert roc_auc_score(pictured["truth"], pictured["ranking_1"]) == score


@pytest.mark.parametrize("metric", ERRORS)
def test_regressors_score_as_scikit_learn_scores_them(metric: str) -> None:
    """On all rows and on draws of them."""
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    model = make_pipeline(DecisionTreeRegressor(max_depth=3, random_state=0)).fit(x[::2], y[::2])
    predictions = Predictions(model, x, y.to_numpy())

    for rows in draw(len(x)):
        plain = get_scorer(metric)(model, x.iloc[rows], y.iloc[rows])
        assert predictions.scoring(metric)(rows) == pytest.approx(plain, rel=1e-12)


def test_a_draw_that_does_not_define_the_metric_is_nan() -> None:
    """One class alone has no area under a curve."""
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    predictions = Predictions(make_pipeline(GaussianNB()).fit(x, y), x, y.to_numpy())

    assert np.isnan(predictions.scoring("roc_auc")(np.flatnonzero(y == 1)))


def test_three_classes_are_scored_too() -> None:
    """By scikit-learn's own scorer."""
    x, y = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(GaussianNB()).fit(x[::2], y[::2])

    rows = draw(len(x))[1]

    scored = Predictions(model, x, y.to_numpy()).scoring("roc_auc_ovr")(rows)
    assert scored == get_scorer("roc_auc_ovr")(model, x.iloc[rows], y.iloc[rows])


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("metric", ["f1_macro", "f1_weighted", "balanced_accuracy"])
@pytest.mark.parametrize("names", [np.arange(3), np.array(["b", "a", "c"], dtype=object)], ids=["numbers", "texts"])
def test_figures_of_each_of_three_classes_ask_no_scorer(
    monkeypatch: pytest.MonkeyPatch, metric: str, names: np.ndarray
) -> None:
    """A thousand draws of a hold-out would take seconds; they come to the same, without a class of the truth too."""
    x, y = load_wine(return_X_y=True, as_frame=True)
    named, scorer = pd.Series(names[y]), get_scorer(metric)
    model = make_pipeline(DecisionTreeClassifier(max_depth=1, random_state=0)).fit(x[::2], named[::2])
    predictions = Predictions(model, x, named.to_numpy())
    chosen = [*draw(len(x)), np.flatnonzero(y < 2), np.flatnonzero(y > 1)]
    plain = [scorer(model, x.iloc[rows], named.iloc[rows]) for rows in chosen]
    monkeypatch.setattr("tasks.train.evaluation.predictions.get_scorer", None)

    scoring = predictions.scoring(metric)

    assert [scoring(rows) for rows in chosen] == pytest.approx(plain, rel=1e-12)


@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
def test_predictions_of_nan_are_refused() -> None:
    """A regressor without neighbours near a row says NaN, and is told so."""
    x, y = pd.DataFrame({"x": np.arange(20.0)}), np.arange(20.0)
    model = make_pipeline(RadiusNeighborsRegressor(radius=0.1)).fit(x[::2], y[::2])

    with pytest.raises(TrainingError, match="it predicts NaN for 10 of 20 rows; change its parameters"):
        Predictions(model, x, y).score("r2")
