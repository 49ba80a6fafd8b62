"""Which rows train, which are held out, and the folds of those that train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)

from tasks.errors import TrainingError
from tasks.spec import GroupSplit, RandomSplit, TimeSplit, Training
from tasks.train.features import Array, encode, read_numbers

_MIN_FOLD_ROWS = 2  # R2 of one row is not a number
_MANY_GROUPS = 2000  # stratifying groups takes 0.1 ms a group and fold; so many are alike without it

Pair = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Rows:
    """Positions in the training set: what trains, what is held out, and the folds (train, test) of what trains."""

    train: Array
    test: Array
    folds: tuple[Pair, ...]


def split_rows(training: Training, table: pa.Table, task: str) -> Rows:
    """Return which rows train and test, the same for every candidate.

    A random split is scikit-learn's `train_test_split` of the rows in their
    order, and its folds are those of `StratifiedKFold` (`KFold` for
    regression), shuffled by the seed. A time split trains on the earlier
    rows, each fold on all before the span it tests, as `TimeSeriesSplit`;
    rows of one moment stay together, and all positions are in time order. A
    group split keeps each group on one side.

    Raises:
        TrainingError: when a side would be empty, a fold too small, or one class would be left on a side.

    """
    split = training.split
    classes = encode(table.column(training.target), ordered=True) if task == "classification" else None
    match split:
        case TimeSplit():
            rows = _split_by_time(split, read_numbers(table.column(split.column)))
        case GroupSplit():
            rows = _split_by_group(split, _groups(table.column(split.column), training.seed), training.seed, classes)
        case RandomSplit():
            rows = _split_at_random(split, training.seed, table.num_rows, classes if split.stratify else None)
    _check_folds(rows, split.by)
    if classes is not None:
        _check_classes(rows, classes, training.target)
    return rows


def _split_at_random(split: RandomSplit, seed: int, total: int, strata: Array | None) -> Rows:
    try:
        train, test = train_test_split(
            np.arange(total), test_size=split.test_fraction, random_state=seed, stratify=strata
        )
    except ValueError as error:
        cure = "set stratify: false, or leave rare classes out in the query" if strata is not None else "raise the rows"
        raise TrainingError(f"training.split: {str(error).splitlines()[0].rstrip('.')}; {cure}") from None
    _check_number(len(train), split.folds, "rows", "lower folds or widen the query")
    if strata is None:
        return Rows(train, test, _of(train, KFold(split.folds, shuffle=True, random_state=seed).split(train)))
    cure = "lower folds, set stratify: false, or leave rare classes out in the query"
    _check_rarest(strata[train], split.folds, cure)
    folds = StratifiedKFold(split.folds, shuffle=True, random_state=seed)
    return Rows(train, test, _of(train, folds.split(train, strata[train])))


def _split_by_time(split: TimeSplit, moments: Array) -> Rows:
    """Cut where the share of later rows is nearest to the wanted one, between two moments; folds likewise."""
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    cuts = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1
    if not len(cuts):
        raise TrainingError(
            f"training.split.column: {split.column!r} is the same moment in all {len(moments)} rows, so no row is "
            "later; name another column or split by random"
        )
    wanted = len(moments) * (1 - split.test_fraction)
    cut = int(cuts[np.argmin(np.abs(cuts - wanted))])
    inner = cuts[cuts < cut]
    cure = "lower folds, or name a finer column"
    _check_number(len(inner) + 1, split.folds + 1, f"moments of {split.column!r}", cure, folds=split.folds)
    starts = _spans(inner, cut, split.folds)
    ends = [*starts[1:], cut]
    folds = ((order[:start], order[start:end]) for start, end in zip(starts, ends, strict=True))
    return Rows(order[:cut], order[cut:], tuple(folds))


def _spans(cuts: Array, total: int, folds: int) -> list[int]:
    """Return where each span that tests begins: the cut nearest to equal spans that leaves one for each after it."""
    span = total // (folds + 1)
    starts: list[int] = []
    first = 0
    for left in range(folds, 0, -1):
        free = cuts[first : len(cuts) - left + 1]
        nearest = int(np.argmin(np.abs(free - (total - left * span))))
        starts.append(int(free[nearest]))
        first += nearest + 1
    return starts


def _groups(column: pa.ChunkedArray, seed: int) -> Array:
    """Return the group of each row as a number, drawn by the seed, so that no fold follows the order of rows."""
    groups = encode(column)
    return np.asarray(np.random.default_rng(seed).permutation(groups.max() + 1)[groups])


def _split_by_group(split: GroupSplit, groups: Array, seed: int, classes: Array | None) -> Rows:
    total = int(groups.max()) + 1
    cure = "name a column of more groups, or split by random"
    _check_number(total, split.folds + 1, f"groups of {split.column!r}", cure, folds=split.folds)
    try:
        shuffle = GroupShuffleSplit(1, test_size=split.test_fraction, random_state=seed)
        train, test = next(shuffle.split(groups, groups=groups))
    except ValueError as error:
        raise TrainingError(f"training.split: {str(error).splitlines()[0].rstrip('.')}; {cure}") from None
    left = len(np.unique(groups[train]))
    _check_number(left, split.folds, f"groups of {split.column!r}", f"lower folds or test_fraction, or {cure}")
    if classes is None or total > _MANY_GROUPS:
        found = GroupKFold(split.folds).split(train, groups=groups[train])
    else:
        _check_rarest(classes[train], split.folds, "lower folds, or leave rare classes out in the query")
        folds = StratifiedGroupKFold(split.folds, shuffle=True, random_state=seed)
        found = folds.split(train, classes[train], groups[train])
    return Rows(train, test, _of(train, found))


def _of(train: Array, folds: Iterable[Pair]) -> tuple[Pair, ...]:
    """Return folds of the rows that train as positions in the training set."""
    return tuple((train[learnt], train[judged]) for learnt, judged in folds)


def _check_rarest(classes: Array, folds: int, cure: str) -> None:
    found = np.bincount(classes)
    _check_number(int(found[found > 0].min()), folds, "rows of the rarest class", cure)


def _check_number(found: int, needed: int, what: str, cure: str, *, folds: int | None = None) -> None:
    if found < needed:
        raise TrainingError(
            f"training.split.folds: there are {found} {what} to train on, and {folds or needed} folds need {needed}; "
            f"{cure}"
        )


def _check_folds(rows: Rows, by: str) -> None:
    for number, (train, test) in enumerate(rows.folds, start=1):
        if min(len(train), len(test)) < _MIN_FOLD_ROWS:
            raise TrainingError(
                f"training.split.folds: fold {number} of {len(rows.folds)} by {by} trains on {len(train)} rows and "
                f"tests on {len(test)}, and each needs {_MIN_FOLD_ROWS}; lower folds or widen the query"
            )


def _check_classes(rows: Rows, classes: Array, target: str) -> None:
    """Raise where one class is alone on a side: nothing can be learnt there, and most metrics cannot be had."""
    for side, positions, cure in _sides(rows):
        if (classes[positions] == classes[positions[0]]).all():
            raise TrainingError(
                f"training.split: {side.format(len(positions))} have one class of {target!r} only; {cure}"
            )


def _sides(rows: Rows) -> Iterator[tuple[str, Array, str]]:
    yield "the {} rows to train on", rows.train, "lower test_fraction or widen the query"
    yield "the {} rows held out", rows.test, "raise test_fraction or widen the query"
    for number, (train, test) in enumerate(rows.folds, start=1):
        cure = "lower folds or widen the query"
        yield f"the {{}} rows that fold {number} trains on", train, cure
        yield f"the {{}} rows that fold {number} tests", test, cure
