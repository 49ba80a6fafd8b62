"""The classes of a target: which one is the positive, and what a pipeline file says of them by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tasks.config import Candidate, Label, write_label
from tasks.core.suggestions import did_you_mean
from tasks.train.data.types import Array

TWO = 2
_SHOWN = 10

BY_CLASS = ("class_weight", "class_weights", "class_prior", "priors")
"""Parameters that are by class; a pipeline file writes a mapping, whatever the estimator wants."""
# Parameters that speak of the second of two classes, in order, whichever is the positive one.
OF_THE_SECOND = ("scale_pos_weight", "monotonic_cst", "monotone_constraints")
_NO_WEIGHT = 1.0


def labels_of(target: Array) -> tuple[Label, ...]:
    """Return the distinct classes of a target, in order."""
    return tuple(np.unique(target).tolist())


def find_label(declared: Label, labels: Sequence[Label]) -> Label | None:
    """Return the class that a pipeline file means: 1, 1.0 and "1" are one, and so are true, "true" and "True".

    A class of exactly that text comes first.
    """
    text = write_label(declared)
    exact = [label for label in labels if write_label(label) == text]
    loose = [label for label in labels if write_label(label).casefold() == text.casefold() in {"true", "false"}]
    return next(iter([*exact, *loose]), None)


def rarer_label(target: Array) -> Label | None:
    """Return the rarer of two classes, the second where both are as frequent; None of more classes."""
    labels, counts = np.unique(target, return_counts=True)
    if len(labels) != TWO:
        return None
    label: Label = labels.tolist()[0 if counts[0] < counts[1] else 1]
    return label


def name_labels(labels: Sequence[Label]) -> str:
    """Return classes as a sentence lists them, no more than ten."""
    told = ", ".join(f"{write_label(label):.40}" for label in labels[:_SHOWN])
    return told if len(labels) <= _SHOWN else f"{told} and {len(labels) - _SHOWN:,} more"


def nearest_label(text: str, labels: Sequence[Label]) -> str:
    """Return the cure for a class that is not there: the nearest, or those that are."""
    return did_you_mean(text, map(write_label, labels), f"there are {name_labels(labels)}")


def params_for(candidate: Candidate, labels: Sequence[Label] | None) -> dict[str, Any]:
    """Return a candidate's parameters as its estimator takes them; `labels` are the classes of the rows that it is fitted on."""
    return {name: value_for(candidate, name, value, labels) for name, value in candidate.params.items()}


def value_for(candidate: Candidate, name: str, value: Any, labels: Sequence[Label] | None) -> Any:
    """Return a parameter's value as the candidate's estimator takes it: what is by class, for each class there is."""
    if labels is None or name not in BY_CLASS or not isinstance(value, dict):
        return value
    named = {label: weight for key, weight in value.items() if (label := find_label(key, labels)) is not None}
    weights = [named.get(label, _NO_WEIGHT) for label in labels]
    if name != "class_weight":
        return weights
    if candidate.estimator.startswith("sklearn.ensemble.HistGradientBoosting"):
        return dict(enumerate(weights))  # it looks the weights up by the number of a class in their order
    by_label: dict[Label, float] = dict(zip(labels, weights, strict=True))
    if candidate.estimator.startswith("sklearn."):  # which takes a class that is a text of digits for its number
        by_label |= {int(label): by_label[label] for label in labels if isinstance(label, str) and _is_number(label)}
    return by_label


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def find_class_mistakes(
    candidate: Candidate, labels: Sequence[Label], positive: Label | None, target: str
) -> Iterator[str]:
    """Yield one sentence, which begins with its key, for each parameter that names a class that is not there, or means another."""
    for key, name, value in _values(candidate):
        if name in BY_CLASS and isinstance(value, dict):
            yield from _unknown_labels(f"{key}.{name}", name, value, labels, target)
        if name in OF_THE_SECOND and len(labels) == TWO and positive == labels[0] and _is_set(value):
            second, first = write_label(labels[1]), write_label(labels[0])
            yield (
                f"{key}.{name}: speaks of {second!r}, the second class of {target!r} in order, and the positive one is "
                f"{first!r}; add training.positive: {second}, or make the target a truth: {target} = {first!r} AS {target}"
            )


def _unknown_labels(
    key: str, name: str, weights: Mapping[str, Any], labels: Sequence[Label], target: str
) -> Iterator[str]:
    for told in weights:
        if find_label(told, labels) is None:
            yield f"{key}: {told!r} is not a class of {target!r}; {nearest_label(told, labels)}"
    known = {find_label(told, labels) for told in weights}
    missing = [label for label in labels if label not in known]
    if missing and name in {"priors", "class_prior"}:
        yield f"{key}: has no share of {name_labels(missing)}; every class of {target!r} needs one"


def _values(candidate: Candidate) -> Iterator[tuple[str, str, Any]]:
    """Yield key, name and value of each parameter, and of each that a search tries."""
    for name, value in candidate.params.items():
        yield "params", name, value
    for name, values in (candidate.search.space if candidate.search else {}).items():
        for tried in values if isinstance(values, list) else [values]:
            yield "search.space", name, tried


def _is_set(value: Any) -> bool:
    """Return whether a weight or constraint does anything."""
    return value not in (None, 1, 0)
