"""The assessment of a best candidate: what plain scikit-learn says of the same folds, kept, shown and used by predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.train.assessment.assess import Assessment, assess_best
from tasks.train.data.types import Array
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.results import combine_folds, keep_part, make_finalist
from tasks.train.registry import CARD, decide_champion, publish_version
from tests.train.conftest import sklearn_table
from tests.train.predicting import predict_file

Jobs = Callable[..., dict[str, CandidateJob]]
QUERY = "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
RIDGE = {"ridge": {"estimator": "sklearn.linear_model.Ridge"}}


def judged(jobs: dict[str, CandidateJob], *names: str) -> Leaderboard:
    """Return the leaderboard of some candidates and the dummy, all of which are judged."""
    chosen = [jobs[name] for name in (*names, "dummy")]
    results, finalists = [], {}
    for job in chosen:
        folds = [evaluate_fold(job, fold) for fold in range(len(job.split.folds))]
        holdout = judge_finalist(job)
        for part in folds:
            keep_part(job, part)
        keep_part(job, holdout)
        results.append(combine_folds(job, folds))
        finalists[job.name] = make_finalist(job, holdout, [])
    return rank(chosen, results, finalists)


def assessed(jobs: dict[str, CandidateJob], *names: str) -> tuple[Leaderboard, Assessment]:
    """Return the leaderboard of some candidates, and the assessment of its best."""
    board = judged(jobs, *names)
    found = assess_best(list(jobs.values()), board)
    assert found is not None
    return board, found


def frame_of(table: dict[str, Any]) -> pd.DataFrame:
    """Return the features of a data set of scikit-learn."""
    return pd.DataFrame({name: values for name, values in table.items() if name.startswith("x")})


def test_intervals_and_slices_of_amounts_are_those_of_plain_sklearn(jobs: Jobs, tmp_path: Path) -> None:
    """Of diabetes margins, coverage and scores are numpy's of the same folds, and predictions have the intervals."""
    table = sklearn_table("diabetes")
    sex = {"column": "x1", "bins": 2, "feature": False}
    asked = {"query": QUERY, "metric": "r2", "task": "regression", "coverage": 0.8, "slices": [sex, "x2"]}
    planned = jobs(table, candidates=RIDGE, **asked)

    board, found = assessed(planned, "ridge")

    x, y = frame_of(table).drop(columns="x1"), np.array(table["y"])
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=42)
    model = make_pipeline(StandardScaler(), Ridge(random_state=42))
    out_of_fold = cross_val_predict(model, x.iloc[train], y[train], cv=KFold(5, shuffle=True, random_state=42))
    errors = np.sort(y[train] - out_of_fold)
    place = int(np.ceil((len(train) + 1) * 0.9))
    held = model.fit(x.iloc[train], y[train]).predict(x.iloc[test])
    low, high = errors[len(train) - place], errors[place - 1]
    assert found.intervals is not None
    assert (found.intervals.low, found.intervals.high) == pytest.approx((low, high), abs=1e-12 * 300)
    assert found.intervals.holdout.covered == int(((held + low <= y[test]) & (y[test] <= held + high)).sum())
    check_slices(found, frame_of(table).iloc[test], lambda rows: float(r2_score(y[test][rows], held[rows])))
    models = tmp_path / "models" / "toy"
    version = publish_version(models, board, found)
    decide_champion(models, version, board)
    card = (models / version.name / CARD).read_text()
    assert f"| all | {len(test)} | {found.intervals.holdout.share:.4f} |" in card
    assert "## Slices" in card
    assert list(version.features) == list(x.columns)
    predict_file(tmp_path, tmp_path / "tables" / "rows" / "part-0.parquet", tmp_path / "said.parquet")
    said = pq.read_table(tmp_path / "said.parquet").to_pandas().iloc[test]
    assert said["prediction"].to_numpy() == pytest.approx(held, abs=1e-9)
    assert (said["prediction_low"] - said["prediction"]).to_numpy() == pytest.approx(np.full(len(test), low), abs=1e-9)
    assert (said["prediction_high"] - said["prediction"]).to_numpy() == pytest.approx(
        np.full(len(test), high), abs=1e-9
    )


def check_slices(found: Assessment, held_out: pd.DataFrame, score: Callable[[Array], float]) -> None:
    """Compare the slices by numbers with those of a frame of the hold-out."""
    assert len({(each.column, each.value) for each in found.slices}) == len(found.slices) >= 2
    for each in found.slices:
        values = held_out[each.column].to_numpy()
        words = each.value.replace(",", "").split()
        low = float(words[1]) if words[0] == "above" else -np.inf
        high = float(words[-1]) if "up" in words else np.inf
        inside = (values > low + 5e-7) & (values <= high + 5e-7)  # the names have six digits
        assert each.rows == int(inside.sum())
        assert each.score == pytest.approx(score(inside), abs=1e-12)
        assert each.difference == pytest.approx(score(inside) - score(~inside), abs=1e-12)


def test_sets_of_classes_are_those_of_plain_sklearn(jobs: Jobs, tmp_path: Path) -> None:
    """Of wine, by two of its columns, the threshold and what it covers are numpy's of the same folds."""
    table = {name: values for name, values in sklearn_table("wine").items() if name in ("row", "x0", "x1", "y")}
    planned = jobs(table, query=QUERY, coverage=0.9, slices=[{"column": "x1", "bins": 2}])

    board, found = assessed(planned, "logistic")

    x, y = frame_of(table), np.array(table["y"])
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=42, stratify=y)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=42))
    folds = StratifiedKFold(5, shuffle=True, random_state=42)
    said = cross_val_predict(model, x.iloc[train], y[train], cv=folds, method="predict_proba")
    misses = np.sort(1 - said[np.arange(len(train)), y[train]])
    threshold = misses[int(np.ceil((len(train) + 1) * 0.9)) - 1]
    held = model.fit(x.iloc[train], y[train]).predict_proba(x.iloc[test])
    assert found.intervals is not None
    assert found.intervals.threshold == pytest.approx(threshold, abs=1e-12)
    sets = 1 - held <= found.intervals.threshold
    assert sets.any(axis=1).all()
    assert found.intervals.holdout.covered == int(sets[np.arange(len(test)), y[test]].sum())
    assert found.intervals.size == sets.sum() / len(test)
    check_slices(
        found,
        x.iloc[test],
        lambda rows: float(accuracy_score(y[test][rows], held.argmax(axis=1)[rows])),
    )
    models = tmp_path / "models" / "toy"
    decide_champion(models, publish_version(models, board, found), board)
    predict_file(tmp_path, tmp_path / "tables" / "rows" / "part-0.parquet", tmp_path / "said.parquet")
    said = pq.read_table(tmp_path / "said.parquet").to_pandas()
    for set_of, given, row in zip(said["prediction_set"].iloc[test], held, sets, strict=True):
        assert set_of.tolist() == [each for each in np.argsort(-given) if row[each]]


def test_what_is_kept_is_not_worked_out_again(jobs: Jobs, tmp_path: Path) -> None:
    """A further rival changes the findings at most; another coverage is another assessment, of the same fits."""
    table = sklearn_table("diabetes")
    forest = {"estimator": "sklearn.tree.DecisionTreeRegressor"}
    asked = {"query": QUERY, "metric": "r2", "task": "regression", "candidates": {**RIDGE, "tree": forest}}
    planned = jobs(table, **asked)
    board, plain = assessed(planned, "ridge")
    kept = planned["ridge"].folder / "assessment.json"
    written = kept.stat().st_mtime_ns

    assert assess_best(list(planned.values()), board) == plain
    assert kept.stat().st_mtime_ns == written
    assert plain.fingerprint == planned["ridge"].fingerprint
    assert (plain.intervals, plain.slices) == (None, ())
    assert [finding.id for finding in plain.findings] == ["untuned_winner"]
    both = judged(planned, "ridge", "tree")
    again = assess_best(list(planned.values()), both)
    assert again is not None
    assert (again.fingerprint, again.findings_of == plain.findings_of) == (plain.fingerprint, False)
    other = jobs(table, **asked, coverage=0.9)
    assert other["ridge"].fingerprint == planned["ridge"].fingerprint
    wider = assess_best(list(other.values()), judged(other, "ridge"))
    assert wider is not None
    assert wider.fingerprint != plain.fingerprint
    first, second = (publish_version(tmp_path / "models", board, each) for each in (plain, wider))
    assert first.name != second.name
