"""What the training section names, against the columns that are there: a target to learn, and estimators that can."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Candidate, GroupSplit, Label, OwnSplit, TimeSplit, Training, write_label
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.outcome import Failed
from tasks.core.suggestions import did_you_mean
from tasks.train.checks.metric import OF_THE_POSITIVE, find_metric_mistakes
from tasks.train.checks.weights import find_weight_mistakes
from tasks.train.data.classes import (
    TWO,
    find_class_mistakes,
    find_label,
    labels_of,
    name_labels,
    nearest_label,
    rarer_label,
)
from tasks.train.data.features import find_infinite, is_text_type, not_features, read_target
from tasks.train.data.own_class import ask_own
from tasks.train.data.training_set import Problem
from tasks.train.data.types import Array
from tasks.train.models.estimators import estimator_kinds, is_own, load_estimator

MAX_CLASSES = 20  # more distinct whole numbers than this are amounts, not classes
MAX_CELLS = 200_000_000  # rows times classes: models tell a probability of each, 8 bytes
_DESCRIBE = "tasks.train.checks.target:describe_estimator"
_ALL_DIFFER = 0.5  # distinct texts as a share of the rows: names of rows, not classes


@dataclass(frozen=True)
class Target:
    """What is predicted: the task, the positive one of two classes, and what of them is a guess."""

    task: Problem
    positive: Label | None = None
    guessed: tuple[str, ...] = ()
    doubt: str | None = None
    """What may be another class than the user thinks of."""


def check_target(training: Training, table: pa.Table) -> Target:
    """Return what the target makes of the training, after every check of the columns that the section names.

    Raises:
        TrainingError: with one sentence for each mistake, which names the column and the cure.

    """
    target, mistakes = examine_target(training, table.column_names, table)
    if target is None or mistakes:
        raise TrainingError("\n".join(mistakes))
    return target


def examine_target(training: Training, columns: Sequence[str], table: pa.Table) -> tuple[Target | None, list[str]]:
    """Return what the target makes of the training, and one sentence for each mistake.

    Args:
        training: The training section.
        columns: Names of all columns of the query's result.
        table: Those of the target, the split and the weights at least.

    """
    mistakes = list(find_column_mistakes(training, columns))
    if isinstance(training.split, TimeSplit | GroupSplit) and training.split.column in columns:
        mistakes += _split_mistakes(training.split, table.column(training.split.column))
    mistakes += find_weight_mistakes(training, table)
    if training.target not in columns:
        return None, mistakes
    column = table.column(training.target)
    mistakes += _value_mistakes(training.target, column) or _task_mistakes(training, column)
    if mistakes:
        return None, mistakes
    task = training.task or _guess_task(column)
    values = read_target(column, task)
    labels = labels_of(values) if task == "classification" else ()
    if mistake := _too_many_classes(training.target, len(labels), len(values)):
        return None, [mistake]
    target = _describe(training, task, values, labels)
    mistakes += _positive_mistakes(training, labels)
    mistakes += _decision_mistakes(training, labels)
    mistakes += _estimator_mistakes(training, target, column)
    mistakes += _member_mistakes(training, target)
    mistakes += _class_mistakes(training, target, labels)
    coded = values if target.positive is None else (values == target.positive).astype(int)
    mistakes += find_metric_mistakes(training, task, coded, _other_task(target, column))
    return target, mistakes


def find_column_mistakes(training: Training, columns: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each column that the section names, and that the query's result has not."""
    named = {"training.target": training.target, **({"training.weights": training.weights} if training.weights else {})}
    if isinstance(training.split, TimeSplit | GroupSplit):
        named["training.split.column"] = training.split.column
    elif isinstance(training.split, OwnSplit):
        named |= {f"training.split.columns.{place}": name for place, name in enumerate(training.split.columns)}
    named |= {f"training.slices.{number}": each.column for number, each in enumerate(training.slicings)}
    for key, name in named.items():
        if name not in columns:
            shown = ", ".join(columns)
            yield f"{key}: {name!r} is not a column of the query's result ({shown}); {did_you_mean(name, list(columns))}"
    if not set(columns) - not_features(training):
        yield f"training.query: gives no column besides {', '.join(columns)}; select features too"


def _split_mistakes(split: TimeSplit | GroupSplit, column: pa.ChunkedArray) -> Iterator[str]:
    name = split.column
    if split.by == "time" and (is_text_type(column.type) or pa.types.is_boolean(column.type)):
        yield (
            f"training.split.column: {name!r} is {column.type}, neither a time nor a number; "
            f"CAST({name} AS TIMESTAMP) in the query"
        )
    elif missing := pc.sum(column.is_null(nan_is_null=True)).as_py():
        yield (
            f"training.split.column: {name!r} is null in {missing} of {len(column)} rows; "
            f"add WHERE {name} IS NOT NULL to the query"
        )
    elif split.by == "time" and split.gap is not None:
        yield from _gap_mistakes(name, column)


def _gap_mistakes(name: str, column: pa.ChunkedArray) -> Iterator[str]:
    if not pa.types.is_temporal(column.type):
        yield (
            f"training.split.gap: is a time, and {name!r} is {column.type}; "
            f"make a TIMESTAMP of {name} in the query, or take gap out"
        )
    elif endless := int(find_infinite(column).sum()):
        yield (
            f"training.split.column: {name!r} is infinite in {endless} of {len(column)} rows; "
            f"add WHERE isfinite({name}) to the query"
        )


def _value_mistakes(name: str, column: pa.ChunkedArray) -> list[str]:
    """Return what of the target's values nothing can be learnt from."""
    rows = f"of {len(column)} rows"
    if missing := pc.sum(column.is_null(nan_is_null=True)).as_py():
        return [f"training.target: {name!r} is null in {missing} {rows}; add WHERE {name} IS NOT NULL to the query"]
    if endless := int(find_infinite(column).sum()):
        return [f"training.target: {name!r} is infinite in {endless} {rows}; add WHERE isfinite({name}) to the query"]
    if pa.types.is_temporal(column.type):
        return [
            f"training.target: {name!r} is {column.type}, which no estimator predicts; use epoch({name}) in the query"
        ]
    if pc.count_distinct(column).as_py() == 1:
        return [
            f"training.target: {name!r} is {column[0].as_py()!r:.80} in all {len(column)} rows, so there is nothing "
            "to learn; widen the query"
        ]
    return []


def _task_mistakes(training: Training, column: pa.ChunkedArray) -> list[str]:
    """Return why the target is not of the task that the file declares."""
    name = training.target
    if training.task == "regression" and is_text_type(column.type):
        return [
            f"training.task: regression predicts numbers, and {name!r} is text; CAST({name} AS DOUBLE) in the query"
        ]
    if training.task == "classification" and pa.types.is_floating(column.type) and not _is_integral(column):
        return [
            f"training.task: classification needs classes, and {name!r} has numbers that are not whole; "
            f"CAST({name} AS VARCHAR) AS {name} in the query if each is a class, else choose regression"
        ]
    return []


def _is_integral(column: pa.ChunkedArray) -> bool:
    """Return whether every number is whole, and small enough to be exact."""
    values = column.to_numpy()
    return bool(((values == np.floor(values)) & (np.abs(values) < 2**53)).all())


def _guess_task(column: pa.ChunkedArray) -> Problem:
    """Return what the target's type and distinct values make of it."""
    if is_text_type(column.type) or pa.types.is_boolean(column.type):
        return "classification"
    whole = pa.types.is_integer(column.type) and pc.count_distinct(column).as_py() <= MAX_CLASSES
    return "classification" if whole else "regression"


def _too_many_classes(name: str, classes: int, rows: int) -> str | None:
    """Return why so many classes are not learnt: each row is one, or their probabilities would not fit into memory."""
    if classes > MAX_CLASSES and classes > rows * _ALL_DIFFER:
        return (
            f"training.target: {name!r} has {classes:,} distinct values in {rows:,} rows, as names of rows have; "
            "name a column of classes, or of amounts"
        )
    if rows * classes > MAX_CELLS:
        return (
            f"training.target: {name!r} has {classes:,} classes, and a probability of each in {rows:,} rows takes "
            f"{rows * classes * 8 / 1e9:,.1f} GB; put rare classes together in the query, or set training.sample_rows"
        )
    return None


def _describe(training: Training, task: Problem, values: Array, labels: Sequence[Label]) -> Target:
    guessed = () if training.task else ("task",)
    if len(labels) != TWO:
        return Target(task, None, guessed)
    if training.positive is not None:
        return Target(task, find_label(training.positive, labels), guessed)
    positive = rarer_label(values)
    return Target(task, positive, (*guessed, "positive"), _doubt(training, positive, values, labels))


def _doubt(training: Training, positive: Label | None, values: Array, labels: Sequence[Label]) -> str | None:
    """Return what is to be told where the rarer class is the one that most would not take for the positive."""
    if training.metric not in OF_THE_POSITIVE or list(labels) != [0, 1] or positive != labels[0]:
        return None
    first, second = map(write_label, labels)
    return (
        f"training.positive: {training.metric} is of {training.target} = {first}, the rarer class "
        f"({float(np.mean(values == positive)):.0%} of the rows); declare positive: {second} if you mean that, "
        f"else positive: {first}"
    )


def _positive_mistakes(training: Training, labels: Sequence[Label]) -> Iterator[str]:
    if training.positive is None:
        return
    told, name = write_label(training.positive), training.target
    if not labels:
        yield (
            f"training.positive: {told!r} is a class, and {name!r} is taken for an amount; "
            "add training.task: classification, or take positive out"
        )
    elif len(labels) > TWO:
        yield (
            f"training.positive: is of two classes, and {name!r} has {len(labels):,} ({name_labels(labels)}); "
            f"take it out, or make the target a truth in the query: {name} = {told!r} AS {name}"
        )
    elif find_label(training.positive, labels) is None:
        yield f"training.positive: {told!r} is not a class of {name!r}; {nearest_label(told, labels)}"


def _decision_mistakes(training: Training, labels: Sequence[Label]) -> Iterator[str]:
    if training.decision is None or len(labels) == TWO:
        return
    there = f"has {len(labels):,} ({name_labels(labels)})" if labels else "is taken for an amount"
    yield (
        f"training.decision: is between two classes, and {training.target!r} {there}; take it out, or make the target "
        "a truth in the query"
    )


def _estimator_mistakes(training: Training, target: Target, column: pa.ChunkedArray) -> Iterator[str]:
    wanted = "classifier" if target.task == "classification" else "regressor"
    key = _needs_probabilities(training) if target.task == "classification" else None
    for name, candidate in training.fitted.items():
        told = _look_at(candidate, training.trusted)
        if told is None:  # what is wrong with it was told before there was a table
            continue
        kinds, tells_probabilities = told
        if wanted not in kinds:
            yield (
                f"training.candidates.{name}.estimator: {candidate.estimator!r} is a {' and '.join(kinds)}, but the "
                f"target {training.target!r} asks for {target.task}; {_other_task(target, column)}choose a {wanted}"
            )
        elif key is not None and not tells_probabilities:
            yield (
                f"training.candidates.{name}: {candidate.estimator} tells no probabilities, which {key} needs; "
                f"{'choose another' if name not in training.candidates else 'add calibrate: sigmoid to it'}, or take {key} out"
            )


def _member_mistakes(training: Training, target: Target) -> Iterator[str]:
    """Yield what cannot be a part of an ensemble, whose members tell probabilities of classes."""
    for name, candidate in training.candidates.items():
        for member in candidate.members if target.task == "classification" else ():
            told = _look_at(training.fitted[member], training.trusted)
            if told is not None and not told[1]:
                yield (
                    f"training.candidates.{name}: its member {member}, {training.fitted[member].estimator}, tells no probabilities, which an "
                    f"ensemble is made of; add calibrate: sigmoid to {member}, or take it out"
                )


def _needs_probabilities(training: Training) -> str | None:
    """Return the key that asks for probabilities, if one does."""
    asked = {"training.decision": training.decision, "training.coverage": training.coverage}
    return next((key for key, value in asked.items() if value is not None), None)


def _look_at(candidate: Candidate, trusted: tuple[str, ...]) -> tuple[tuple[str, ...], bool] | None:
    """Return what `describe_estimator` does, of the user's own by a process that may be killed; None where nothing is known."""
    if not is_own(candidate.estimator):
        return describe_estimator(candidate)
    told: tuple[tuple[str, ...], bool] | Failed | None = ask_own(_DESCRIBE, candidate, trusted)
    return None if isinstance(told, Failed) else told


def describe_estimator(candidate: Candidate, trusted: Collection[str] = ()) -> tuple[tuple[str, ...], bool] | None:
    """Return what a candidate's estimator is, and whether it tells probabilities; None where it cannot be loaded.

    `trusted` are the packages that the pipeline file trusts.
    """
    try:
        found = load_estimator(candidate.estimator, trusted)
    except ConfigError:
        return None
    try:
        made = candidate.calibrate is not None or found(**candidate.params)
    except TypeError:  # told before there was a table
        return estimator_kinds(found), True
    return estimator_kinds(found), made is True or hasattr(made, "predict_proba")


def _other_task(target: Target, column: pa.ChunkedArray) -> str:
    """Return the cure where the target can be learnt as the other task, and its own is a guess."""
    if "task" not in target.guessed:
        return ""
    if target.task == "classification":
        return "" if is_text_type(column.type) else "add training.task: regression, or "
    return "add training.task: classification, or " if pa.types.is_integer(column.type) or _is_integral(column) else ""


def _class_mistakes(training: Training, target: Target, labels: Sequence[Label]) -> Iterator[str]:
    if target.task == "classification":
        for name, candidate in training.fitted.items():
            for mistake in find_class_mistakes(candidate, labels, target.positive, training.target):
                yield f"training.candidates.{name}.{mistake}"
