"""What can be seen wrong in a training section before there is data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sklearn.metrics import get_scorer_names

from tasks.config import Between, Candidate, OwnSplit, Training
from tasks.config.metrics import metrics_without_scorer, named_metrics
from tasks.config.trusted import covers
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.outcome import Failed
from tasks.core.sql import check_query
from tasks.core.suggestions import did_you_mean
from tasks.train.data.classes import BY_CLASS
from tasks.train.data.own_class import ask_own
from tasks.train.data.own_split import check_splitter
from tasks.train.models.early_stopping import TOLD_BY, stops_early
from tasks.train.models.estimators import (
    BASELINE,
    BOOSTING,
    estimator_kinds,
    is_own_object,
    load_estimator,
    own_paths,
    package_of,
    parameters_of,
)
from tasks.train.models.own import load_own_transformer, make_own

_CHECK = "tasks.train.checks.section:check_candidate"
_CHECK_SPLITTER = "tasks.train.data.own_split:check_splitter"
_ESTIMATORS = {"base_estimator", "classifier", "estimator", "estimators", "final_estimator", "regressor"}


def check_training(training: Training) -> list[str]:
    """Return one sentence for everything wrong that can be seen before there is data; empty when all is well."""
    mistakes = check_query(training.query) + _check_metric(training.metric)
    if BASELINE in training.candidates:
        key = f"training.candidates.{BASELINE}"
        mistakes.append(f"{key}: {BASELINE!r} is the baseline's name, which is always added; choose another name")
    if isinstance(training.split, OwnSplit):
        mistakes += [f"training.split.{mistake}" for mistake in _check_splitter(training.split, training.trusted)]
    for name, candidate in training.fitted.items():
        mistakes += [f"training.candidates.{name}.{mistake}" for mistake in _check_parting(training, candidate)]
        found = _check_where_it_belongs(candidate, training.trusted)
        mistakes += [f"training.candidates.{name}.{mistake}" for mistake in found]
    return mistakes


def _check_splitter(split: OwnSplit, trusted: tuple[str, ...]) -> list[str]:
    """Return what is wrong with a splitter of the user's own, which a process of its own loads."""
    if not covers(trusted, split.splitter.rpartition(".")[0]):
        return [f"splitter: {mistake}" for mistake in check_splitter(split, trusted)]
    told: list[str] | Failed | None = ask_own(_CHECK_SPLITTER, split, trusted)
    found = [f"{split.splitter!r}: {told.message}"] if isinstance(told, Failed) else told or []
    return [f"splitter: {mistake}" for mistake in found]


def _check_parting(training: Training, candidate: Candidate) -> Iterator[str]:
    """Yield what of a candidate parts the rows of a fit again, which a splitter of the user's own does not."""
    parting = {
        "search": candidate.search,
        "calibrate": candidate.calibrate,
        "early_stopping": candidate.early_stopping,
    }
    for key in (key for key, told in parting.items() if told is not None and isinstance(training.split, OwnSplit)):
        yield (
            f"{key}: parts the rows of a fit as the split does, and a splitter of your own parts all rows alone; take "
            f"{key} out, or split at random, by time or by group"
        )


def _check_where_it_belongs(candidate: Candidate, trusted: tuple[str, ...]) -> list[str]:
    """Return what is wrong with a candidate; classes of the user's own that are trusted are loaded by a process of its own."""
    if not any(covers(trusted, path.rpartition(".")[0]) for path in own_paths(candidate)):
        return check_candidate(candidate)
    told: list[str] | Failed | None = ask_own(_CHECK, candidate, trusted)
    if isinstance(told, Failed):
        return [f"estimator: {', '.join(own_paths(candidate))}: {told.message}"]
    return told or []


def _check_metric(metric: str) -> list[str]:
    scorers, own = get_scorer_names(), metrics_without_scorer()
    if twice := sorted(own.keys() & set(scorers)):
        return [f"extensions: {name!r} is a metric of scikit-learn already; call yours otherwise" for name in twice]
    if metric in scorers or metric in own:
        return []
    shown = named_metrics().get(metric)
    cure = f"did you mean {shown.ranked_as}?" if shown else did_you_mean(metric, [*scorers, *own])
    return [f"training.metric: {metric!r} is not a metric; {cure}"]


def check_candidate(candidate: Candidate, trusted: Collection[str] = ()) -> list[str]:
    """Return one sentence for everything wrong with a candidate; `trusted` are the packages that the pipeline file trusts."""
    try:
        estimator = load_estimator(candidate.estimator, trusted)
    except ConfigError as error:
        return [f"estimator: {mistake}" for mistake in error.mistakes]
    known = parameters_of(estimator)
    space = candidate.search.space if candidate.search else {}
    unknown = [
        f"{key}.{name}: {estimator.__name__} has no parameter {name!r}; {did_you_mean(name, known)}"
        for key, names in {"params": candidate.params, "search.space": space}.items()
        for name in names
        if name not in known
    ]
    nested = [
        f"{key}.{name}: a file cannot describe an estimator within an estimator; take {name} out"
        for key, values in {"params": candidate.params, "search.space": space}.items()
        for name in _ESTIMATORS & values.keys()
        if values[name] is not None
    ]
    twice = [
        f"search.space.{name}: {name} is in params too, where it has one value; take it out of one of them"
        for name in space
        if name in candidate.params
    ]
    kind = [
        f"calibrate: corrects probabilities, and {estimator.__name__} tells none; take calibrate out"
        for _ in [candidate.calibrate]
        if candidate.calibrate is not None and "classifier" not in estimator_kinds(estimator)
    ]
    own = [*_check_transformers(candidate, trusted)]
    return unknown + nested + twice + kind + own + _check_stopping(estimator, candidate) or _check_values(
        estimator, candidate
    )


def _check_transformers(candidate: Candidate, trusted: Collection[str]) -> Iterator[str]:
    for place, each in enumerate(candidate.transformers):
        try:
            make_own(load_own_transformer(each.transformer, trusted), each.params)
        except (ConfigError, TrainingError) as error:
            yield f"preprocessing.transformers.{place}: {error}"


def _check_stopping(estimator: type[Any], candidate: Candidate) -> list[str]:
    """Return why a candidate cannot be told when to end."""
    if candidate.early_stopping is None:
        return []
    if not stops_early(estimator):
        return [
            f"early_stopping: {estimator.__name__} takes no rows to end by; take it out, or choose HistGradientBoosting, "
            "xgboost, lightgbm or catboost"
        ]
    space = candidate.search.space if candidate.search else {}
    told = sorted(TOLD_BY & {*candidate.params, *space})
    return [f"early_stopping: is said by {', '.join(told)} too; take one of them out"] if told else []


def _check_values(estimator: type[Any], candidate: Candidate) -> list[str]:
    """Return what is wrong with the values of params, else with each of the space beside them."""
    if package_of(estimator) in BOOSTING:
        return []  # they tell at the fit what they do not take
    if mistake := _refusal(estimator, candidate.params):
        return [f"params: {mistake}"]
    space = candidate.search.space if candidate.search else {}
    mistakes = []
    for name, values in space.items():
        ends = [_end(values, values.low), _end(values, values.high)] if isinstance(values, Between) else values
        refusals = (_refusal(estimator, candidate.params | {name: value}) for value in ends)
        mistakes += [f"search.space.{name}: {refusal}" for refusal in refusals if refusal][:1]
    return mistakes


def _end(between: Between, bound: float) -> float:
    return int(bound) if between.whole else bound


def _refusal(estimator: type[Any], params: dict[str, Any]) -> str | None:
    """Return what scikit-learn's own declaration of an estimator's parameters says of their values."""
    by_class = {name for name, value in params.items() if name in BY_CLASS and isinstance(value, dict)}
    told = {name: value for name, value in params.items() if name not in by_class}
    try:
        instance = make_own(estimator, told) if is_own_object(estimator) else estimator(**told)
    except TrainingError as error:
        return str(error)
    except TypeError as error:
        return f"{error}; choose an estimator that a file can describe"
    check = getattr(instance, "_validate_params", None)  # what fit itself calls first
    if check is None or not hasattr(instance, "_parameter_constraints"):  # which one's own may not declare
        return None
    try:
        check()
    except ValueError as error:
        return f"{' '.join(str(error).split()).rstrip('.')}; correct the value"
    return None
