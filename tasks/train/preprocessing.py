"""A candidate as one scikit-learn pipeline, so that nothing is ever fitted on the rows of the test."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from tasks.errors import TrainingError
from tasks.spec import Candidate
from tasks.train.estimators import load_estimator
from tasks.train.features import Features

# Categories rarer than this share of the rows, and those past this number, are one category together.
MIN_CATEGORY_SHARE = 0.001
MAX_CATEGORIES = 255  # what histogram boosting can take, unless its max_bins is smaller


def build_model(candidate: Candidate, features: Features, seed: int) -> Pipeline:
    """Return the unfitted pipeline (columns -> estimator) of a candidate.

    Every part is scikit-learn's own, so that the fitted pipeline can be saved
    without code. An estimator's `random_state` is `seed` unless the file sets it.

    Raises:
        TrainingError: when texts meet `preprocessing: none`.

    """
    estimator = _build_estimator(candidate, seed)
    if candidate.preprocessing == "none":
        columns = _as_they_are(features)
    elif _module(estimator).startswith("sklearn.dummy"):
        columns = _as_they_are(Features(features.numeric, ()))
    elif "hist_gradient_boosting" in _module(estimator):
        columns = _coded(features, estimator)
    else:
        columns = _imputed(features, estimator)
    return Pipeline([("columns", columns), ("estimator", estimator)])


def _build_estimator(candidate: Candidate, seed: int) -> Any:
    estimator = load_estimator(candidate.estimator)(**candidate.params)
    if "random_state" in estimator.get_params(deep=False) and "random_state" not in candidate.params:
        estimator.set_params(random_state=seed)
    return estimator


def _as_they_are(features: Features) -> ColumnTransformer:
    if features.categorical:
        raise TrainingError(
            f"preprocessing: none takes numbers only, and {', '.join(features.categorical)} are texts; "
            "use preprocessing: auto, or leave them out of the query"
        )
    return ColumnTransformer([("numbers", "passthrough", list(features.numeric))])


def _coded(features: Features, estimator: Any) -> ColumnTransformer:
    """Return codes for texts, and numbers as they are: histogram boosting splits on missing values by itself."""
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        min_frequency=MIN_CATEGORY_SHARE,
        max_categories=min(MAX_CATEGORIES, estimator.max_bins),
    )
    if estimator.get_params(deep=False)["categorical_features"] in (None, "from_dtype"):
        estimator.set_params(categorical_features=list(range(len(features.categorical))) or None)
    return ColumnTransformer(
        [("texts", codes, list(features.categorical)), ("numbers", "passthrough", list(features.numeric))]
    )


def _imputed(features: Features, estimator: Any) -> ColumnTransformer:
    tags = estimator.__sklearn_tags__().input_tags
    numbers: list[Any] = [SimpleImputer(strategy="median")]
    if not _is_of_trees(estimator):
        numbers.append(MinMaxScaler(clip=True) if tags.positive_only else StandardScaler())
    sparse = tags.sparse and not _is_of_trees(estimator)  # trees search dense columns several times faster
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=MIN_CATEGORY_SHARE,
        max_categories=MAX_CATEGORIES,
        sparse_output=sparse,
    )
    return ColumnTransformer(
        [("numbers", make_pipeline(*numbers), list(features.numeric)), ("texts", one_hot, list(features.categorical))],
        sparse_threshold=0.3 if sparse else 0.0,
    )


def _is_of_trees(estimator: Any) -> bool:
    return _module(estimator).startswith(("sklearn.tree", "sklearn.ensemble"))


def _module(estimator: Any) -> str:
    return str(type(estimator).__module__)
