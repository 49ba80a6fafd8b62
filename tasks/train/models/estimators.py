"""Estimators by import path, from the packages that a pipeline file may name, and what each needs to be told."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tasks.config import Candidate, Label
from tasks.config.trusted import covers, find_refusal
from tasks.core.errors import ConfigError
from tasks.core.suggestions import nearest
from tasks.train.data.classes import params_for
from tasks.train.models.own import load_own_model, make_own

BASELINE = "dummy"

# An import path runs code: these modules are imported for a pipeline file and no others, and only a class that a module
# exports (`__all__`) or, where it has no such list, defines is taken from it.
SKLEARN_MODULES = (
    "calibration",
    "cluster",
    "cross_decomposition",
    "discriminant_analysis",
    "dummy",
    "ensemble",
    "gaussian_process",
    "isotonic",
    "kernel_ridge",
    "linear_model",
    "multiclass",
    "multioutput",
    "naive_bayes",
    "neighbors",
    "neural_network",
    "semi_supervised",
    "svm",
    "tree",
)
BOOSTING = {
    "xgboost": ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"),
    "lightgbm": ("LGBMClassifier", "LGBMRegressor"),
    "catboost": ("CatBoostClassifier", "CatBoostRegressor"),
}
ALLOWED_PACKAGES = ("sklearn", *BOOSTING)

# What an estimator is told unless the file says otherwise: one thread, for a fit has a process and a process one core;
# nothing on standard output; no files. scikit-learn's own are silent and take one thread by themselves.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "xgboost": {"n_jobs": 1},
    "lightgbm": {"n_jobs": 1, "verbosity": -1},
    "catboost": {"thread_count": 1, "verbose": False, "allow_writing_files": False},
}
THREADS = ("n_jobs", "thread_count")
_VERBOSE = {"verbose", "verbosity", "logging_level", "silent"}
SEEDS = ("random_state", "random_seed")

# LightGBM takes any parameter and ignores what it does not know: those of its own that its classes do not declare.
_LIGHTGBM_PARAMETERS = {
    "bagging_freq",
    "cat_l2",
    "cat_smooth",
    "extra_trees",
    "feature_fraction_bynode",
    "linear_lambda",
    "linear_tree",
    "max_bin",
    "max_cat_threshold",
    "max_cat_to_onehot",
    "max_delta_step",
    "min_data_in_bin",
    "min_data_per_group",
    "monotone_constraints",
    "path_smooth",
    "verbosity",
}
# Not for a file to say: what reads or writes files, runs code, is done by preprocessing, or leaves the processor.
_WITHHELD = {
    "xgboost": {"callbacks", "enable_categorical", "feature_types", "device"},
    "lightgbm": {"device", "device_type"},
    "catboost": {
        "allow_writing_files",
        "callback",
        "cat_features",
        "class_names",
        "dev_efb_max_buckets",
        "devices",
        "embedding_features",
        "input_borders",
        "kwargs",
        "metadata",
        "output_borders",
        "save_snapshot",
        "snapshot_file",
        "snapshot_interval",
        "task_type",
        "text_features",
        "train_dir",
    },
}


def is_own(path: str) -> bool:
    """Return whether an import path is of a package of the user's own; an estimator of such is loaded in a process of its own alone."""
    return path.partition(".")[0] not in ALLOWED_PACKAGES


def own_paths(candidate: Candidate) -> tuple[str, ...]:
    """Return the import paths of a candidate's classes that are of the user's own."""
    return tuple(filter(is_own, (candidate.estimator, *(each.transformer for each in candidate.transformers))))


def is_own_object(estimator: Any) -> bool:
    """Return whether an estimator, or a class, is of the user's own."""
    return package_of(estimator) not in ALLOWED_PACKAGES


def load_estimator(path: str, trusted: Collection[str] = ()) -> type[Any]:
    """Return the estimator class at an import path such as sklearn.linear_model.LogisticRegression.

    `trusted` are the packages that the pipeline file trusts beside those on our list.

    Raises:
        ConfigError: when the path is not a classifier or regressor of a package on our list or trusted, or that is not installed.

    """
    module, _, name = path.rpartition(".")
    package = module.partition(".")[0]
    found: Any
    if covers(trusted, module):
        found = load_own_model(path, trusted)
    elif package not in ALLOWED_PACKAGES:
        raise ConfigError(f"{path!r} is not an estimator of {', '.join(ALLOWED_PACKAGES)}{_cure(package, name)}")
    else:
        found = _load_boosting(path, module, name) if package in BOOSTING else _load_exported(module, name)
    if not (inspect.isclass(found) and hasattr(found, "fit") and hasattr(found, "predict")):
        cure = f"; {package} has {', '.join(BOOSTING[package])}" if package in BOOSTING else _nearest(name)
        raise ConfigError(f"{path!r} is not an estimator{cure}")
    if not estimator_kinds(found):
        raise ConfigError(f"{path!r} is neither a classifier nor a regressor; choose one that is")
    return found


def _load_exported(module: str, name: str) -> Any:
    if module.removeprefix("sklearn.") not in SKLEARN_MODULES:
        return None
    loaded = import_module(module)
    found = getattr(loaded, name, None)
    exported = getattr(loaded, "__all__", [name] if getattr(found, "__module__", None) == module else ())
    return found if name in exported and not name.startswith("_") else None


def _load_boosting(path: str, package: str, name: str) -> Any:
    if name not in BOOSTING.get(package, ()):
        return None
    if find_spec(package) is None:
        raise ConfigError(f"{path!r} needs {package}, which is not installed; run: pip install {package}")
    try:
        found = getattr(import_module(package), name)
    except (ImportError, OSError) as error:  # a library of the system that it needs, say
        told = str(error).splitlines()[0].rstrip(".")
        raise ConfigError(f"{path!r} cannot be imported ({told}); install what {package} needs") from None
    if package == "catboost":
        found.__sklearn_clone__ = _clone_by_params
    return found


def _clone_by_params(estimator: Any) -> Any:
    """Return an estimator that is not fitted: catboost tells copies of lists, which scikit-learn's clone takes for other parameters."""
    return type(estimator)(**estimator.get_params(deep=False))


def package_of(estimator: Any) -> str:
    """Return the package of an estimator or of its class."""
    kind = estimator if inspect.isclass(estimator) else type(estimator)
    return str(kind.__module__).partition(".")[0]


def estimator_kinds(estimator: type[Any]) -> tuple[str, ...]:
    """Return what an estimator class is: classifier, regressor, or both."""
    from sklearn.base import ClassifierMixin, RegressorMixin  # noqa: PLC0415 - a second to import

    if package_of(estimator) in BOOSTING:  # catboost's have no mixin
        return ("classifier",) if estimator.__name__.endswith("Classifier") else ("regressor",)
    kinds = {"classifier": ClassifierMixin, "regressor": RegressorMixin}
    return tuple(name for name, mixin in kinds.items() if issubclass(estimator, mixin))


def takes_weights(estimator: type[Any]) -> bool:
    """Return whether an estimator class can learn from rows that do not all count alike."""
    from sklearn.utils.validation import has_fit_parameter  # noqa: PLC0415 - a second to import

    return bool(has_fit_parameter(estimator, "sample_weight"))


def parameters_of(estimator: type[Any]) -> list[str]:
    """Return the parameters that a file may give an estimator."""
    package = package_of(estimator)
    # xgboost's classes declare some themselves and leave others to the class they come from.
    classes = estimator.__mro__ if package == "xgboost" else (estimator,)
    named = {
        name
        for each in classes
        for name, parameter in inspect.signature(each).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    extra = _LIGHTGBM_PARAMETERS if package == "lightgbm" else set()
    return sorted((named | extra) - _WITHHELD.get(package, set()))


def build_estimator(
    candidate: Candidate, seed: int, labels: Sequence[Label] | None = None, trusted: Collection[str] = ()
) -> Any:
    """Return the unfitted estimator of a candidate, with our defaults and the seed where the file sets none.

    `labels` are the classes of the rows that it is to be fitted on, in order,
    and `trusted` the packages that the pipeline file trusts.

    It warns where the file asks for threads: they would take the cores of other candidates.
    """
    kind = load_estimator(candidate.estimator, trusted)
    known, told = parameters_of(kind), set(candidate.params)
    defaults = {name: value for name, value in DEFAULTS.get(package_of(kind), {}).items() if name not in told}
    if told & _VERBOSE:  # catboost takes one of them only
        defaults = {name: value for name, value in defaults.items() if name not in _VERBOSE}
    params = defaults | params_for(candidate, labels)
    if not told & set(SEEDS) and (seeds := [name for name in SEEDS if name in known]):
        params[seeds[0]] = seed
    for name in told & set(THREADS):
        if candidate.params[name] not in (None, 1):
            warnings.warn(
                f"{name} {candidate.params[name]}: a fit is one process of one thread, beside others; "
                f"take {name} out, and set runner.workers instead",
                stacklevel=2,
            )
            if package_of(kind) in BOOSTING:  # which start their threads whatever the environment says
                params[name] = 1
    return make_own(kind, params) if is_own(candidate.estimator) else kind(**params)


def _cure(package: str, name: str) -> str:
    """Return the cure for an estimator of a package that is neither on our list nor trusted."""
    if find_refusal(package) is None and find_spec(package) is not None:
        return f"; add {package} to training.trusted if its code is to be run"
    return _nearest(name)


def _nearest(name: str) -> str:
    """Return the cure for an unknown estimator: `; ` and the import path of the one of nearest name, or where all are listed."""
    near = nearest(name, _known_estimators())
    return f"; did you mean {_known_estimators()[near]}?" if near else "; see scikit-learn's list of estimators"


@cache
def _known_estimators() -> dict[str, str]:
    """Return the public import path of each classifier and regressor, by class name."""
    from sklearn.utils import all_estimators  # noqa: PLC0415 - imports all of scikit-learn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = all_estimators(type_filter=["classifier", "regressor"])
    boosting = {name: f"{package}.{name}" for package, names in BOOSTING.items() for name in names}
    public = {name: _public(estimator.__module__) for name, estimator in found}
    listed = {name: module for name, module in public.items() if module.removeprefix("sklearn.") in SKLEARN_MODULES}
    return {name: f"{module}.{name}" for name, module in listed.items()} | boosting


def _public(module: str) -> str:
    """Return the module up to its first private part: what stands there is exported from there."""
    return module.partition("._")[0]
