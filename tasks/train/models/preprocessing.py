"""A candidate as one scikit-learn pipeline, so that nothing is ever fitted on the rows of the test."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from tasks.config import Candidate, Label, Preprocessing, Transformer
from tasks.core.errors import TrainingError
from tasks.core.suggestions import did_you_mean
from tasks.train.data.features import Features
from tasks.train.data.types import Array
from tasks.train.models.estimators import ALLOWED_PACKAGES, build_estimator, package_of
from tasks.train.models.own import load_own_transformer, make_own
from tasks.train.models.transformers import TIME_PARTS, flatten_texts, split_times

MAX_CATEGORIES = 255  # what histogram boosting can take, unless its max_bins is smaller
_SPARSE_WORDS = 10_000
_DENSE_WORDS = 100  # a dense column each: trees search them all
_WORD = r"(?u)\b\w+\b"  # of one letter too: some texts have no others
_MODEL = "model"

Step = tuple[str, Any, list[str]]


def build_model(
    candidate: Candidate,
    features: Features,
    seed: int,
    labels: Sequence[Label] | None = None,
    trusted: Collection[str] = (),
) -> Pipeline:
    """Return the unfitted pipeline (columns -> estimator) of a candidate, for rows of these classes.

    Every part is scikit-learn's own, the estimator's package's or of one that is
    trusted, but for the functions of `steps`, so that the fitted pipeline can be saved without
    code. An estimator's `random_state` is `seed` unless the file sets it.

    Raises:
        TrainingError: when texts meet `preprocessing: none`.

    """
    estimator = build_estimator(candidate, seed, labels, trusted)
    if candidate.preprocessing == "none":
        columns = _as_they_are(features)
    elif _module(estimator).startswith("sklearn.dummy"):
        columns = _as_they_are(replace(features, categorical=()))
    else:
        wanted = Preprocessing() if candidate.preprocessing == "auto" else candidate.preprocessing
        columns = _Columns(wanted, features, estimator, trusted).build()
    return Pipeline([("columns", columns), ("estimator", naming_classes(estimator))])


def naming_classes(estimator: Any) -> Any:
    """Return an estimator as it takes classes of any name.

    xgboost takes 0, 1, ... only, and catboost turns truths into texts: a vote of one names classes itself.
    """
    if package_of(estimator) in ("xgboost", "catboost") and hasattr(estimator, "predict_proba"):
        return VotingClassifier([(_MODEL, estimator)], voting="soft")
    return estimator


def take_weights(weight: Array | None, rows: Array) -> Array | None:
    """Return how much some rows count, by their positions."""
    return None if weight is None else weight[rows]


def fit_keys(weight: Array | None) -> dict[str, Array]:
    """Return what the fit of a pipeline takes beside rows and target: how much each row counts to its estimator."""
    return {} if weight is None else {"estimator__sample_weight": weight}


def prefix_of(model: Pipeline) -> str:
    """Return what a parameter of the estimator begins with as one of the pipeline."""
    return f"estimator__{_MODEL}__" if isinstance(model[-1], VotingClassifier) else "estimator__"


def _as_they_are(features: Features) -> ColumnTransformer:
    if features.categorical:
        raise TrainingError(
            f"preprocessing: none takes numbers only, and {', '.join(features.categorical)} are texts; "
            "use preprocessing: auto, or leave them out of the query"
        )
    return ColumnTransformer([("numbers", "passthrough", list(features.numeric))])


class _Columns:
    """What becomes of each column for one estimator, where the pipeline file does not say."""

    def __init__(
        self, wanted: Preprocessing, features: Features, estimator: Any, trusted: Collection[str] = ()
    ) -> None:
        self.wanted, self.estimator = wanted, estimator
        taken = {name for each in wanted.transformers for name in each.columns}
        if unknown := sorted(taken.difference(features.names)):
            cure = did_you_mean(unknown[0], features.names)
            raise TrainingError(
                f"preprocessing.transformers: {unknown[0]!r} is no feature with a value in a row that trains; {cure}"
            )
        self.own = [
            (f"own_{place}", _own(each, trusted), [*each.columns]) for place, each in enumerate(wanted.transformers)
        ]
        features = features.without(taken)
        self.family = _family_of(estimator)
        self.native = self.family not in ("trees", "other")
        tags = None if self.native else estimator.__sklearn_tags__().input_tags
        self.positive = bool(tags and tags.positive_only)
        # Trees search dense columns several times faster.
        self.sparse = bool(tags and tags.sparse) and self.family == "other"
        self.words = {"auto": features.wordy, "words": features.categorical}.get(wanted.texts, ())
        texts = () if wanted.texts in ("drop", "words") else features.categorical
        self.texts = [name for name in texts if name not in self.words]
        seconds = wanted.times in ("auto", "seconds")
        self.numbers = [name for name in features.numeric if seconds or name not in features.times]
        self.times = list(features.times) if wanted.times in ("auto", "parts") else []

    def build(self) -> ColumnTransformer:
        """Return the transformer of all columns, and tell the estimator which are categories where it wants to know."""
        if self.wanted.texts == "auto":
            coded = self.native and not self._is_of_unknown_width
        else:
            coded = self.wanted.texts == "codes"
        as_categories = coded and self.native and not self._is_of_unknown_width
        texts: list[Step] = [("texts", self._codes(as_categories) if coded else self._one_hot(), self.texts)]
        numbers: list[Step] = [("numbers", _chain(self._number_steps()), self.numbers)]
        if self.times:
            numbers.append(("times", _chain([FunctionTransformer(split_times), *self._number_steps()]), self.times))
        words = [(f"words_{name}", self._words(), [name]) for name in self.words]
        last = [*words, *self.own]
        steps = [*texts, *numbers, *last] if as_categories else [*numbers, *texts, *last]
        columns = ColumnTransformer(steps, sparse_threshold=0.3 if self.sparse else 0.0)
        if as_categories and self.texts:
            self._declare_categories(columns)
        return columns

    @property
    def _is_of_unknown_width(self) -> bool:
        """Return whether texts cannot be told as categories: xgboost is told the kind of every column, and catboost gets a frame."""
        return bool(self.words or self.own) and self.family in ("xgboost", "catboost")

    def _number_steps(self) -> list[Any]:
        choice = self.wanted.numbers
        if choice == "auto":
            choice = "none" if self.native else "impute" if self.family == "trees" else "scale"
        # A column that is empty in a part of the rows stays, or the columns after it would be other ones.
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        scaler = MinMaxScaler(clip=True) if self.positive else StandardScaler()
        return {"none": [], "impute": [imputer], "scale": [imputer, scaler]}[choice]

    def _one_hot(self) -> OneHotEncoder:
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=self.wanted.min_frequency or None,
            max_categories=MAX_CATEGORIES,
            sparse_output=self.sparse,
        )

    def _codes(self, as_categories: bool) -> Any:
        """Return codes in the order of names; missing and unseen ones are NaN where the estimator takes that."""
        whole = self.family == "catboost"  # which takes a category as a whole number
        missing: dict[str, Any] = {"unknown_value": np.nan}
        if whole or not self.native:
            missing = {"unknown_value": -1, "encoded_missing_value": -2}
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            min_frequency=self.wanted.min_frequency or None,
            max_categories=min(MAX_CATEGORIES, getattr(self.estimator, "max_bins", MAX_CATEGORIES)),
            dtype=np.int64 if whole else np.float64,
            **missing,
        )
        if as_categories or self.native or self.family == "trees":
            return codes
        return make_pipeline(codes, MinMaxScaler(clip=True) if self.positive else StandardScaler())

    def _words(self) -> Pipeline:
        words = TfidfVectorizer(
            max_features=_SPARSE_WORDS if self.sparse else _DENSE_WORDS,
            token_pattern=_WORD,
            strip_accents="unicode",
        )
        return make_pipeline(FunctionTransformer(flatten_texts), words)

    def _declare_categories(self, columns: ColumnTransformer) -> None:
        places, estimator = list(range(len(self.texts))), self.estimator
        match self.family:
            case "histogram" if estimator.categorical_features in (None, "from_dtype"):
                estimator.set_params(categorical_features=places)
            case "lightgbm":
                estimator.set_params(categorical_column=places)
            case "xgboost":
                amounts = len(self.numbers) + len(TIME_PARTS) * len(self.times)
                estimator.set_params(enable_categorical=True, feature_types=["c"] * len(places) + ["q"] * amounts)
            case "catboost":
                columns.set_output(transform="pandas")  # a matrix would make the codes numbers again
                estimator.set_params(cat_features=tuple(places))  # a list is copied, and then no clone is alike


def _own(declared: Transformer, trusted: Collection[str]) -> Any:
    return make_own(load_own_transformer(declared.transformer, trusted), declared.params)


def _chain(steps: Sequence[Any]) -> Any:
    return make_pipeline(*steps) if steps else "passthrough"


def _family_of(estimator: Any) -> str:
    """Return which way of columns an estimator wants: those of a name take categories and missing values by themselves."""
    package, module = package_of(estimator), _module(estimator)
    if package not in ALLOWED_PACKAGES:
        return "other"
    if package != "sklearn":
        # Its linear booster takes no categories, and gains from scaling as other linear models do.
        linear = package == "xgboost" and estimator.get_params()["booster"] == "gblinear"
        return "other" if linear else package
    if "hist_gradient_boosting" in module:
        return "histogram"
    return "trees" if module.startswith(("sklearn.tree", "sklearn.ensemble")) else "other"


def _module(estimator: Any) -> str:
    return str(type(estimator).__module__)
