"""Drift is found where there is some, and not where rows are merely few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.train.data.drift import Drift, count_values, describe_features, measure_drift


def drift_of(before: Any, after: Any) -> Drift:
    """Return the drift of one feature from some values to others."""
    references = describe_features(pd.DataFrame({"x": before}))
    (found,) = measure_drift(references, count_values(references, pd.DataFrame({"x": after})))
    return found


def draw(rows: int, mean: float = 0.0, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return normal values."""
    return np.random.default_rng(seed).normal(mean, size=rows)


def test_the_index_is_that_of_the_formula() -> None:
    """The sum of (a - e) ln(a/e), of half a row more in each bin."""
    found = drift_of([0.0] * 50 + [1.0] * 50, [0.0] * 80 + [1.0] * 20)

    shares = np.array([50.5, 50.5]) / 101, np.array([80.5, 20.5]) / 101
    assert found.psi == pytest.approx(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    assert found.drifted


@pytest.mark.parametrize(("mean", "drifted"), [(0.0, False), (0.1, False), (1.0, True)])
def test_numbers_that_moved_are_named(mean: float, drifted: bool) -> None:
    """A shift by a standard deviation is drift, by a tenth is not."""
    assert drift_of(draw(5000), draw(5000, mean, seed=1)).drifted is drifted


def test_few_rows_are_not_drift() -> None:
    """Thirty rows of the same kind often exceed 0.2, and are seldom named for it."""
    found = [drift_of(draw(5000), draw(30, seed=seed)) for seed in range(1, 101)]

    assert sum(drift.psi > 0.2 for drift in found) > 20
    assert sum(drift.drifted for drift in found) <= 2


def test_new_texts_and_missing_values_are_drift() -> None:
    """Values that were not there before count together, and so do those that are missing."""
    before = ["a"] * 500 + ["b"] * 500

    assert not drift_of(before, before[::-1]).drifted
    assert drift_of(before, ["a"] * 500 + ["c"] * 500).drifted
    missing = drift_of(before, before + [None] * 500)
    assert missing.drifted
    assert missing.missing == pytest.approx(1 / 3)
    assert missing.missing_before == 0


def test_counts_of_batches_add_up() -> None:
    """Rows may come in parts."""
    frame = pd.DataFrame({"x": [*draw(99), np.nan], "y": ["a", "b", None, "c"] * 25})
    references = describe_features(frame)
    parts = [count_values(references, frame[:30]), count_values(references, frame[30:])]

    for name, whole in count_values(references, frame).items():
        assert whole.tolist() == (parts[0][name] + parts[1][name]).tolist()
        assert whole.tolist() == list(references[name].counts)
