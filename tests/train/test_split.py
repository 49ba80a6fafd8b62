"""Which rows train and which test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.model_selection import train_test_split

from tasks.errors import TrainingError
from tasks.train.split import split_rows
from tests.train.conftest import training

TARGET = [0] * 70 + [1] * 30


@pytest.mark.parametrize("stratify", [True, False])
def test_random_split_is_that_of_sklearn(stratify: bool) -> None:
    """The same seed gives the positions that `train_test_split` gives."""
    split = training(split={"by": "random", "test_fraction": 0.3, "stratify": stratify}, seed=5)

    train, test = split_rows(split, pa.table({"y": TARGET}), "classification")

    expected = train_test_split(np.arange(100), test_size=0.3, random_state=5, stratify=TARGET if stratify else None)
    assert [train.tolist(), test.tolist()] == [side.tolist() for side in expected]


@pytest.mark.parametrize(
    ("moments", "fraction", "train_rows"),
    [
        ([i // 30 for i in range(100)], 0.2, 90),  # moments of 30, 30, 30 and 10 rows: 90 is as near to 80 as can be
        ([i // 30 for i in range(100)], 0.5, 60),
        (list(range(100)), 0.2, 80),
        ([0] * 99 + [1], 0.9, 99),
        ([0] + [1] * 99, 0.1, 1),
    ],
)
def test_time_split_keeps_a_moment_on_one_side(moments: list[int], fraction: float, train_rows: int) -> None:
    """The later rows test, about the wanted share of them, and no moment is on both sides."""
    split = training(split={"by": "time", "column": "t", "test_fraction": fraction})
    times = np.array(moments)

    train, test = split_rows(split, pa.table({"y": np.arange(100) / 3, "t": times}), "regression")

    assert (len(train), len(test)) == (train_rows, 100 - train_rows)
    assert times[train].max() < times[test].min()


@pytest.mark.parametrize(
    ("target", "split", "says"),
    [
        ([0] * 99 + [1], {"by": "random"}, "set stratify: false"),
        (TARGET, {"by": "time", "column": "t", "test_fraction": 0.5}, "one class of 'y' only; lower test_fraction"),
    ],
)
def test_refuses_a_split_that_cannot_be_learnt_from(target: list[int], split: dict[str, Any], says: str) -> None:
    """A rare class, or one class alone on the side that trains, is refused with the cure."""
    with pytest.raises(TrainingError, match=says):
        split_rows(training(split=split), pa.table({"y": target, "t": range(100)}), "classification")
