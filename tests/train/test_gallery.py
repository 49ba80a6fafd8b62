"""The pictures of a training are those that its task asks for, and together small."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tasks.train.plots import plots as pictures
from tasks.train.plots.gallery import make_gallery
from tests.train.conftest import LOGISTIC, sklearn_table
from tests.train.publishing import judge

MOST_BYTES = 450_000
CURVES = ["ROC", "Precision and recall", "Calibration"]
LEARNT = ["Importances", "Learning curve"]
RIDGE = {"estimator": "sklearn.linear_model.RidgeClassifier"}


@pytest.mark.parametrize(
    ("candidate", "table", "curves"),
    [
        (LOGISTIC, "iris", CURVES),
        (LOGISTIC, "breast_cancer", CURVES),
        (RIDGE, "iris", ["Precision and recall"]),
        (RIDGE, "breast_cancer", ["ROC", "Precision and recall"]),
    ],
)
def test_a_classification_is_drawn(tmp_path: Path, table: str, candidate: dict[str, object], curves: list[str]) -> None:
    """Two classes and more; without probabilities, what a decision function defines."""
    titles = [*curves, "Confusion", *LEARNT]
    judged = judge(tmp_path, sklearn_table(table), candidate, query="SELECT * EXCLUDE (row) FROM rows ORDER BY row")

    gallery = make_gallery(judged.leaderboard)

    assert re.findall("^## (.*)$", gallery, re.MULTILINE) == titles
    assert len(re.findall(r"!\[.*\]\(data:image/", gallery)) == len(titles)
    assert len(gallery) < MOST_BYTES


def test_a_regression_is_drawn(tmp_path: Path) -> None:
    """What was predicted beside what was, and what is left."""
    x = np.random.default_rng(0).normal(size=200)
    ridge = {"estimator": "sklearn.linear_model.Ridge"}
    judged = judge(tmp_path, {"x": x, "y": 2 * x + 0.1}, ridge, query="SELECT * FROM rows", metric="r2")

    titles = re.findall("^## (.*)$", make_gallery(judged.leaderboard), re.MULTILINE)

    assert titles == ["Predicted and actual", "Residuals", "Errors", *LEARNT]


def test_a_picture_that_cannot_be_drawn_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are there, and whoever asked learns which is not, and why."""
    judged = judge(tmp_path, sklearn_table("iris"), LOGISTIC, query="SELECT * EXCLUDE (row) FROM rows ORDER BY row")
    monkeypatch.setattr(pictures, "CALIBRATION_BINS", -1)
    failures: list[tuple[str, Exception]] = []

    gallery = make_gallery(judged.leaderboard, failures=failures)

    titles = ["ROC", "Precision and recall", "Confusion", *LEARNT]
    assert re.findall("^## (.*)$", gallery, re.MULTILINE) == titles
    assert [title for title, _ in failures] == ["Calibration"]
