"""What each fold said of its test rows is kept to the last digit, and read back in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.train.data.types import Array
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.out_of_fold import OutOfFold, read_out_of_fold
from tasks.train.evaluation.output_file import keep_output, read_output
from tasks.train.evaluation.results import FoldResult, keep_part, kept_part
from tests.train.conftest import sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"


def folded(job: CandidateJob) -> OutOfFold:
    """Return what a candidate says of the test rows of all its folds."""
    for fold in range(len(job.split.folds)):
        keep_part(job, evaluate_fold(job, fold))
    return read_out_of_fold(job)


def test_classes_are_those_of_plain_sklearn(jobs: Jobs) -> None:
    """Of breast cancer each training row comes once, with the probability that `cross_val_predict` gives it."""
    table = sklearn_table("breast_cancer")
    job = jobs(table, query=QUERY, metric="neg_log_loss", positive=1)["logistic"]

    kept = folded(job)

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    train, _ = train_test_split(np.arange(len(features)), test_size=0.2, random_state=42, stratify=table["y"])
    alone = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42)),
        features.iloc[train],
        table["y"][train],
        cv=StratifiedKFold(5, shuffle=True, random_state=42),
        method="predict_proba",
    )
    assert sorted(kept.rows) == sorted(train)
    order = np.argsort(kept.rows)
    assert kept.output.classes is not None
    assert kept.output.classes.tolist() == [0, 1]
    assert kept.output.probability is not None
    np.testing.assert_allclose(kept.output.probability[order], alone[np.argsort(train)], rtol=0, atol=1e-12)
    assert (kept.output.truth[order] == table["y"][np.sort(train)]).all()
    assert np.bincount(kept.folds).tolist() == [test for _, test in job.split.folds]


def test_amounts_are_those_of_plain_sklearn(jobs: Jobs) -> None:
    """Of the diabetes data, the same."""
    table = sklearn_table("diabetes")
    ridge = {"ridge": {"estimator": "sklearn.linear_model.Ridge"}}
    job = jobs(table, query=QUERY, metric="r2", task="regression", candidates=ridge)["ridge"]

    kept = folded(job)

    features = pd.DataFrame({column: values for column, values in table.items() if column.startswith("x")})
    train, _ = train_test_split(np.arange(len(features)), test_size=0.2, random_state=42)
    model = make_pipeline(StandardScaler(), Ridge(random_state=42))
    folds = KFold(5, shuffle=True, random_state=42)
    alone = cross_val_predict(model, features.iloc[train], table["y"][train], cv=folds)
    order = np.argsort(kept.rows)
    np.testing.assert_allclose(kept.output.prediction[order], alone[np.argsort(train)], rtol=0, atol=1e-10)
    assert kept.output.classes is None


def test_of_a_split_by_time_the_first_span_is_not_tested(jobs: Jobs) -> None:
    """What comes first has no model that was there before it."""
    columns = {"at": range(100), "x": np.arange(100.0) % 7, "y": [0, 1] * 50}
    job = jobs(columns, split={"by": "time", "column": "at", "folds": 3})["logistic"]

    kept = folded(job)

    assert kept.rows.tolist() == [*range(20, 80)]


def test_a_fold_whose_file_is_cut_off_is_fitted_again(jobs: Jobs) -> None:
    """Its scores alone do not count as a finished fold."""
    job = jobs(sklearn_table("iris"), query=QUERY)["logistic"]
    keep_part(job, evaluate_fold(job, 0))
    assert kept_part(job, FoldResult, 0) is not None

    path = job.folder / "fold-0.arrow"
    path.write_bytes(path.read_bytes()[:-7])

    assert kept_part(job, FoldResult, 0) is None


def test_classes_that_a_fold_has_not_met_have_probability_zero(jobs: Jobs) -> None:
    """Of three classes the rarest is in the later rows alone: its columns are not taken for another class's."""
    rows = 120
    columns = {
        "at": range(rows),
        "x": np.arange(float(rows)) % 5,
        "y": [("a", "b")[i % 2] if i < 50 or i % 3 else "c" for i in range(rows)],
    }
    job = jobs(columns, split={"by": "time", "column": "at", "folds": 3}, metric="accuracy")["logistic"]

    kept = folded(job).output

    assert kept.classes is not None
    assert kept.classes.tolist() == ["a", "b", "c"]
    assert kept.probability is not None
    np.testing.assert_allclose(kept.probability.sum(axis=1), 1)
    assert (kept.probability[:24, 2] == 0).all()
    assert (kept.probability[-24:, 2] > 0).all()


@pytest.mark.parametrize(
    ("truth", "classes"),
    [
        (np.array([True, False, True]), np.array([False, True])),
        (np.array([3, 1, 2]), np.array([1, 2, 3])),
        (np.array(["x", "y", "x"], dtype=object), np.array(["y", "x"], dtype=object)),
        (np.array([1.5, 2.5, 3.5]), None),
    ],
)
@pytest.mark.parametrize("how", ["probability", "ranking", "neither"])
def test_what_is_kept_is_read_as_it_was(tmp_path: Path, truth: Array, classes: Array | None, how: str) -> None:
    """Of truths, numbers, texts and amounts, with probabilities, with areas alone, and with neither."""
    probability: Any = None
    ranking: Any = None
    if classes is not None and how == "probability":
        probability = np.linspace(0, 1, 3 * len(classes)).reshape(3, -1)
    if classes is not None and how == "ranking":
        ranking = np.array([0.1, -3.0, 7.0]) if len(classes) == 2 else np.eye(3)
    said = ModelOutput(truth, truth[::-1], probability, ranking, classes)

    keep_output(tmp_path / "said.arrow", said, np.array([4, 7, 1]))
    rows, output = read_output(tmp_path / "said.arrow")

    assert rows.tolist() == [4, 7, 1]
    for name in ("truth", "prediction", "probability", "ranking", "classes"):
        kept, given = getattr(output, name), getattr(said, name)
        assert (kept is None) == (given is None)
        if given is not None:
            assert kept.dtype == given.dtype
            assert kept.tolist() == given.tolist()
