"""Splits by a splitter of the user's own: drawn by processes that may be killed, twice in each of two, and held to what a split is."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.config import OwnSplit
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.escaping import count
from tasks.core.isolation.client import leave_call_server, run_isolated, with_other_hashes
from tasks.core.outcome import Failed
from tasks.train.data.own_class import call_quietly, load_own, tell_error
from tasks.train.data.types import Array

Pair = tuple[Array, Array]
_Drawn = tuple[Pair, tuple[Pair, ...]]

_DRAW = "tasks.train.data.own_split:draw_pairs"
_QUIETLY = f"{call_quietly.__module__}:{call_quietly.__name__}"
_TIME_S = 600.0
_MOST_FOLDS = 2500  # fifty folds, fifty times
_FEWEST_ROWS = 2  # R2 of one row is not a number


def draw_own(
    split: OwnSplit, trusted: Collection[str], seed: int, table: pa.Table, target: Array | None
) -> tuple[Pair, tuple[Pair, ...]]:
    """Return the rows that train and that are held out, and the folds of those that train, as another process draws them.

    Args:
        split: The splitter, its parameters and the columns that it is given.
        trusted: Packages that the pipeline file trusts.
        seed: Seed of what is random.
        table: The training set.
        target: The class of each row by its number, for classification.

    Raises:
        TrainingError: the splitter is not there, fails, takes too long, draws other rows each time, or gives what is no split.

    """
    frame = table.select(list(split.columns)).to_pandas()
    try:
        drawn = _draw(split, trusted, seed, frame, target)
        with with_other_hashes():
            again = _draw(split, trusted, seed, frame, target)
    finally:
        leave_call_server()
    if not _are_same(_listed(drawn), _listed(again)):
        raise TrainingError(
            f"training.split: {split.splitter}: gives other rows in another process; have it go by no order of a set, and "
            "by no hash of a text"
        )
    return drawn


def _draw(split: OwnSplit, trusted: Collection[str], seed: int, frame: pd.DataFrame, target: Array | None) -> _Drawn:
    call = run_isolated(_QUIETLY, _DRAW, split, tuple(trusted), seed, frame, target, time_s=_TIME_S)
    if call.ended == "time":
        raise TrainingError(f"training.split: {split.splitter}: was killed after {_TIME_S:g} s; make it cheaper")
    if isinstance(call.outcome, Failed):
        raise TrainingError(f"training.split: {split.splitter}: {call.outcome.message}")
    drawn: _Drawn = call.outcome
    return drawn


def _listed(drawn: _Drawn) -> list[Pair]:
    whole, folds = drawn
    return [whole, *folds]


def _are_same(first: Sequence[tuple[Array, ...]], second: Sequence[tuple[Array, ...]]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(ours, theirs)
        for one, two in zip(first, second, strict=True)
        for ours, theirs in zip(one, two, strict=True)
    )


def draw_pairs(
    split: OwnSplit, trusted: Collection[str], seed: int, frame: pd.DataFrame, target: Array | None
) -> tuple[Pair, tuple[Pair, ...]]:
    """Return the same, by the code of the splitter."""
    train, test = _pairs(split, trusted, seed, frame, target)[-1]
    of_train = None if target is None else target[train]
    folds = _pairs(split, trusted, seed, frame.iloc[train].reset_index(drop=True), of_train)
    return (train, test), tuple((train[learnt], train[judged]) for learnt, judged in folds)


def check_splitter(split: OwnSplit, trusted: Collection[str]) -> list[str]:
    """Return what is wrong with a splitter before there are rows."""
    try:
        _make(split, trusted, 0)
    except ConfigError as error:
        return [*error.mistakes]
    return []


def _make(split: OwnSplit, trusted: Collection[str], seed: int) -> Any:
    kind = load_own(split.splitter, trusted)
    if not hasattr(kind, "split"):
        raise ConfigError(f"{split.splitter!r}: has no split, which takes a frame and a target; add it")
    takes_seed = "random_state" in inspect.signature(kind).parameters
    try:
        return kind(**{**({"random_state": seed} if takes_seed else {}), **split.params})
    except Exception as error:
        raise ConfigError(f"{split.splitter!r}: refuses its params ({tell_error(error)}); correct them") from error


def _pairs(
    split: OwnSplit, trusted: Collection[str], seed: int, frame: pd.DataFrame, target: Array | None
) -> tuple[Pair, ...]:
    """Return the pairs of a splitter for some rows, which it gives twice."""
    first, second = (
        [
            tuple(map(np.asarray, pair))
            for pair in islice(_make(split, trusted, seed).split(frame.copy(), target), _MOST_FOLDS + 1)
        ]
        for _ in range(2)
    )
    for number, pair in enumerate(first, start=1):
        if mistake := next(_mistakes(pair, len(frame)), None):
            raise TrainingError(f"pair {number} of {len(first)} {mistake}")
    if not 1 < len(first) <= _MOST_FOLDS:
        raise TrainingError(
            f"gives {count(len(first), 'pair')} of {count(len(frame), 'row')}; have it give 2 to {_MOST_FOLDS:,}"
        )
    if not _are_same(first, second):
        raise TrainingError(
            "gives other rows when it is asked again; have it take a random_state, and draw by that alone"
        )
    return tuple((train.astype(np.int64), test.astype(np.int64)) for train, test in first)


def _mistakes(pair: tuple[Array, ...], rows: int) -> Iterator[str]:
    """Yield what is wrong with a pair, and the cure; what comes after the first may not be asked for."""
    if len(pair) != 2:  # noqa: PLR2004 - train and test
        yield f"has {len(pair)} parts; have it be the positions that train and those that test"
    for name, part in zip(("train", "test"), pair, strict=True):
        if part.ndim != 1 or part.dtype.kind not in "iu":
            yield f"has what are no positions of rows to {name} ({part.dtype}); have it give whole numbers"
        if len(part) < _FEWEST_ROWS:
            yield f"has {count(len(part), 'row')} to {name}, and each side needs {_FEWEST_ROWS}; change its params"
        if part.min() < 0 or part.max() >= rows:
            strange = part.min() if part.min() < 0 else part.max()
            yield f"has the row {strange} to {name}, of rows 0 to {rows - 1}; mend it"
        if len(np.unique(part)) < len(part):
            yield f"has a row twice to {name}; mend it"
    train, test = pair
    if both := int(np.isin(train, test).sum()):
        yield f"has {count(both, 'row')} on both sides; have it leave them out of one"
