"""A candidate's parameters, tuned within one fit: successive halving over folds of the rows that it learns from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes the class below importable
from sklearn.model_selection import HalvingGridSearchCV, ParameterSampler
from sklearn.pipeline import Pipeline

from tasks.config import Between, Candidate, GridSearch, Label, RandomSearch, Search, Training
from tasks.core.errors import TrainingError
from tasks.train.data.classes import labels_of, value_for
from tasks.train.data.features import encode_classes
from tasks.train.data.split import fold_rows
from tasks.train.data.types import Array
from tasks.train.evaluation.predictions import scoring_of
from tasks.train.models.preprocessing import fit_keys, prefix_of

INNER_FOLDS = 3
FACTOR = 3  # a third of the combinations goes on, on three times the rows
_FEWEST_ROWS = 200  # of the first round: below, chance decides more than the parameters
_FEWEST_OF_CLASS = 20  # rows of the rarest class in the first round, in the mean

Combination = dict[str, Any]


def search_params(  # noqa: PLR0913, PLR0917 - what a search sees
    training: Training,
    model: Pipeline,
    candidate: Candidate,
    frame: pd.DataFrame,
    target: Array,
    unit: Array | None,
    positive: Label | None = None,
    weight: Array | None = None,
) -> Pipeline:
    """Return the pipeline with the best combination of parameters, fitted on all the rows.

    Combinations are compared on folds within the rows, cut as the training's
    split cuts: stratified, in time order or by group.

    Raises:
        TrainingError: when the rows are too few for the folds, or no combination has a score.

    """
    classes = encode_classes(target) if _classifies(model) else None
    folds = _inner_folds(training, len(frame), classes, unit)
    assert candidate.search is not None
    combinations = combine(candidate.search, training.seed)
    labels = None if classes is None else labels_of(target)
    prefix = prefix_of(model)
    halving = HalvingGridSearchCV(
        model,
        [
            {f"{prefix}{name}": [value_for(candidate, name, value, labels)] for name, value in each.items()}
            for each in combinations
        ],
        factor=FACTOR,
        min_resources=first_rows(len(frame), len(combinations), classes),
        scoring=scoring_of(training.metric, positive, weight),
        cv=folds,
        random_state=training.seed,
        error_score=np.nan,
        return_train_score=False,
    )
    halving.fit(frame.reset_index(drop=True), target, **fit_keys(weight))
    if not math.isfinite(halving.best_score_):
        raise TrainingError(f"search: none of {len(combinations)} combinations has a {training.metric}")
    best: Pipeline = halving.best_estimator_
    return best


def first_rows(rows: int, combinations: int, classes: Array | None) -> int:
    """Return the rows of the first round: so many that the last has all, yet each round enough to tell by."""
    rounds = math.floor(math.log(combinations, FACTOR) + 1e-9)
    wanted = max(rows // FACTOR**rounds, _FEWEST_ROWS)
    if classes is not None:
        rarest = float(np.bincount(classes).min()) / rows
        wanted = max(wanted, math.ceil(_FEWEST_OF_CLASS / rarest))
    return int(min(rows, wanted))


def combine(search: Search, seed: int) -> list[Combination]:
    """Return the combinations to try: every one of a grid, or those drawn by the seed, none twice."""
    if isinstance(search, GridSearch):
        return _distinct([dict(zip(search.space, values, strict=True)) for values in product(*search.space.values())])
    space = {
        name: _distribution(values) if isinstance(values, Between) else values for name, values in search.space.items()
    }
    drawn = ParameterSampler(space, min(search.n, _size(search)), random_state=seed)
    return _distinct([{name: _plain(search.space[name], value) for name, value in each.items()} for each in drawn])


def _size(search: RandomSearch) -> int:
    """Return how many combinations there are, where all parameters have a list."""
    lists = [len(values) for values in search.space.values() if isinstance(values, list)]
    return math.prod(lists) if len(lists) == len(search.space) else search.n


def _distribution(between: Between) -> Any:
    high = between.high + 1 if between.whole else between.high
    return stats.loguniform(between.low, high) if between.log else stats.uniform(between.low, high - between.low)


def _plain(values: Any, drawn: Any) -> Any:
    """Return what was drawn as the pipeline file would write it."""
    if not isinstance(values, Between):
        return drawn
    return min(math.floor(drawn), math.floor(values.high)) if values.whole else float(drawn)


def _distinct(combinations: Sequence[Combination]) -> list[Combination]:
    return list({json.dumps(each, sort_keys=True): each for each in combinations}.values())


def _classifies(model: Pipeline) -> bool:
    return bool(model.__sklearn_tags__().estimator_type == "classifier")


def _inner_folds(training: Training, rows: int, classes: Array | None, unit: Array | None) -> list[tuple[Array, Array]]:
    try:
        found = fold_rows(training.split, training.seed, rows, classes=classes, unit=unit, folds=INNER_FOLDS)
    except TrainingError as error:
        told = str(error).partition(": ")[2].partition(";")[0]
        raise TrainingError(
            f"search: tunes on {INNER_FOLDS} folds of the {rows} rows of a fit, and {told}; take search out or widen the query"
        ) from None
    return list(found)
