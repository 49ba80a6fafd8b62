"""What is seen wrong in a training section before there is data."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.train.section import check_training
from tests.train.conftest import training

BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"


def test_a_right_section_has_no_mistakes() -> None:
    """Nothing is said of a section that is right."""
    assert check_training(training()) == []


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (
            {"estimator": "sklearn.ensemble.HistGradientBoostinClassifier"},
            (
                "estimator: 'sklearn.ensemble.HistGradientBoostinClassifier' is not an estimator; "
                f"did you mean {BOOSTING}?"
            ),
        ),
        (
            {"estimator": "sklearn.linear.LogisticRegression"},
            (
                "estimator: 'sklearn.linear.LogisticRegression' is not an estimator; "
                "did you mean sklearn.linear_model.LogisticRegression?"
            ),
        ),
        (
            {"estimator": "os.system"},
            "estimator: 'os.system' is not an estimator of sklearn, xgboost, lightgbm, catboost; see scikit-learn's list of estimators",
        ),
        (
            {"estimator": "sklearn.cluster.KMeans"},
            "estimator: 'sklearn.cluster.KMeans' is neither a classifier nor a regressor; choose one that is",
        ),
        (
            {"estimator": BOOSTING, "params": {"max_itr": 5}},
            "params.max_itr: HistGradientBoostingClassifier has no parameter 'max_itr'; did you mean max_iter?",
        ),
        (
            {"estimator": "sklearn.linear_model.LogisticRegression", "params": {"C": -1}},
            (
                "params: The 'C' parameter of LogisticRegression must be a float in the range (0.0, inf]. "
                "Got -1 instead; correct the value"
            ),
        ),
    ],
)
def test_names_the_key_the_value_and_the_cure(candidate: dict[str, Any], sentence: str) -> None:
    """Each mistake in a candidate is one sentence that begins with its key."""
    mistakes = check_training(training(candidates={"boosting": candidate}))

    assert mistakes == [f"training.candidates.boosting.{sentence}"]


def test_every_mistake_is_told_at_once() -> None:
    """A wrong query, metric and name are told together."""
    candidate = {"estimator": BOOSTING}

    mistakes = check_training(training(query="DELETE FROM rows", metric="acuracy", candidates={"dummy": candidate}))

    assert mistakes == [
        "training.query: is a DELETE, which training refuses; write one SELECT",
        "training.metric: 'acuracy' is not a metric; did you mean accuracy?",
        "training.candidates.dummy: 'dummy' is the baseline's name, which is always added; choose another name",
    ]
