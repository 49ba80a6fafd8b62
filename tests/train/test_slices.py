"""Slices of the hold-out: against plain scikit-learn, on models that fail for some, and on ones that are equal for all."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from tasks.train.assessment.parts import NULL, OTHERS, read_parts
from tasks.train.assessment.slices import HeldOutRows, find_slices, worst_slice
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput, quick_scoring
from tasks.train.evaluation.statistics import Score

CLASSES = np.array([0, 1])


def accuracy_of(hits: Array) -> Score:
    """Return what scores positions by the share of hits."""
    scoring = quick_scoring("accuracy", ModelOutput(np.ones(len(hits)), hits.astype(float)))
    assert scoring is not None
    return scoring


def test_a_slice_is_scored_as_scikit_learn_scores_its_rows() -> None:
    """On the breast cancer data the area of each part, and its lead, are scikit-learn's to the last digits."""
    x, y = load_breast_cancer(return_X_y=True)
    train, test = train_test_split(np.arange(len(y)), test_size=0.4, random_state=0, stratify=y)
    scaler = StandardScaler().fit(x[train][:, :3])
    model = LogisticRegression().fit(scaler.transform(x[train][:, :3]), y[train])
    ranking = model.decision_function(scaler.transform(x[test][:, :3]))
    parts = read_parts(pa.chunked_array([x[test, 1]]), 3)
    scoring = quick_scoring("roc_auc", ModelOutput(y[test], y[test], None, ranking, CLASSES))
    assert scoring is not None

    found = find_slices({"texture": parts}, scoring, HeldOutRows("roc_auc", 0, y[test]))

    cuts = np.quantile(x[test, 1], [1 / 3, 2 / 3], method="lower")
    for each in found:
        inside = parts == each.value
        assert each.rows == int(inside.sum())
        assert each.score is not None
        assert each.score == pytest.approx(roc_auc_score(y[test][inside], ranking[inside]), abs=1e-12)
        other = roc_auc_score(y[test][~inside], ranking[~inside])
        assert each.difference == pytest.approx(each.score - other, abs=1e-12)
        assert each.interval is not None
        assert each.interval[0] <= each.score <= each.interval[1]
    assert {each.value: each.rows for each in found}[f"up to {cuts[0]:.6g}"] == int((x[test, 1] <= cuts[0]).sum())


def test_the_part_for_which_a_model_fails_is_found() -> None:
    """A tenth of the rows is right two times in three, all others nine in ten: it is surely worse, and the others not."""
    generator = np.random.default_rng(5)
    carrier = generator.choice(["AA", "B6", "UA", "MQ"], p=[0.4, 0.3, 0.2, 0.1], size=1500)
    hits = generator.random(1500) < np.where(carrier == "MQ", 0.67, 0.9)
    night = generator.choice(["day", "night"], size=1500)

    found = find_slices({"night": night, "carrier": carrier}, accuracy_of(hits), HeldOutRows("accuracy", 0, hits))

    worst = worst_slice(found)
    assert worst is found[0]
    assert (worst.column, worst.value) == ("carrier", "MQ")
    assert [each.value for each in found if each.is_worse] == ["MQ"]
    assert worst.difference_interval is not None
    assert worst.difference_interval[1] < 0
    assert [each.column for each in found[1:3]] == ["night", "night"]


def test_a_part_without_an_error_is_not_taken_for_surely_better() -> None:
    """Forty rows that all are right vary in no draw of their own, and chance alone gives them that."""
    hits = np.arange(800) % 20 != 0
    part = np.where((np.arange(800) < 45) & hits, "lucky", "other")

    found = find_slices({"part": part}, accuracy_of(hits), HeldOutRows("accuracy", 0, hits))

    lucky = next(each for each in found if each.value == "lucky")
    assert (lucky.rows, lucky.score) == (42, 1.0)
    assert lucky.p is not None
    assert lucky.p > 0.05


def test_few_rows_have_a_score_and_no_test() -> None:
    """Of twelve rows, or of thirty with three of a class, nothing is claimed; of one class an area is not defined."""
    generator = np.random.default_rng(0)
    truth = (generator.random(500) < 0.5).astype(int)
    part = np.array(["other"] * 500)
    part[:12], part[12:52], part[52:90] = "small", "rare", "one"
    truth[12:52] = np.arange(40) < 3
    truth[52:90] = 1
    scoring = quick_scoring("roc_auc", ModelOutput(truth, truth, None, truth + generator.normal(size=500), CLASSES))
    assert scoring is not None

    found = {each.value: each for each in find_slices({"part": part}, scoring, HeldOutRows("roc_auc", 0, truth))}

    assert [(name, found[name].rows) for name in ("small", "rare", "one")] == [("small", 12), ("rare", 40), ("one", 38)]
    assert all(found[name].p is None and found[name].score is not None for name in ("small", "rare"))
    assert (found["one"].score, found["one"].interval, found["one"].p) == (None, None, None)


def test_equal_parts_raise_no_alarm() -> None:
    """Of models that are equally good everywhere none is said to fail for anyone, in twelve draws of five parts."""
    alarms = []
    for seed in range(12):
        generator = np.random.default_rng(seed)
        hits = generator.random(400) < 0.9
        amounts = generator.exponential(size=400)
        part = generator.choice(list("stuvw"), p=[0.3, 0.2, 0.2, 0.15, 0.15], size=400)
        error = quick_scoring("neg_mean_absolute_error", ModelOutput(amounts, np.ones(400)))
        assert error is not None
        metric, score = [("neg_mean_absolute_error", error), ("accuracy", accuracy_of(hits))][seed % 2]
        found = find_slices({"part": part}, score, HeldOutRows(metric, seed))
        assert all(each.p is not None for each in found)
        alarms += [each for each in found if each.p is not None and each.p < 0.05]

    assert alarms == []


def test_rows_of_a_group_are_not_counted_one_by_one() -> None:
    """Two shops of hundreds of rows each are two, and nothing can be told of what sets them apart."""
    generator = np.random.default_rng(1)
    shops = np.repeat(np.arange(40), 30)
    hits = generator.random(1200) < np.where(shops < 2, 0.5, 0.9)
    part = np.where(shops < 2, "new", "old")
    scoring = accuracy_of(hits)

    by_group = find_slices({"part": part}, scoring, HeldOutRows("accuracy", 0, hits, shops))
    by_row = find_slices({"part": part}, scoring, HeldOutRows("accuracy", 0, hits))

    assert [each.p for each in by_group] == [None, None]
    assert by_row[0].is_worse


@pytest.mark.parametrize(
    ("column", "bins", "parts"),
    [
        (pa.array(["a"] * 40 + ["b"] * 5 + ["c"] * 4 + [None] * 31), None, {"a": 40, OTHERS: 9, NULL: 31}),
        (pa.array(["a"] * 40 + ["b"] * 5), None, {"a": 40, "b": 5}),
        (pa.array(["a"] * 20 + ["b"] * 5 + ["c"] * 4), None, {"a": 20, "b": 5, "c": 4}),
        (pa.array([True] * 30 + [False] * 31), None, {"true": 30, "false": 31}),
        (pa.array([1] * 30 + [2] * 31), None, {"1": 30, "2": 31}),
        (pa.array(range(1, 121)), None, dict.fromkeys(("up to 30", "above 30, up to 60", "above 60, up to 90", "above 90"), 30)),
        (pa.array([0.5] * 50 + [1.5] * 50 + [None] * 40), 2, {"up to 0.5": 50, "above 0.5": 50, NULL: 40}),
        (pa.array([0.5] * 50, pa.float64()), 2, {"all": 50}),
        (pa.array([date(2024, 1, 1)] * 40 + [date(2024, 7, 1)] * 40), 2, {"up to 2024-01-01T00:00:00": 40, "above 2024-01-01T00:00:00": 40}),
    ],
)  # fmt: skip
def test_a_column_makes_parts(column: pa.Array, bins: int | None, parts: dict[str, int]) -> None:
    """Values are parts, rare ones together; numbers and times are cut where equally many rows are."""
    found = read_parts(pa.chunked_array([column]), bins)

    values, counts = np.unique(found, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == parts
