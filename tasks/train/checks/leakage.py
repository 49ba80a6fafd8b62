"""Features that give the target away: copies of it, and what is only known once it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tasks.config import TimeSplit, Training
from tasks.train.data.classes import TWO
from tasks.train.data.features import (
    Features,
    encode,
    encode_classes,
    find_missing,
    is_text_type,
    read_numbers,
    read_target,
)
from tasks.train.data.split_file import Sides
from tasks.train.data.training_set import Problem
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput, quick_scoring

SEEN_ROWS = 10_000  # of those that train; more do not change a figure's second digit
# A shallow tree of one feature that is not suspicious reaches 0.98 at most on the data sets of scikit-learn (AUC of
# iris by the petals' width; 0.96 for breast_cancer, 0.64 for flights), and a copy of the target with one error in two
# hundred 0.995.
TOO_GOOD = 0.99
_HOPELESS = 2 * TOO_GOOD - 1 - 1e-9  # of the first of two folds, which the second, 1 at most, does not make up for
_DEPTH = 6
_LEAF = 5
_FEWEST = 20  # rows that have, or lack, a value: fewer may be of one class by chance
_CHANCE = 1e-9
_ONE_UNIT = 1.0  # that counts of whole units are cut by at most
_ROUNDING = 1e-9  # of the span
_LARGEST = 1e30  # trees take float32, and sum a column to look for infinity


@dataclass(frozen=True)
class _Seen:
    """Some of the rows that train, and their target as the class's number or the amount's rank."""

    table: pa.Table
    target: str
    task: Problem
    truth: Array
    alone: bool
    """Whether there is one feature only."""


def warn_of_leakage(table: pa.Table, features: Features, training: Training, task: Problem, sides: Sides) -> list[str]:
    """Return a warning for each feature that alone tells the target; the hold-out is not looked at."""
    seen = table.select([*features.names, training.target]).take(_some(sides.train, training.seed))
    target = read_target(seen.column(training.target), task)
    truth = encode_classes(target) if task == "classification" else _ranks(target)
    rows_seen = _Seen(seen, training.target, task, truth, alone=len(features.names) == 1)
    clock = _read_clock(table, training, sides)
    found = (None if _counts_time(seen.column(name), clock) else _leakage(rows_seen, name) for name in features.names)
    return [f"training.query: {name!r} {told}" for name, told in zip(features.names, found, strict=True) if told]


def _leakage(seen: _Seen, name: str) -> str | None:
    """Return the gravest that is to be said of a feature."""
    column, rows = seen.table.column(name), seen.table.num_rows
    text = is_text_type(column.type)
    values = encode(column).astype(float) if text else read_numbers(column).clip(-_LARGEST, _LARGEST)
    missing = find_missing(column)
    if seen.task == "classification":
        if _is_copy(values, seen.truth):
            return f"is a copy of {seen.target!r} under other names in all of {rows} rows; leave it out"
        if sided := _one_sided(missing, seen.truth):
            state, count, only = sided
            first = seen.table.column(seen.target)[int(np.flatnonzero(seen.truth == only)[0])].as_py()
            return (
                f"is {state} only where {seen.target!r} is {first!r} ({count} of {rows} rows), as what is known after "
                "the outcome is; leave it out unless it is known before"
            )
    if seen.alone or missing.all():
        return None
    alone = _classes_alone if seen.task == "classification" else _amounts_alone
    figure = alone(values, seen.truth, text=text)
    if figure < TOO_GOOD:
        return None
    metric = "AUC" if seen.task == "classification" else "R2 of ranks"
    return (
        f"alone tells {seen.target!r} ({metric} {figure:.3f} by a tree of it on {rows} rows); "
        "leave it out if it is known only after the outcome"
    )


def _read_clock(table: pa.Table, training: Training, sides: Sides) -> Array | None:
    """Return the time of the split at the rows that are seen, which is known before any outcome; None where none is declared, or it is a text."""
    if not isinstance(training.split, TimeSplit) or is_text_type(table.column(training.split.column).type):
        return None
    return read_numbers(table.column(training.split.column).take(_some(sides.train, training.seed)))


def _counts_time(column: pa.ChunkedArray, clock: Array | None) -> bool:
    """Return whether a feature is the split's time in another unit: a count of days, weeks or hours from one moment, whole or not."""
    if clock is None or is_text_type(column.type) or pa.types.is_boolean(column.type):
        return False
    values = read_numbers(column)
    first, last = int(clock.argmin()), int(clock.argmax())
    if not (np.isfinite(values).all() and np.isfinite(clock).all()) or values[first] == values[last]:
        return False
    rate = (values[last] - values[first]) / (clock[last] - clock[first])
    off = np.abs(values - values[first] - rate * (clock - clock[first])).max()
    is_whole = bool((values == np.floor(values)).all())
    return bool(off <= (_ONE_UNIT if is_whole else _ROUNDING * abs(values[last] - values[first])))


def _some(rows: Array, seed: int) -> Array:
    if len(rows) <= SEEN_ROWS:
        return np.sort(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, SEEN_ROWS, replace=False))


def _ranks(amounts: Array) -> Array:
    """Return amounts as ranks between 0 and 1: what is the target in another unit, or its logarithm, has them too."""
    return np.asarray(np.unique(amounts, return_inverse=True)[1] / len(amounts))


def _is_copy(values: Array, classes: Array) -> bool:
    """Return whether each value belongs to one class and each class to one value."""
    codes = np.unique(values, return_inverse=True)[1]  # NaN is one value
    number = int(classes.max()) + 1
    return int(codes.max()) + 1 == number and len(np.unique(codes * number + classes)) == number


def _one_sided(missing: Array, classes: Array) -> tuple[str, int, int] | None:
    """Return what (there, null) all rows of only one class are, how many, and the class; None where it may be chance."""
    shares = np.bincount(classes) / len(classes)
    for state, where in (("there", ~missing), ("null", missing)):
        rows = int(where.sum())
        if _FEWEST <= rows < len(classes):
            only = int(classes[where][0])
            if (classes[where] == only).all() and rows * math.log(shares[only]) < math.log(_CHANCE):
                return state, rows, only
    return None


def _halves(rows: int) -> tuple[tuple[Array, Array], ...]:
    """Return two folds of every other row."""
    places = np.arange(rows)
    return (places[::2], places[1::2]), (places[1::2], places[::2])


def _classes_alone(values: Array, classes: Array, *, text: bool) -> float:
    """Return how well the classes are told apart by one feature, over two folds."""
    scores = []
    for train, test in _halves(len(values)):
        if len(np.unique(classes[train])) < classes.max() + 1 or len(np.unique(classes[test])) < classes.max() + 1:
            return 0.0  # a class too rare to tell
        if text:
            one_hot = np.eye(int(classes.max()) + 1)[classes]
            said = _means(values[train].astype(int), one_hot[train], int(values.max()) + 1)[values[test].astype(int)]
        else:
            tree = DecisionTreeClassifier(max_depth=_DEPTH, min_samples_leaf=_LEAF, random_state=0)
            said = tree.fit(values[train, None], classes[train]).predict_proba(values[test, None])
        binary = said.shape[1] == TWO
        if not binary and not _often_right(said, classes[test]):
            return 0.0  # areas of many classes take long, and none is near to one here
        scores.append(
            _area(classes[test], said[:, 1]) if binary else roc_auc_score(classes[test], said, multi_class="ovr")
        )
        if scores[0] < _HOPELESS:
            return 0.0
    return float(np.mean(scores))


def _area(truth: Array, ranking: Array) -> float:
    """Return the area of two classes as scikit-learn does, to the last digits, without its checks, which take most of the time."""
    score = quick_scoring("roc_auc", ModelOutput(truth, truth, ranking=ranking, classes=np.arange(TWO)))
    assert score is not None
    return score(np.arange(len(truth)))


def _often_right(said: Array, classes: Array) -> bool:
    most = np.bincount(classes).max() / len(classes)
    return bool((said.argmax(axis=1) == classes).mean() > (1 + most) / 2)


def _amounts_alone(values: Array, ranks: Array, *, text: bool) -> float:
    """Return how much of the ranks' variance one feature tells, over two folds."""
    scores = []
    for train, test in _halves(len(values)):
        if text:
            means = _means(values[train].astype(int), ranks[train, None], int(values.max()) + 1)
            said = means[values[test].astype(int), 0]
        else:
            tree = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=_LEAF, random_state=0)
            said = tree.fit(values[train, None], ranks[train]).predict(values[test, None])
        scores.append(1 - np.square(ranks[test] - said).mean() / np.var(ranks[test]))
        if scores[0] < _HOPELESS:
            return 0.0
    return float(np.mean(scores))


def _means(codes: Array, targets: Array, number: int) -> Array:
    """Return the mean target (columns) of each category (rows); one without rows has that of all."""
    counts = np.bincount(codes, minlength=number)[:, None]
    sums = np.stack([np.bincount(codes, weights=column, minlength=number) for column in targets.T], axis=1)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), targets.mean(axis=0)))
