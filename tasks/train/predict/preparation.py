"""The columns of a few rows made ready for an estimator from arrays, in a quarter of the time that a frame of them takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from tasks.train.data.drift import Reference
from tasks.train.data.types import Array

_OF_ARRAYS = (MinMaxScaler, OneHotEncoder, OrdinalEncoder, SimpleImputer, StandardScaler)
_NAMES = "feature_names_in_"  # without them a step takes an array as silently as a frame
_NEVER_SEEN = "\0never"


@dataclass(frozen=True)
class _Step:
    transformer: Any
    columns: tuple[str, ...]
    of_frame: bool


class Preparation:
    """The steps of a model's ColumnTransformer, each asked by itself, of arrays."""

    def __init__(self, steps: Sequence[_Step]) -> None:
        self._steps = steps

    def prepare(self, columns: Mapping[str, Array]) -> Array:
        """Return what the ColumnTransformer makes of a frame with these columns."""
        return np.hstack([_apply(step, columns) for step in self._steps])


def find_preparation(model: Pipeline, references: Mapping[str, Reference]) -> Preparation | None:
    """Return how rows are made ready for the model's estimator; None where only its own steps may, of a frame.

    Args:
        model: Columns and estimator.
        references: Values of each feature that it learnt from, of which rows are made that both ways are tried with.

    """
    if [type(step) for _, step in model.steps[:-1]] != [ColumnTransformer] or not references:
        return None
    found: ColumnTransformer = model[0]
    steps = list(_steps_of(found))
    if found.sparse_output_ or hasattr(found, "_sklearn_output_config") or None in steps:
        return None
    preparation, columns = Preparation([step for step in steps if step is not None]), _draw_rows(references)
    try:
        ours, theirs = preparation.prepare(columns), found.transform(pd.DataFrame(columns))
    except Exception:  # noqa: BLE001 - what is wrong is told where its own steps are asked
        return None
    same = np.array_equal(ours, theirs, equal_nan=True) and ours.dtype == theirs.dtype
    # The order in memory too: sums of products differ in the last bit by it.
    return preparation if same and ours.flags.c_contiguous == theirs.flags.c_contiguous else None


def _steps_of(columns: ColumnTransformer) -> Iterator[_Step | None]:
    for _, transformer, names in columns.transformers_:
        if isinstance(transformer, str) or not len(names):  # dropped, or of no columns
            continue
        parts = [part for _, part in transformer.steps] if isinstance(transformer, Pipeline) else [transformer]
        first = parts[0]
        of_frame = isinstance(first, FunctionTransformer) and first.func is not None
        if of_frame or all(_takes_arrays(part) for part in parts):
            yield _Step(transformer if of_frame else _without_names(transformer), tuple(names), of_frame)
        else:
            yield None


def _takes_arrays(part: Any) -> bool:
    return type(part) in _OF_ARRAYS or (type(part) is FunctionTransformer and part.func is None)


def _without_names(transformer: Any) -> Any:
    taken = deepcopy(transformer)
    for part in [part for _, part in taken.steps] if isinstance(taken, Pipeline) else [taken]:
        vars(part).pop(_NAMES, None)
    return taken


def _apply(step: _Step, columns: Mapping[str, Array]) -> Array:
    chosen = {name: columns[name] for name in step.columns}
    given = pd.DataFrame(chosen) if step.of_frame else np.array(list(chosen.values())).T
    made = step.transformer.transform(given)
    return np.asarray(made.toarray() if issparse(made) else made)


def _draw_rows(references: Mapping[str, Reference]) -> dict[str, Array]:
    """Return rows with every edge or category of each feature, one that was never there, and a missing one."""
    values = {name: _values_of(reference) for name, reference in references.items()}
    rows = max(map(len, values.values()))
    return {name: np.resize(each, rows) for name, each in values.items()}


def _values_of(reference: Reference) -> Array:
    if reference.edges is not None:
        return np.array([*reference.edges, 1e6, np.nan])
    return np.array([*(reference.categories or ()), _NEVER_SEEN, np.nan], dtype=object)
