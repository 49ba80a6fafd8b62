"""Estimators by import path, and what can be seen wrong in a training section before there is data."""

from __future__ import annotations

import inspect
import warnings
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

from tasks.errors import SpecError
from tasks.spec import Candidate, Training
from tasks.train.query import check_query, did_you_mean

ALLOWED_PACKAGES = ("sklearn",)  # an import path runs code: only packages whose code we know
BASELINE = "dummy"


def load_estimator(path: str) -> type[Any]:
    """Return the estimator class at an import path such as sklearn.linear_model.LogisticRegression.

    Raises:
        SpecError: when the path is not a classifier or regressor of scikit-learn.

    """
    module, _, name = path.rpartition(".")
    if module.split(".")[0] not in ALLOWED_PACKAGES:
        raise SpecError(f"{path!r} is not an estimator of {' or '.join(ALLOWED_PACKAGES)}{_nearest(name)}")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        found = None
    if not (inspect.isclass(found) and hasattr(found, "fit") and hasattr(found, "predict")):
        raise SpecError(f"{path!r} is not an estimator{_nearest(name)}")
    if not kind_of(found):
        raise SpecError(f"{path!r} is neither a classifier nor a regressor; choose one that is")
    return found


def kind_of(estimator: type[Any]) -> tuple[str, ...]:
    """Return what an estimator class is: classifier, regressor, or both."""
    from sklearn.base import ClassifierMixin, RegressorMixin  # noqa: PLC0415 - a second to import

    kinds = {"classifier": ClassifierMixin, "regressor": RegressorMixin}
    return tuple(name for name, mixin in kinds.items() if issubclass(estimator, mixin))


def check_training(training: Training) -> list[str]:
    """Return one sentence for everything wrong that can be seen before there is data; empty when all is well."""
    mistakes = check_query(training.query) + _check_metric(training.metric)
    for name, candidate in training.candidates.items():
        key = f"training.candidates.{name}"
        if name == BASELINE:
            mistakes.append(f"{key}: {name!r} is the baseline's name, which is always added; choose another name")
        mistakes += [f"{key}.{mistake}" for mistake in _check_candidate(candidate)]
    return mistakes


def _check_metric(metric: str) -> list[str]:
    from sklearn.metrics import get_scorer_names  # noqa: PLC0415 - a second to import

    known = get_scorer_names()
    return [] if metric in known else [f"training.metric: {metric!r} is not a metric; {did_you_mean(metric, known)}"]


def _check_candidate(candidate: Candidate) -> list[str]:
    try:
        estimator = load_estimator(candidate.estimator)
    except SpecError as error:
        return [f"estimator: {mistake}" for mistake in error.mistakes]
    known = sorted(set(inspect.signature(estimator).parameters) - {"kwargs"})
    unknown = [name for name in candidate.params if name not in known]
    if unknown:
        return [f"params.{n}: {estimator.__name__} has no parameter {n!r}; {did_you_mean(n, known)}" for n in unknown]
    return _check_values(estimator, candidate.params)


def _check_values(estimator: type[Any], params: dict[str, Any]) -> list[str]:
    """Return what scikit-learn's own declaration of an estimator's parameters says of their values."""
    try:
        instance = estimator(**params)
    except TypeError as error:
        return [f"params: {error}; choose an estimator that a file can describe"]
    check = getattr(instance, "_validate_params", None)  # what fit itself calls first
    if check is None:
        return []
    try:
        check()
    except ValueError as error:
        return [f"params: {' '.join(str(error).split()).rstrip('.')}; correct the value"]
    return []


def _nearest(name: str) -> str:
    """Return `; did you mean ...?` with the full import path of the estimator of nearest name."""
    near = get_close_matches(name, _known_estimators(), n=1, cutoff=0.6)
    return f"; did you mean {_known_estimators()[near[0]]}?" if near else "; see scikit-learn's list of estimators"


@cache
def _known_estimators() -> dict[str, str]:
    """Return the public import path of each classifier and regressor, by class name."""
    from sklearn.utils import all_estimators  # noqa: PLC0415 - imports all of scikit-learn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = all_estimators(type_filter=["classifier", "regressor"])
    return {name: f"{_public(estimator.__module__)}.{name}" for name, estimator in found}


def _public(module: str) -> str:
    """Return the module up to its first private part: what stands there is exported from there."""
    return module.partition("._")[0]
