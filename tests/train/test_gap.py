"""With a gap, and with folds that are repeated, every figure is still scikit-learn's own of the same rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import RepeatedKFold, TimeSeriesSplit, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.train.evaluation.holdout import judge_finalist, measure_share
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import rank
from tasks.train.evaluation.statistics import corrected_interval, corrected_paired_test
from tests.train.conftest import evaluate_job, sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]
RIDGE = {"ridge": {"estimator": "sklearn.linear_model.Ridge"}}
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
TABLE: dict[str, Any] = sklearn_table("diabetes")
X, Y = np.column_stack([TABLE[f"x{i}"] for i in range(10)]), TABLE["y"]
PLAIN = make_pipeline(StandardScaler(), Ridge(random_state=42))


def test_no_fit_sees_the_rows_of_the_gap(jobs: Jobs) -> None:
    """Folds, the hold-out and the learning curve score what scikit-learn does with a gap of as many rows as days."""
    days = [date(2020, 1, 1) + timedelta(days=row) for row in range(len(Y))]
    split = {"by": "time", "column": "day", "gap": "14d", "folds": 3}
    job = jobs(TABLE | {"day": days}, query=QUERY, metric="r2", split=split, candidates=RIDGE)["ridge"]

    folds, judged, curve = evaluate_job(job).fold_scores, judge_finalist(job), measure_share(job, 2)

    first = job.split.sides().test[0]
    train = first - 14
    parts = list(TimeSeriesSplit(3, gap=14).split(X[:train]))
    near = pytest.approx
    assert list(folds) == near(list(cross_val_score(PLAIN, X[:train], Y[:train], cv=parts)), abs=1e-12, rel=0)
    assert judged.score == near(PLAIN.fit(X[:train], Y[:train]).score(X[first:], Y[first:]), abs=1e-12, rel=0)
    halves = [(learnt[-((len(learnt) + 1) // 2) :], test) for learnt, test in parts]
    assert curve.score == near(np.mean([PLAIN.fit(X[a], Y[a]).score(X[b], Y[b]) for a, b in halves]), abs=1e-12, rel=0)


def test_repeated_folds_are_scored_and_compared_as_one_sample(jobs: Jobs) -> None:
    """Scores are those of `RepeatedKFold`; interval and test are of all of them, corrected for their overlap."""
    planned = jobs(TABLE, query=QUERY, metric="r2", split={"by": "random", "folds": 4, "repeats": 3}, candidates=RIDGE)

    board = rank(list(planned.values()), [evaluate_job(job) for job in planned.values()])

    x, _, y, _ = train_test_split(X, Y, test_size=0.2, random_state=42)
    plain = cross_val_score(PLAIN, x, y, cv=RepeatedKFold(n_splits=4, n_repeats=3, random_state=42))
    best, dummy = board.lines
    assert list(best.result.fold_scores) == pytest.approx(list(plain), abs=1e-12, rel=0)
    sides = {"train_rows": planned["ridge"].split.fold_train, "test_rows": planned["ridge"].split.fold_test}
    assert best.interval == pytest.approx(corrected_interval(plain, **sides), abs=1e-12)
    p = corrected_paired_test(np.array(dummy.result.fold_scores), plain, **sides)
    assert best.p_dummy == pytest.approx(p, abs=1e-12)
