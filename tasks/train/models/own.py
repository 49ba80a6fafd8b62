"""Classes of the user's own, of packages that a pipeline file trusts: loaded, held to their contract, and their answers checked.

Whoever loads, makes or asks anything here runs code of these packages: it belongs in a process that may be killed.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from typing import Any

import numpy as np

from tasks.config.trusted import covers
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.isolation.client import leave_call_server, run_isolated
from tasks.train.data.types import Array

_QUIETLY = "tasks.train.models.own:call_quietly"
_LOOK_S = 20.0  # what takes longer is left to the run
_SUM = 1e-6  # by which the probabilities of a row may miss 1


def ask_own(function: str, *arguments: object) -> Any:
    """Return what a function `module:function` says of classes of the user's own, which another process loads.

    It is a `Failed` where that process fails or ends, and None where it takes too long to be waited for.
    """
    call = run_isolated(_QUIETLY, function, *arguments, time_s=_LOOK_S, preload=("sklearn.base",))
    leave_call_server()
    return None if call.ended == "time" else call.outcome


def call_quietly(function: str, *arguments: object) -> Any:
    """Return what a function `module:function` returns; what is written meanwhile is dropped: it would stand among what a command tells."""
    module, _, name = function.partition(":")
    with redirect_stdout(StringIO()):
        return getattr(import_module(module), name)(*arguments)


def load_own(path: str, trusted: Collection[str]) -> type[Any]:
    """Return the class that a path `package.module.Class` leads to; it is defined in a package that is trusted, too.

    Raises:
        ConfigError: the package is not trusted or not installed, or has no such class of its own.

    """
    module, _, name = path.rpartition(".")
    if not covers(trusted, module):
        raise ConfigError(
            f"{path!r} is of no package that training.trusted names; name its package there if its code is to be run"
        )
    package = module.partition(".")[0]
    try:
        imported = import_module(module)
    except ModuleNotFoundError as error:
        if error.name == package:
            raise ConfigError(
                f"{path!r} needs the package {package}, which is not installed; install it where the run takes place"
            ) from None
        if f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"{path!r}: there is no module {error.name}; correct the path") from None
        raise ConfigError(f"{path!r}: {module} needs {error.name}, which is not installed; install it") from None
    except Exception as error:
        raise ConfigError(f"{path!r}: cannot be imported ({_said(error)}); mend the module") from error
    found = getattr(imported, name, None)
    if not inspect.isclass(found):
        there = "is no class" if found is not None else "is not there"
        raise ConfigError(f"{path!r}: {there}; name a class of {module}")
    if not covers(trusted, found.__module__):
        where = f"{found.__module__}.{found.__qualname__}"
        raise ConfigError(f"{path!r}: is {where}, of a package that training.trusted does not name; name it there")
    return found


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
        raise TrainingError(f"{path} refuses its parameters ({_said(error)}); correct them") from error
    try:
        clone(made)
        kept = made.get_params(deep=False)
    except Exception as error:
        raise TrainingError(
            f"{path} cannot be copied ({_said(error)}); have its __init__ keep each parameter as it is, under its name"
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
    """Raise where what an estimator of the user's own says of rows cannot be what it is taken for.

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
    if (answers < 0).any() or (answers > 1 + _SUM).any() or (np.abs(answers.sum(axis=1) - 1) > _SUM).any():
        return "what are no probabilities; have each row's be at least 0 and 1 together"
    return None


def _few(values: Array) -> str:
    told = ", ".join(str(each) for each in list(values)[:5])
    return f"{told}, ..." if len(values) > 5 else told  # noqa: PLR2004 - as above


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")[:300]
