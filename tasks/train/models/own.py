"""Estimators and transformers of the user's own: held to the contract of scikit-learn, and their answers checked.

Whoever loads, makes or asks anything here runs code of these packages: it belongs in a process that may be killed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tasks.core.errors import ConfigError, TrainingError
from tasks.train.data.own_class import load_own, tell_error
from tasks.train.data.types import Array

_SUM, _SUM_OF_FLOAT32 = 1e-6, 1e-3  # by which the probabilities of a row may miss 1


def load_own_model(path: str, trusted: Collection[str]) -> type[Any]:
    """Return an estimator or a transformer of the user's own, a class.

    Raises:
        ConfigError: it cannot be loaded, or is none that scikit-learn can fit, set and copy.

    """
    from sklearn.base import BaseEstimator  # noqa: PLC0415 - a second to import

    found = load_own(path, trusted)
    if not issubclass(found, BaseEstimator):
        raise ConfigError(f"{path!r}: is not derived from sklearn.base.BaseEstimator, by which it is set and copied")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        raise ConfigError(f"{path!r}: has no {', '.join(missing)}; add it")
    return found


def load_own_transformer(path: str, trusted: Collection[str]) -> type[Any]:
    """Return a transformer of the user's own, a class.

    Raises:
        ConfigError: it cannot be loaded, or does not transform.

    """
    found = load_own_model(path, trusted)
    if not (hasattr(found, "fit") and hasattr(found, "transform")):
        raise ConfigError(f"{path!r}: is no transformer, which has fit and transform; add them")
    return found


def make_own(kind: type[Any], params: Mapping[str, Any]) -> Any:
    """Return an object of a class of the user's own, which copies as scikit-learn copies it.

    Raises:
        TrainingError: its parameters are refused, or it does not keep them as they are.

    """
    from sklearn.base import clone  # noqa: PLC0415 - a second to import

    path = f"{kind.__module__}.{kind.__qualname__}"
    try:
        made = kind(**params)
    except Exception as error:
        raise TrainingError(f"{path} refuses its parameters ({tell_error(error)}); correct them") from error
    try:
        clone(made)
        kept = made.get_params(deep=False)
    except Exception as error:
        raise TrainingError(
            f"{path} cannot be copied ({tell_error(error)}); have its __init__ keep each parameter as it is, under its name"
        ) from error
    if changed := sorted(name for name, value in params.items() if kept.get(name) is not value):
        raise TrainingError(f"{path} changes {', '.join(changed)} in its __init__; have it keep what it is given")
    return made


def check_length(model: Any, answers: Array, rows: int) -> None:
    """Raise unless a pipeline, of which any step may be the user's own, has one answer a row.

    Raises:
        TrainingError: it has more or fewer.

    """
    if answers.shape[:1] != (rows,):
        told = f"{len(answers):,} answers" if answers.shape else "one answer"
        steps = ", ".join(type(step).__name__ for _, step in model.steps)
        raise TrainingError(f"it gives {told} for {rows:,} rows; have each of {steps} keep the rows as they are")


def check_answers(estimator: Any, method: str, answers: Array) -> None:
    """Raise where what an estimator of the user's own, or one that is made of such, says of rows cannot be what it is taken for.

    Raises:
        TrainingError: an answer is no number, class or probability.

    """
    if mistake := _mistake(method, answers, getattr(estimator, "classes_", None)):
        path = f"{type(estimator).__module__}.{type(estimator).__qualname__}.{method}"
        raise TrainingError(f"{path} returns {mistake}")


def check_classes(estimator: Any, target: Array) -> None:
    """Raise where a fitted classifier of the user's own does not know the classes that it was fitted on.

    Raises:
        TrainingError: `classes_` are not there, or others, or in another order.

    """
    known, path = getattr(estimator, "classes_", None), f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    wanted = np.unique(target)
    if known is None or not np.array_equal(np.asarray(known), wanted):
        told = "has no classes_" if known is None else f"has the classes_ {_few(known)} of the target's {_few(wanted)}"
        raise TrainingError(f"{path} {told} after its fit; set self.classes_ = np.unique(y) in it")


def _mistake(method: str, answers: Array, classes: Array | None) -> str | None:
    """Return what is wrong with answers, and the cure."""
    if method == "predict" and classes is not None:
        strange = next((each for each in np.unique(answers) if each not in set(classes)), None)
        if answers.ndim == 1 and strange is None:
            return None
        told = f"{answers.ndim} dimensions" if strange is None else f"{strange!r}, which is none of its classes_"
        return f"{told}; have it return one of them a row"
    if answers.dtype.kind not in "fiub" or not np.isfinite(answers).all():
        return "what is no finite number; have it return one for each row"
    if method == "predict":
        return None if answers.ndim == 1 else f"the shape {answers.shape}; have it return one number a row"
    return _mistake_of_probabilities(answers, classes) if method == "predict_proba" else None


def _mistake_of_probabilities(answers: Array, classes: Array | None) -> str | None:
    if classes is None or answers.shape[1:] != (len(classes),):
        known = 0 if classes is None else len(classes)
        return f"the shape {answers.shape}, and has {known} classes; have it return a column for each"
    miss = _SUM if answers.dtype.itemsize > np.dtype(np.float32).itemsize else _SUM_OF_FLOAT32
    if (answers < 0).any() or (answers > 1 + miss).any() or (np.abs(answers.sum(axis=1) - 1) > miss).any():
        return "what are no probabilities; have each row's be at least 0 and 1 together"
    return None


def _few(values: Array) -> str:
    told = ", ".join(str(each) for each in list(values)[:5])
    return f"{told}, ..." if len(values) > 5 else told  # noqa: PLR2004 - as above
