"""Fitted models of candidates as one of scikit-learn's own: a vote of them, or a final model over what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch

from tasks.config import Candidate, Label, Training
from tasks.core.errors import TrainingError
from tasks.train.data.classes import TWO
from tasks.train.data.types import Array
from tasks.train.models.estimators import build_estimator
from tasks.train.models.preprocessing import naming_classes

_MEMBERS = "members"


def vote_of(models: Mapping[str, Pipeline], weights: Sequence[float] | None) -> Pipeline:
    """Return the fitted vote of fitted pipelines, none of which is fitted again.

    Raises:
        TrainingError: the pipelines do not know the same classes.

    """
    return Pipeline([("columns", "passthrough"), ("estimator", _vote(models, weights))])


def stack_of(models: Mapping[str, Pipeline], final: Pipeline) -> Pipeline:
    """Return a fitted final model over fitted pipelines.

    A vote stands before it as what it is too, a transformer that tells what
    each pipeline says. Of scikit-learn's own StackingClassifier, which cannot
    be given predictions, the final model would know classes by number.

    Raises:
        TrainingError: the pipelines do not know the same classes.

    """
    return Pipeline([(_MEMBERS, _vote(models, None)), *final.steps])


def build_final(
    candidate: Candidate, training: Training, labels: Sequence[Label] | None, members: int, classes: int
) -> Pipeline:
    """Return the unfitted final model over what members say, one after another.

    As of scikit-learn's StackingClassifier, the probability of the first of two classes is left out.

    Args:
        candidate: Estimator and parameters.
        training: The training section: its seed is the estimator's, and its packages are trusted.
        labels: The classes of the rows that it is to be fitted on, in order.
        members: How many there are.
        classes: How many each knows, a column each; of amounts one.

    """
    taken = range(1, members * classes, classes) if classes == TWO else range(members * classes)
    columns = ColumnTransformer([(_MEMBERS, "passthrough", list(taken))])
    return Pipeline(
        [
            ("columns", columns),
            ("estimator", naming_classes(build_estimator(candidate, training.seed, labels, training.trusted))),
        ]
    )


def fit_shares(told: Array, members: int, classes: Array, truth: Array, weight: Array | None) -> tuple[float, ...]:
    """Return the shares of a mean of members' probabilities that comes nearest to what is true, by the Brier score.

    Non-negative least squares, of which shares are made (van der Laan, Polley,
    Hubbard: Super Learner, 2007, section 3; Breiman: Stacked Regressions, 1996,
    on why none may be below zero). Where members know nothing, what folds say is
    a little worse than chance, and a final model that may turn that round would
    look better than it is. All count alike where none ever gave what is true a
    probability.

    Args:
        told: The probability of each class by each member, one after another.
        members: How many there are.
        classes: The classes, in the order of these probabilities.
        truth: The class of each row.
        weight: How much each row counts.

    """
    each = told.reshape(len(told), members, len(classes)).transpose(0, 2, 1)
    wanted = (truth[:, None] == classes[None, :]).astype(float)
    scale = np.ones(len(told)) if weight is None else np.sqrt(weight)
    found, _ = nnls((each * scale[:, None, None]).reshape(-1, members), (wanted * scale[:, None]).ravel())
    shares = found / found.sum() if found.any() else np.full(members, 1 / members)
    return tuple(shares.tolist())


def same_classes(known: Mapping[str, Array | None]) -> None:
    """Raise unless all members know the same classes, which `known` has by their names.

    Raises:
        TrainingError: they do not.

    """
    (first, classes), *others = known.items()
    for name, other in others:
        if classes is not None and other is not None and set(other.tolist()) != set(classes.tolist()):
            raise TrainingError(
                f"its members {first} and {name} do not know the same classes, {len(classes)} and {len(other)}; take "
                "calibrate out of the one that knows fewer, or take it out of the ensemble"
            )


def members_of(model: Pipeline) -> dict[str, Pipeline]:
    """Return the fitted pipelines within an ensemble's."""
    vote = model[0] if model.steps[0][0] == _MEMBERS else model[-1]
    return dict(vote.named_estimators_)


def is_vote_of_classes(model: object) -> bool:
    """Return whether a model is a vote, which says the class of which the mean of its members' probabilities is greatest."""
    return isinstance(model, Pipeline) and isinstance(model[-1], VotingClassifier)


def parts_of(model: Pipeline) -> list[Any]:
    """Return what tells a pipeline's answers: its estimator, and of an ensemble those of its members."""
    last = model[-1]
    if not (model.steps[0][0] == _MEMBERS or isinstance(last, VotingClassifier | VotingRegressor)):
        return [last]
    members = [each for each in members_of(model).values() if isinstance(each, Pipeline)]
    return [last, *(part for member in members for part in parts_of(member))]


def weights_of(model: Pipeline, classes: int) -> dict[str, tuple[float, ...]]:
    """Return by member of an ensemble how much it counts; empty of a final model that is not linear.

    Of a vote that is its share in the mean, and of a stack its coefficient: of
    more than two classes, for each class that of its own probability.
    """
    members, final = members_of(model), model[-1]
    if model.steps[0][0] != _MEMBERS:
        share = np.ones(len(members)) if final.weights is None else np.array(final.weights)
        return {name: (float(each),) for name, each in zip(members, share / share.sum(), strict=True)}
    found = np.atleast_2d(getattr(final, "coef_", np.empty((0, 0))))
    if found.shape == (1, len(members)):
        return {name: (float(each),) for name, each in zip(members, found[0], strict=True)}
    if found.shape != (classes, len(members) * classes):
        return {}
    own = [np.diagonal(part) for part in np.hsplit(found, len(members))]
    return {name: tuple(map(float, each)) for name, each in zip(members, own, strict=True)}


def _vote(models: Mapping[str, Pipeline], weights: Sequence[float] | None) -> Any:
    """Return a vote as its own fit would leave it."""
    estimators, first = list(models.items()), next(iter(models.values()))
    if hasattr(first, "classes_"):
        same_classes({name: model.classes_ for name, model in models.items()})
        vote = VotingClassifier(estimators, voting="soft", weights=weights)
        vote.le_ = LabelEncoder().fit(first.classes_)
        vote.classes_ = vote.le_.classes_
    else:
        vote = VotingRegressor(estimators, weights=weights)
    vote.estimators_, vote.named_estimators_ = list(models.values()), Bunch(**models)
    return vote
