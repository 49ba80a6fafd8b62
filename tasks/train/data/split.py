"""Which rows train, which are held out, and the folds of those that train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    train_test_split,
)

from tasks.config import GroupSplit, OwnSplit, RandomSplit, Split, TimeSplit, Training, write_duration
from tasks.core.errors import TrainingError
from tasks.core.escaping import count
from tasks.train.data.features import encode
from tasks.train.data.own_split import draw_own
from tasks.train.data.types import Array

_MIN_FOLD_ROWS = 2  # R2 of one row is not a number
_TOLD = 200  # characters of what scikit-learn says
_MICROSECOND = timedelta(microseconds=1)
_MANY_GROUPS = 2000  # stratifying groups takes 0.1 ms a group and fold; so many are alike without it

_OF_ALL_ROWS = "training.split: a splitter of your own parts all rows, and not those of a fit; take it out"

Pair = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Rows:
    """Positions in the training set: what trains, what is held out, and the folds (train, test) of what trains.

    `unit` is, for every row of the training set, its moment or group as
    `read_unit` has it, none of which is ever on both sides; a random split has none.
    """

    train: Array
    test: Array
    folds: tuple[Pair, ...]
    unit: Array | None = None


def split_rows(training: Training, table: pa.Table, task: str) -> Rows:
    """Return which rows train and test, the same for every candidate.

    A random split is scikit-learn's `train_test_split` of the rows in their
    order, and its folds are those of `RepeatedStratifiedKFold`
    (`RepeatedKFold` for regression) of the seed, the first of which are those
    of `StratifiedKFold`. A time split trains on the earlier rows, each fold
    on all before the span it tests, as `TimeSeriesSplit`; rows of one moment
    stay together, and all positions are in time order. With a gap, rows of
    that long before the hold-out are on no side at all, and no fold trains on
    those of that long before its span. A group split keeps each group on one
    side. A splitter of the user's own draws all of it.

    Raises:
        TrainingError: when a side would be empty, a fold too small, or one class would be left on a side.

    """
    split, seed = training.split, training.seed
    classes = encode(table.column(training.target), ordered=True) if task == "classification" else None
    unit = read_unit(split, table)
    if isinstance(split, OwnSplit):
        (train, test), folds = draw_own(split, training.trusted, seed, table, classes)
        rows = Rows(train, test, folds)
        if classes is not None:
            _check_classes(rows, classes, training.target)
        return rows
    if isinstance(split, RandomSplit):
        train, test = _hold_out_at_random(split, seed, table.num_rows, classes)
    else:
        assert unit is not None
        train, test = _hold_out_by_time(split, unit) if split.by == "time" else _hold_out_groups(split, seed, unit)
    found = fold_rows(
        split,
        seed,
        len(train),
        classes=None if classes is None else classes[train],
        unit=None if unit is None else unit[train],
    )
    rows = Rows(train, test, tuple((train[learnt], train[judged]) for learnt, judged in found), unit)
    if classes is not None:
        _check_classes(rows, classes, training.target)
    return rows


def read_unit(split: Split, table: pa.Table) -> Array | None:
    """Return the number of each row's moment (in order) or group among those of the table, or None by random.

    With a gap, moments are microseconds since 1970.
    """
    if isinstance(split, RandomSplit | OwnSplit):
        return None
    column = table.column(split.column)
    if isinstance(split, TimeSplit) and split.gap is not None:
        return np.asarray(pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64()).to_numpy())
    return encode(column, ordered=True)


def fold_rows(
    split: Split, seed: int, rows: int, *, classes: Array | None, unit: Array | None, folds: int | None = None
) -> tuple[Pair, ...]:
    """Return the folds of rows, as positions among them, in the way of a split; those of a repeat follow each other.

    Args:
        split: How rows are split.
        seed: Seed of what is random.
        rows: Number of rows.
        classes: Class of each row, for classification.
        unit: Moment or group of each row, where the split goes by one.
        folds: Number of folds, none repeated, where they are not the split's own.

    Raises:
        TrainingError: when the rows are too few.

    """
    if isinstance(split, OwnSplit):
        raise TrainingError(_OF_ALL_ROWS)
    number = folds or split.folds
    repeats = 1 if folds or isinstance(split, TimeSplit) else split.repeats
    if isinstance(split, RandomSplit):
        found = _fold_at_random(number, repeats, seed, rows, classes if split.stratify else None)
    else:
        assert unit is not None
        if isinstance(split, TimeSplit):
            found = _fold_by_time(split, number, unit)
        elif repeats > 1:
            found = _fold_groups_again(number, repeats, seed, unit)
        else:
            found = _fold_groups(number, seed, unit, classes)
    _check_folds(found, split)
    return found


def hold_back(
    split: Split, seed: int, rows: int, *, fraction: float, classes: Array | None, unit: Array | None
) -> Pair:
    """Return which rows of a fit it learns from, and which are held back, as positions among them, in the way of a split.

    Args:
        split: How rows are split.
        seed: Seed of what is random.
        rows: Number of rows.
        fraction: Share of them to hold back.
        classes: Class of each row, for classification.
        unit: Moment or group of each row, where the split goes by one.

    Raises:
        TrainingError: when a side would be empty.

    """
    if isinstance(split, OwnSplit):
        raise TrainingError(_OF_ALL_ROWS)
    wanted = split.model_copy(update={"test_fraction": fraction})
    if isinstance(wanted, RandomSplit):
        return _hold_out_at_random(wanted, seed, rows, classes)
    assert unit is not None
    return _hold_out_by_time(wanted, unit) if isinstance(wanted, TimeSplit) else _draw_groups(wanted, seed, unit)


def _hold_out_at_random(split: RandomSplit, seed: int, rows: int, classes: Array | None) -> Pair:
    strata = classes if split.stratify else None
    try:
        train, test = train_test_split(
            np.arange(rows), test_size=split.test_fraction, random_state=seed, stratify=strata
        )
    except ValueError as error:
        cure = "set stratify: false, or leave rare classes out in the query" if strata is not None else "raise the rows"
        told = str(error).splitlines()[0].rstrip(".")
        raise TrainingError(f"training.split: {told[:_TOLD]}; {cure}") from None  # it names all the rare classes
    return train, test


def _fold_at_random(folds: int, repeats: int, seed: int, rows: int, strata: Array | None) -> tuple[Pair, ...]:
    _check_number(rows, folds, "rows", "lower folds or widen the query")
    several = {"n_splits": folds, "n_repeats": repeats, "random_state": seed}
    if strata is None:
        return tuple(RepeatedKFold(**several).split(np.empty(rows)))
    cure = "lower folds, set stratify: false, or leave rare classes out in the query"
    _check_rarest(strata, folds, cure)
    return tuple(RepeatedStratifiedKFold(**several).split(strata, strata))


def _hold_out_by_time(split: TimeSplit, moments: Array) -> Pair:
    """Cut where the share of later rows is nearest to the wanted one, between two moments."""
    order, cuts = _in_time(moments)
    if not len(cuts):
        raise TrainingError(
            f"training.split.column: {split.column!r} is the same moment in all {len(moments)} rows, so no row is "
            "later; name another column or split by random"
        )
    wanted = len(moments) * (1 - split.test_fraction)
    cut = int(cuts[np.argmin(np.abs(cuts - wanted))])
    train, test = _before(order, cut, moments, split.gap), order[cut:]
    if split.gap is not None and not len(train):
        raise TrainingError(
            f"training.split.gap: none of {len(moments)} rows is more than {write_duration(split.gap)} before those held "
            "out; shorten it, lower test_fraction or widen the query"
        )
    return train, test


def _before(order: Array, cut: int, moments: Array, gap: timedelta | None) -> Array:
    """Return the rows in time order that come before a cut, by more than a gap where there is one."""
    if gap is None:
        return order[:cut]
    latest = moments[order[cut]] - gap // _MICROSECOND  # not to be trained on itself
    return order[: np.searchsorted(moments[order], latest)]


def _in_time(moments: Array) -> Pair:
    """Return the order of rows in time, and where in it a new moment begins."""
    order = np.argsort(moments, kind="stable")
    ordered = moments[order]
    return order, np.flatnonzero(ordered[1:] > ordered[:-1]) + 1


def _fold_by_time(split: TimeSplit, folds: int, moments: Array) -> tuple[Pair, ...]:
    order, cuts = _in_time(moments)
    cure = "lower folds, or name a finer column"
    _check_number(len(cuts) + 1, folds + 1, f"moments of {split.column!r}", cure, folds=folds)
    starts = _spans(cuts, len(order), folds)
    ends = [*starts[1:], len(order)]
    return tuple(
        (_before(order, start, moments, split.gap), order[start:end]) for start, end in zip(starts, ends, strict=True)
    )


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


def _hold_out_groups(split: GroupSplit, seed: int, groups: Array) -> Pair:
    cure = "name a column of more groups, or split by random"
    _check_number(int(groups.max()) + 1, split.folds + 1, f"groups of {split.column!r}", cure, folds=split.folds)
    return _draw_groups(split, seed, groups, cure)


def _draw_groups(split: GroupSplit, seed: int, groups: Array, cure: str = "") -> Pair:
    try:
        shuffle = GroupShuffleSplit(1, test_size=split.test_fraction, random_state=seed)
        train, test = next(shuffle.split(groups, groups=groups))
    except ValueError as error:
        raise TrainingError(f"training.split: {str(error).splitlines()[0].rstrip('.')}; {cure}") from None
    return train, test


def _fold_groups(folds: int, seed: int, groups: Array, classes: Array | None) -> tuple[Pair, ...]:
    # Shuffled, so that folds of equal groups do not follow the groups' order.
    named, numbered = np.unique(groups, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(named))[numbered]
    _check_number(len(named), folds, "groups", "lower folds or test_fraction, or name a column of more groups")
    if classes is None or len(named) > _MANY_GROUPS:
        return tuple(GroupKFold(folds).split(shuffled, groups=shuffled))
    _check_rarest(classes, folds, "lower folds, or leave rare classes out in the query")
    stratified = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return tuple(stratified.split(shuffled, classes, shuffled))


def _fold_groups_again(folds: int, repeats: int, seed: int, groups: Array) -> tuple[Pair, ...]:
    """Return folds of groups in random order: those that even out rows or classes are the same each time."""
    _check_number(
        len(np.unique(groups)), folds, "groups", "lower folds or test_fraction, or name a column of more groups"
    )
    shuffle = GroupKFold(folds, shuffle=True, random_state=np.random.RandomState(seed))
    return tuple(pair for _ in range(repeats) for pair in shuffle.split(groups, groups=groups))


def _check_rarest(classes: Array, folds: int, cure: str) -> None:
    found = np.bincount(classes)
    _check_number(int(found[found > 0].min()), folds, "rows of the rarest class", cure)


def _check_number(found: int, needed: int, what: str, cure: str, *, folds: int | None = None) -> None:
    if found < needed:
        raise TrainingError(
            f"training.split.folds: there are {found} {what} to train on, and {folds or needed} folds need {needed}; "
            f"{cure}"
        )


def _check_folds(folds: tuple[Pair, ...], split: Split) -> None:
    cure = "shorten gap, " if isinstance(split, TimeSplit) and split.gap else ""
    for number, (train, test) in enumerate(folds, start=1):
        if min(len(train), len(test)) < _MIN_FOLD_ROWS:
            raise TrainingError(
                f"training.split.folds: fold {number} of {len(folds)} by {split.by} trains on {count(len(train), 'row')} and "
                f"tests on {len(test)}, and each needs {_MIN_FOLD_ROWS}; {cure}lower folds or widen the query"
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
