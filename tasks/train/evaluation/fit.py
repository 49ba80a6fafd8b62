"""A candidate fitted on rows: preprocessing, search and estimator see these rows and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from tasks.config import Candidate, Label, Training
from tasks.core.errors import TrainingError
from tasks.train.data.classes import labels_of
from tasks.train.data.features import Features, observe
from tasks.train.data.types import Array
from tasks.train.evaluation.calibration import calibrate, uncalibrated
from tasks.train.evaluation.search import search_params
from tasks.train.models.early_stopping import EarlyStopped, HeldBack, as_plain
from tasks.train.models.estimators import is_own, load_estimator, takes_weights
from tasks.train.models.own import check_classes
from tasks.train.models.preprocessing import build_model, fit_keys, prefix_of


def fit_model(  # noqa: PLR0913, PLR0917 - what a fit sees
    training: Training,
    candidate: Candidate,
    features: Features,
    frame: pd.DataFrame,
    target: Array,
    unit: Array | None = None,
    positive: Label | None = None,
    weight: Array | None = None,
) -> Pipeline:
    """Return the fitted pipeline of a candidate, with the parameters that its search chose.

    Args:
        training: The training section: its metric, split and seed rule a search.
        candidate: What is fitted.
        features: The features by type.
        frame: The rows to learn from, and nothing else.
        target: What is to be predicted of each row.
        unit: Moment or group of each row (`Rows.unit`), where the split goes by one.
        positive: The class of two that a search's metric is of.
        weight: How much each row counts to the estimator, and to a search's metric; preprocessing counts each once.

    Raises:
        TrainingError: when the columns do not fit the candidate, or the rows are too few for its search, or it takes no weights.

    """
    check_weights(training, candidate, weight)
    labels = None if target.dtype.kind == "f" else labels_of(target)
    model = build_model(candidate, observe(features, frame), training.seed, labels, training.trusted)
    if candidate.early_stopping is not None:
        held_back = HeldBack(candidate.early_stopping, training.split, training.seed, unit)
        model = EarlyStopped(model.steps, held_back=held_back)
        frame = frame.reset_index(drop=True)
    if candidate.search is not None:
        model = search_params(training, model, candidate, frame, target, unit, positive, weight)
        if candidate.calibrate is None:
            return held_to_classes(as_plain(model), candidate, labels, target)
    if candidate.calibrate is not None:
        return calibrate(training, clone(model), candidate.calibrate, frame, target, unit, weight)
    return held_to_classes(as_plain(model.fit(frame, target, **fit_keys(weight))), candidate, labels, target)


def held_to_classes(model: Pipeline, candidate: Candidate, labels: Sequence[Label] | None, target: Array) -> Pipeline:
    """Return a fitted pipeline whose estimator, where it is the user's own, knows the classes that it was fitted on.

    Raises:
        TrainingError: it does not.

    """
    if is_own(candidate.estimator) and labels is not None:
        check_classes(model[-1], target)
    return model


def check_weights(training: Training, candidate: Candidate, weight: Array | None) -> None:
    """Raise where rows do not count alike, and a candidate's estimator cannot learn from such.

    Raises:
        TrainingError: it cannot.

    """
    if weight is not None and not takes_weights(load_estimator(candidate.estimator, training.trusted)):
        raise TrainingError(f"{candidate.estimator} takes no weights of rows, and training.weights has them")


def chosen_params(model: Pipeline, candidate: Candidate) -> dict[str, Any]:
    """Return the parameters of a fitted pipeline that its candidate's search was to choose."""
    if candidate.search is None:
        return {}
    model = uncalibrated(model) or model
    prefix, params = prefix_of(model), model.get_params()
    return {name: params[f"{prefix}{name}"] for name in candidate.search.space}
