"""What the training section names, against the columns that are there: a target to learn, a metric that fits it."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names

from tasks.errors import TrainingError
from tasks.spec import GroupSplit, TimeSplit, Training
from tasks.train.arrays import Array
from tasks.train.estimators import kind_of, load_estimator
from tasks.train.features import features_of, find_infinite, is_text, read_target
from tasks.train.query import did_you_mean
from tasks.train.training_set import Task

MAX_CLASSES = 20  # more distinct whole numbers than this are amounts, not classes
_PROBE_ROWS = 1000


def check_target(training: Training, table: pa.Table) -> Task:
    """Return the task that the target makes, after every check of the columns that the section names.

    Raises:
        TrainingError: with one sentence that names the column and the cure.

    """
    columns = table.column_names
    _check_column(columns, training.target, "training.target")
    if isinstance(training.split, TimeSplit | GroupSplit):
        _check_column(columns, training.split.column, "training.split.column")
        _check_split_column(training.split, table)
    if not features_of(training, table.schema).names:
        raise TrainingError(f"training.query: gives no column besides {', '.join(columns)}; select features too")
    task = _task_of(training.target, table)
    _check_estimators(training, task)
    _check_metric(training, read_target(table.column(training.target), task), task)
    return task


def _check_column(columns: list[str], name: str, key: str) -> None:
    if name not in columns:
        raise TrainingError(
            f"{key}: {name!r} is not a column of the query's result ({', '.join(columns)}); "
            f"{did_you_mean(name, columns)}"
        )


def _check_split_column(split: TimeSplit | GroupSplit, table: pa.Table) -> None:
    name, column = split.column, table.column(split.column)
    if split.by == "time" and (is_text(column.type) or pa.types.is_boolean(column.type)):
        raise TrainingError(
            f"training.split.column: {name!r} is {column.type}, neither a time nor a number; "
            f"CAST({name} AS TIMESTAMP) in the query"
        )
    if missing := pc.sum(column.is_null(nan_is_null=True)).as_py():
        raise TrainingError(
            f"training.split.column: {name!r} is null in {missing} of {len(column)} rows; "
            f"add WHERE {name} IS NOT NULL to the query"
        )


def _task_of(name: str, table: pa.Table) -> Task:
    """Return what the target's type and distinct values make of it."""
    column = table.column(name)
    empty = column.is_null(nan_is_null=True)
    if missing := pc.sum(empty).as_py():
        raise TrainingError(
            f"training.target: {name!r} is null in {missing} of {len(column)} rows; "
            f"add WHERE {name} IS NOT NULL to the query"
        )
    if endless := int(find_infinite(column).sum()):
        raise TrainingError(
            f"training.target: {name!r} is infinite in {endless} of {len(column)} rows; "
            f"add WHERE isfinite({name}) to the query"
        )
    if pa.types.is_temporal(column.type):
        raise TrainingError(
            f"training.target: {name!r} is {column.type}, which no estimator predicts; use epoch({name}) in the query"
        )
    distinct = pc.count_distinct(column).as_py()
    if distinct == 1:
        raise TrainingError(
            f"training.target: {name!r} is {column[0].as_py()!r} in all {len(column)} rows, so there is nothing "
            "to learn; widen the query"
        )
    whole = pa.types.is_integer(column.type) and distinct <= MAX_CLASSES
    classes = is_text(column.type) or pa.types.is_boolean(column.type) or whole
    return "classification" if classes else "regression"


def _check_estimators(training: Training, task: Task) -> None:
    wanted = "classifier" if task == "classification" else "regressor"
    for name, candidate in training.candidates.items():
        kinds = kind_of(load_estimator(candidate.estimator))
        if wanted not in kinds:
            raise TrainingError(
                f"training.candidates.{name}.estimator: {candidate.estimator!r} is a {' and '.join(kinds)}, but the "
                f"target {training.target!r} asks for {task}; choose a {wanted}"
            )


def _check_metric(training: Training, target: Array, task: Task) -> None:
    if not _fits(training.metric, target, task):
        probe = _probe(target)
        fitting = [name for name in get_scorer_names() if _fits(name, probe, task)]
        raise TrainingError(
            f"training.metric: {training.metric!r} does not fit the target {training.target!r} ({task}, "
            f"{len(np.unique(target))} distinct values); choose one of {', '.join(fitting)}"
        )


def _fits(metric: str, target: Array, task: Task) -> bool:
    """Tell whether scikit-learn's own scorer can judge a constant prediction of the target."""
    if metric in _regression_metrics() or _compares_clusters(metric):
        return task == "regression" and not _compares_clusters(metric) and _scores(metric, target, task)
    return task == "classification" and _scores(metric, target, task)


@cache
def _regression_metrics() -> frozenset[str]:
    amounts = np.array([0.5, 1.5, 2.5, 3.25])  # no classifier's metric takes them, and no logarithm fails on them
    return frozenset(name for name in get_scorer_names() if _scores(name, amounts, "regression"))


def _compares_clusters(metric: str) -> bool:
    return ".cluster." in get_scorer(metric)._score_func.__module__  # noqa: SLF001 - scorers tell it nowhere else


def _scores(metric: str, target: Array, task: Task) -> bool:
    dummy = DummyClassifier(strategy="prior") if task == "classification" else DummyRegressor()
    nothing = np.zeros((len(target), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(np.isfinite(get_scorer(metric)(dummy.fit(nothing, target), nothing, target)))
        except Exception:  # noqa: BLE001 - a scorer refuses in many ways
            return False


def _probe(target: Array) -> Array:
    """Return a small target with every class of the whole one."""
    _, firsts = np.unique(target, return_index=True)
    return np.concatenate([target[firsts], target])[:_PROBE_ROWS]
