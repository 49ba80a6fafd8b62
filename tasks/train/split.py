"""Which rows train and which test."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.model_selection import train_test_split

from tasks.errors import TrainingError
from tasks.spec import RandomSplit, TimeSplit, Training
from tasks.train.features import Array, read_numbers, read_target

_MIN_CLASSES = 2


def split_rows(training: Training, table: pa.Table, task: str) -> tuple[Array, Array]:
    """Return the positions of the rows that train and of those that test.

    A random split is scikit-learn's `train_test_split` of the rows in their
    order; a time split trains on the earlier rows and returns both sides in
    time order.

    Raises:
        TrainingError: when a side would be empty, or one class would be left to train on.

    """
    target = read_target(table.column(training.target), task)
    if isinstance(training.split, TimeSplit):
        train, test = _split_by_time(training.split, read_numbers(table.column(training.split.column)))
    else:
        train, test = _split_at_random(training.split, training.seed, target, task)
    if task == "classification" and len(np.unique(target[train])) < _MIN_CLASSES:
        raise TrainingError(
            f"training.split: the {len(train)} rows to train on have one class of {training.target!r} only; "
            "lower test_fraction or widen the query"
        )
    return train, test


def _split_at_random(split: RandomSplit, seed: int, target: Array, task: str) -> tuple[Array, Array]:
    strata = target if split.stratify and task == "classification" else None
    try:
        train, test = train_test_split(
            np.arange(len(target)), test_size=split.test_fraction, random_state=seed, stratify=strata
        )
    except ValueError as error:
        cure = "set stratify: false, or leave rare classes out in the query" if strata is not None else "raise the rows"
        raise TrainingError(f"training.split: {str(error).splitlines()[0].rstrip('.')}; {cure}") from None
    return train, test


def _split_by_time(split: TimeSplit, moments: Array) -> tuple[Array, Array]:
    """Cut where the share of later rows is nearest to the wanted one, between two moments."""
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    cuts = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1
    if not len(cuts):
        raise TrainingError(
            f"training.split.column: {split.column!r} is the same moment in all {len(moments)} rows, so no row is "
            "later; name another column or split by random"
        )
    wanted = len(moments) * (1 - split.test_fraction)
    cut = cuts[np.argmin(np.abs(cuts - wanted))]
    return order[:cut], order[cut:]
