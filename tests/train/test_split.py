"""Which rows train and which test."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from tasks.core.errors import TrainingError
from tasks.train.data.split import Rows, fold_rows, read_unit, split_rows
from tests.train.conftest import training

TARGET = [0] * 70 + [1] * 30


def is_partition(parts: list[Any], of: Any) -> bool:
    """Tell whether the parts hold each position once."""
    return sorted(np.concatenate(parts).tolist()) == sorted(np.asarray(of).tolist())


def split_or_reason(columns: dict[str, Any], task: str, **split: Any) -> Rows | str:
    """Return the rows of a split, or why there are none; splitting again gives the same rows."""
    wanted, table = training(split=split, seed=3), pa.table(columns)
    try:
        rows, again = split_rows(wanted, table, task), split_rows(wanted, table, task)
    except TrainingError as error:
        return str(error)
    pairs = zip([(rows.train, rows.test), *rows.folds], [(again.train, again.test), *again.folds], strict=True)
    assert all(np.array_equal(one, other) for first, second in pairs for one, other in zip(first, second, strict=True))
    return rows


@pytest.mark.parametrize("stratify", [True, False])
def test_random_split_is_that_of_sklearn(stratify: bool) -> None:
    """The same seed gives the positions that `train_test_split` gives."""
    split = training(split={"by": "random", "test_fraction": 0.3, "stratify": stratify}, seed=5)

    rows = split_rows(split, pa.table({"y": TARGET}), "classification")

    expected = train_test_split(np.arange(100), test_size=0.3, random_state=5, stratify=TARGET if stratify else None)
    assert [rows.train.tolist(), rows.test.tolist()] == [side.tolist() for side in expected]


@pytest.mark.parametrize("names", [["b", "c", "a"], [True, False, True], [7, 5, 6]])
def test_random_folds_are_those_of_sklearn(names: list[Any]) -> None:
    """Whatever the classes are called, folds are those of `StratifiedKFold` over the rows that train."""
    target = np.array([names[i] for i in np.random.default_rng(0).integers(0, 3, 200)])
    split = training(split={"by": "random", "folds": 4}, seed=5)

    rows = split_rows(split, pa.table({"y": target}), "classification")

    train, _ = train_test_split(np.arange(200), test_size=0.2, random_state=5, stratify=target)
    expected = StratifiedKFold(4, shuffle=True, random_state=5).split(train, target[train])
    assert [[side.tolist() for side in fold] for fold in rows.folds] == [
        [train[learnt].tolist(), train[judged].tolist()] for learnt, judged in expected
    ]


@pytest.mark.parametrize(
    ("moments", "fraction", "train_rows"),
    [
        ([i // 30 for i in range(130)], 0.2, 90),  # moments of 30, 30, 30, 30 and 10 rows: 90 and 120 are as near
        ([i // 30 for i in range(130)], 0.1, 120),
        (list(range(100)), 0.2, 80),
        ([0] * 5 + [1] * 5 + [2] * 5 + [3] * 99, 0.1, 15),
    ],
)
def test_time_split_keeps_a_moment_on_one_side(moments: list[int], fraction: float, train_rows: int) -> None:
    """The later rows test, about the wanted share of them, and no moment is on both sides."""
    split = training(split={"by": "time", "column": "t", "test_fraction": fraction, "folds": 2})
    times = np.array(moments)

    rows = split_rows(split, pa.table({"y": np.arange(len(times)) / 3, "t": times}), "regression")

    assert (len(rows.train), len(rows.test)) == (train_rows, len(times) - train_rows)
    assert times[rows.train].max() < times[rows.test].min()


def test_time_folds_are_those_of_sklearn_where_every_row_has_its_moment() -> None:
    """Folds of distinct moments are those of `TimeSeriesSplit` over the rows that train, in time order."""
    times = np.random.default_rng(0).permutation(103)
    split = training(split={"by": "time", "column": "t", "folds": 4})

    rows = split_rows(split, pa.table({"y": times / 3, "t": times}), "regression")

    expected = TimeSeriesSplit(4).split(rows.train)
    assert [(times[a].tolist(), times[b].tolist()) for a, b in rows.folds] == [
        (a.tolist(), b.tolist()) for a, b in expected
    ]


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("us"), pa.timestamp("ns", "UTC")])
def test_a_gap_is_that_of_sklearn_where_every_day_has_a_row(kind: pa.DataType) -> None:
    """Neither hold-out, nor folds, nor those of a search train on the seven rows before what they test."""
    number = np.random.default_rng(0).permutation(130)
    days = (
        pa.array([date(1969, 12, 1) + timedelta(days=int(day)) for day in number]).cast(pa.timestamp("us")).cast(kind)
    )
    table = pa.table({"y": number / 3, "t": days})
    asked = training(split={"by": "time", "column": "t", "folds": 4, "gap": "7d"})

    rows = split_rows(asked, table, "regression")
    unit = read_unit(asked.split, table)
    assert unit is not None
    inner = fold_rows(asked.split, 1, len(rows.train), classes=None, unit=unit[rows.train], folds=3)

    assert (number[rows.train].tolist(), number[rows.test].tolist()) == ([*range(97)], [*range(104, 130)])
    for found, taken, folds in [(rows.folds, number, 4), (inner, number[rows.train], 3)]:
        plain = TimeSeriesSplit(folds, gap=7).split(rows.train)
        assert [(taken[a].tolist(), taken[b].tolist()) for a, b in found] == [
            (a.tolist(), b.tolist()) for a, b in plain
        ]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_repeated_folds_are_those_of_sklearn(task: str) -> None:
    """At random they are `RepeatedStratifiedKFold` or `RepeatedKFold`, of which the first are those without repeats."""
    target = np.random.default_rng(0).integers(0, 3, 200)
    asked = training(split={"by": "random", "folds": 4, "repeats": 3}, seed=5)

    rows = split_rows(asked, pa.table({"y": target}), task)

    kind = RepeatedStratifiedKFold if task == "classification" else RepeatedKFold
    plain = kind(n_splits=4, n_repeats=3, random_state=5).split(rows.train, target[rows.train])
    assert [test.tolist() for _, test in rows.folds] == [rows.train[test].tolist() for _, test in plain]
    once = split_rows(training(split={"by": "random", "folds": 4}, seed=5), pa.table({"y": target}), task)
    assert [test.tolist() for _, test in once.folds] == [test.tolist() for _, test in rows.folds[:4]]
    assert len(fold_rows(asked.split, 5, 200, classes=None, unit=None, folds=3)) == 3


def test_repeated_folds_of_groups_differ_though_groups_are_unequal() -> None:
    """They are those of `GroupKFold` shuffled on by one generator: even sizes would give the same folds each time."""
    groups = np.repeat(np.arange(12), np.arange(4, 16))
    asked = training(split={"by": "group", "column": "g", "folds": 3, "repeats": 2}, seed=5)

    rows = split_rows(asked, pa.table({"y": np.arange(len(groups)) / 3, "g": groups}), "regression")

    shuffle, taken = GroupKFold(3, shuffle=True, random_state=np.random.RandomState(5)), groups[rows.train]
    plain = [test for _ in range(2) for _, test in shuffle.split(taken, groups=taken)]
    assert [test.tolist() for _, test in rows.folds] == [rows.train[test].tolist() for test in plain]
    first, second = ({tuple(np.unique(groups[test])) for _, test in part} for part in (rows.folds[:3], rows.folds[3:]))
    assert first != second


@pytest.mark.parametrize(
    ("task", "target", "split", "says"),
    [
        ("classification", [0] * 99 + [1], {"by": "random"}, "set stratify: false"),
        (
            "classification",
            [0] * 95 + [1] * 5,
            {"by": "random"},
            "there are 4 rows of the rarest class to train on, and 5 folds need 5; lower folds",
        ),
        (
            "classification",
            TARGET,
            {"by": "time", "column": "t", "test_fraction": 0.5},
            "one class of 'y' only; lower test_fraction",
        ),
        (
            "classification",
            [0, 1] * 50,
            {"by": "time", "column": "same"},
            "'same' is the same moment in all 100 rows, so no row is later; name another column",
        ),
        (
            "classification",
            [0, 1] * 45 + [1] * 10,
            {"by": "time", "column": "t", "test_fraction": 0.1},
            "the 10 rows held out have one class of 'y' only; raise test_fraction",
        ),
        (
            "classification",
            [0, 1] * 20 + [1] * 50 + [0, 1] * 5,
            {"by": "time", "column": "t"},
            "the 13 rows that fold 3 tests have one class of 'y' only; lower folds",
        ),
        (
            "regression",
            TARGET,
            {"by": "random", "folds": 50},
            "fold 31 of 50 by random .* tests on 1, and each needs 2",
        ),
        (
            "regression",
            TARGET,
            {"by": "time", "column": "ten"},
            "there are 5 moments of 'ten' to train on, and 5 folds need 6; lower folds, or name a finer column",
        ),
        (
            "regression",
            TARGET,
            {"by": "group", "column": "ten", "folds": 9},
            "there are 6 groups of 'ten' to train on, and 9 folds need 10; name a column of more groups",
        ),
        (
            "regression",
            TARGET,
            {"by": "group", "column": "ten"},
            "there are 4 groups to train on, and 5 folds need 5; lower folds or test_fraction",
        ),
        (
            "regression",
            TARGET,
            {"by": "group", "column": "ten", "repeats": 2},
            "there are 4 groups to train on, and 5 folds need 5; lower folds or test_fraction",
        ),
        (
            "regression",
            TARGET,
            {"by": "time", "column": "day", "gap": "80d"},
            "training.split.gap: none of 100 rows is more than 80d before those held out; shorten it",
        ),
        (
            "regression",
            TARGET,
            {"by": "time", "column": "day", "gap": "2w"},
            "fold 1 of 5 by time trains on 0 rows and tests on 11, and each needs 2; shorten gap, lower folds",
        ),
    ],
)
def test_refuses_a_split_that_cannot_be_learnt_from(
    task: str, target: list[int], split: dict[str, Any], says: str
) -> None:
    """Rare classes, one class alone, few rows, moments or groups are refused with the figures and the cure."""
    ten = [i // 17 for i in range(100)]
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(100)]
    table = pa.table({"y": target, "t": range(100), "same": [1] * 100, "ten": ten, "day": days})

    with pytest.raises(TrainingError, match=says):
        split_rows(training(split=split), table, task)


@settings(max_examples=60)
@given(
    shares=st.lists(st.integers(1, 30), min_size=2, max_size=4),
    folds=st.integers(2, 7),
    fraction=st.sampled_from([0.1, 0.2, 0.5]),
    stratify=st.booleans(),
)
def test_a_random_split_is_a_partition(shares: list[int], folds: int, fraction: float, stratify: bool) -> None:
    """Hold-out and training rows are all rows; each training row tests in one fold and trains in the others."""
    target = np.random.default_rng(0).permutation(np.repeat(np.arange(len(shares)), shares))

    rows = split_or_reason(
        {"y": target}, "classification", by="random", folds=folds, test_fraction=fraction, stratify=stratify
    )

    if isinstance(rows, str):
        assert "; " in rows
        return
    assert is_partition([rows.train, rows.test], np.arange(len(target)))
    assert is_partition([test for _, test in rows.folds], rows.train)
    for train, test in rows.folds:
        assert is_partition([train, test], rows.train)
        assert len(np.unique(target[train])) >= 2
        assert len(np.unique(target[test])) >= 2


@settings(max_examples=60)
@given(
    moments=st.lists(st.integers(0, 40), min_size=10, max_size=150),
    folds=st.integers(2, 7),
    gap=st.sampled_from([0, 0, 1, 3]),
)
def test_a_time_split_never_looks_ahead(moments: list[int], folds: int, gap: int) -> None:
    """Every fold trains on all moments before those it tests, but for the gap's, spans follow each other, and the last ends the rest."""
    times = np.array(moments)
    table = {"y": times / 3, "t": pa.array(times * 1_000_000, pa.timestamp("us"))}
    wanted = {"gap": f"{gap}s"} if gap else {}

    rows = split_or_reason(table, "regression", by="time", column="t", folds=folds, **wanted)

    if isinstance(rows, str):
        assert "; " in rows
        return
    held_out = times[rows.test].min()
    assert is_partition([rows.train], np.flatnonzero(times < held_out - gap))
    assert is_partition([rows.test], np.flatnonzero(times >= held_out))
    first = times[rows.folds[0][1]].min()
    assert is_partition([test for _, test in rows.folds], rows.train[times[rows.train] >= first])
    for train, test in [(rows.train, rows.test), *rows.folds]:
        assert times[train].max() < times[test].min() - gap
    for train, test in rows.folds:
        assert len(train) == (times[rows.train] < times[test].min() - gap).sum()


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=3, max_size=40),
    folds=st.integers(2, 6),
    task=st.sampled_from(["classification", "regression"]),
)
def test_a_group_split_keeps_groups_whole(sizes: list[int], folds: int, task: str) -> None:
    """No group is on two sides, of the hold-out or of a fold, and each training row tests once."""
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    target = np.random.default_rng(1).integers(0, 2, len(groups))

    rows = split_or_reason(
        {"y": target, "g": [f"group {g}" for g in groups]}, task, by="group", column="g", folds=folds
    )

    if isinstance(rows, str):
        assert "; " in rows
        return
    assert is_partition([rows.train, rows.test], np.arange(len(groups)))
    assert is_partition([test for _, test in rows.folds], rows.train)
    for train, test in [(rows.train, rows.test), *rows.folds]:
        assert not set(groups[train]) & set(groups[test])
        assert task == "regression" or len(np.unique(target[train])) == len(np.unique(target[test])) == 2
