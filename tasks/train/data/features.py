"""Columns of the training set as scikit-learn takes them: numbers and texts, missing values as NaN."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import GroupSplit, OwnSplit, Split, TimeSplit, Training
from tasks.core.imports import import_once
from tasks.train.data.types import Array

if TYPE_CHECKING:
    import pandas as pd

_SEEN_ROWS = 2000
_RARELY_SAME = 0.5  # share of distinct values among the rows seen
_DAY_S = 86_400.0
_MANY_WORDS = 3  # on average; names of airlines and of people have about two or three


@dataclass(frozen=True)
class Features:
    """Names of the feature columns, by what preprocessing does with them."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    """Texts."""
    times: tuple[str, ...] = ()
    """Those of the numbers that are times, in seconds since 1970."""
    wordy: tuple[str, ...] = ()
    """Those of the texts that are of many words and rarely the same twice; known once rows were observed."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names, numbers first."""
        return self.numeric + self.categorical

    def without(self, taken: Collection[str]) -> Features:
        """Return the others."""
        kinds = (self.numeric, self.categorical, self.times, self.wordy)
        return Features(*(tuple(name for name in kind if name not in taken) for kind in kinds))


def features_of(training: Training, schema: pa.Schema) -> Features:
    """Return the features among the columns: all but the target, the weights, and the time or group of the split."""
    return features_among([field for field in schema if field.name not in not_features(training)])


def features_among(columns: Iterable[pa.Field]) -> Features:
    """Return the features, where all of the columns are."""
    kept = list(columns)
    return Features(
        numeric=tuple(field.name for field in kept if not is_text_type(field.type)),
        categorical=tuple(field.name for field in kept if is_text_type(field.type)),
        times=tuple(field.name for field in kept if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)),
    )


def observe(features: Features, frame: pd.DataFrame) -> Features:
    """Return the features as the rows that train show them: without those that are null in all, texts told apart."""
    empty = [name for name in features.names if frame[name].isna().all()]
    if empty:
        warnings.warn(f"null in every row that trains, so left out: {', '.join(empty)}", stacklevel=2)
    kept = features.without(empty)
    return replace(kept, wordy=tuple(name for name in kept.categorical if _is_wordy(frame[name])))


def _is_wordy(texts: pd.Series[Any]) -> bool:
    """Return whether texts have many words and rarely repeat in the first rows: remarks, not names of categories."""
    seen = texts.dropna().head(_SEEN_ROWS)
    return bool(seen.nunique() > len(seen) * _RARELY_SAME and seen.str.count(r"\w+").mean() > _MANY_WORDS)


def columns_of(split: Split) -> tuple[str, ...]:
    """Return the columns that a split goes by."""
    if isinstance(split, OwnSplit):
        return split.columns
    return (split.column,) if isinstance(split, TimeSplit | GroupSplit) else ()


def not_features(training: Training) -> set[str]:
    """Return the columns that are no features."""
    split = training.split
    by = set(columns_of(split))
    kept = {each.column for each in training.slicings if not each.feature}
    return {training.target, *by, *kept, *([training.weights] if training.weights else [])}


def read_frame(table: pa.Table, features: Features, rows: Array | None = None) -> pd.DataFrame:
    """Return the features as a frame of shape (rows, features), of the chosen rows in their order or of all.

    Numbers, truths (0, 1) and times (seconds since 1970) are float64 with NaN
    for null and infinite; texts are objects with NaN for null. A model's
    `predict` takes the same frame.
    """
    chosen = None if rows is None else pa.array(rows)
    length = table.num_rows if chosen is None else len(chosen)
    # Numbers go into the matrix that the frame keeps: one column at a time is copied, never all of them twice.
    numbers = np.empty((len(features.numeric), length))
    for place, name in enumerate(features.numeric):
        numbers[place] = read_numbers(_choose(table.column(name), chosen))
    frame: pd.DataFrame = import_once("pandas").DataFrame(numbers.T, columns=list(features.numeric), copy=False)
    for name in features.categorical:
        frame[name] = _read_texts(_choose(table.column(name), chosen))
    return frame


def read_columns(table: pa.Table, features: Features, multiple: int = 1) -> dict[str, Array]:
    """Return each feature as an array with the values that the frame has; the last row again up to a multiple of rows."""
    rows = table.num_rows
    columns = {name: read_numbers(table.column(name)) for name in features.numeric}
    columns |= {name: _read_texts(table.column(name)) for name in features.categorical}
    missing = -rows % multiple
    return {name: np.append(values, np.repeat(values[-1:], missing)) for name, values in columns.items()}


def _choose(column: pa.ChunkedArray, rows: pa.Array | None) -> pa.ChunkedArray:
    return column if rows is None else column.take(rows)


def read_numbers(column: pa.ChunkedArray) -> Array:
    """Return a column of numbers, truths or times as float64 that may be written to; null and infinite are NaN."""
    values = _read_plain(column)
    if not pa.types.is_integer(column.type):
        values[find_infinite(column)] = np.nan
    return values


def find_infinite(column: pa.ChunkedArray) -> Array:
    """Return which values are infinite: numbers, and DuckDB's moments without end."""
    if pa.types.is_floating(column.type):
        return np.asarray(np.isinf(column.to_numpy()))
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        ticks = pc.fill_null(pc.cast(column, f"int{column.type.bit_width}"), 0).to_numpy()
        return np.asarray(np.abs(ticks) == np.iinfo(ticks.dtype).max)
    return np.zeros(len(column), dtype=bool)


def find_missing(column: pa.ChunkedArray) -> Array:
    """Return which values are missing to a model: null, NaN or infinite."""
    return np.asarray(column.is_null(nan_is_null=True).to_numpy() | find_infinite(column))


def _read_plain(column: pa.ChunkedArray) -> Array:
    if pa.types.is_timestamp(column.type):
        ticks = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
        return np.divide(_read_plain(ticks), 1e6)
    if pa.types.is_date(column.type):
        return np.multiply(_read_plain(pc.cast(pc.cast(column, pa.date32()), pa.int32())), _DAY_S)
    # A copy: some estimators cannot take a read-only map (scikit-learn#5956).
    return np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def read_target(column: pa.ChunkedArray, task: str) -> Array:
    """Return the target: float64 for regression; whole numbers, truths or texts as they are for classification.

    Whole numbers that are floats, as 1.0, are whole numbers as classes.
    """
    if task == "regression":
        return read_numbers(column)
    if pa.types.is_floating(column.type):
        return np.array(pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False))
    if is_text_type(column.type):
        return np.array(column.to_pylist(), dtype=str)
    return np.array(column.to_numpy(zero_copy_only=False))


def read_weights(training: Training, table: pa.Table, rows: Array) -> Array | None:
    """Return how much each of the chosen rows counts; None where all count alike."""
    if training.weights is None:
        return None
    return read_numbers(table.column(training.weights).take(pa.array(rows)))


def encode(column: pa.ChunkedArray, *, ordered: bool = False) -> Array:
    """Return the values as numbers from 0 on: in order of first appearance, or in their own where `ordered`.

    Null counts as a value.
    """
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    codes = np.array(encoded.indices.to_numpy(zero_copy_only=False))
    if not ordered:
        return codes
    rank = np.empty(len(encoded.dictionary), dtype=np.int64)
    rank[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank))
    return np.asarray(rank[codes])


def encode_classes(target: Array) -> Array:
    """Return the class of each row as a number, in the order of classes."""
    return np.unique(target, return_inverse=True)[1]


def is_text_type(kind: pa.DataType) -> bool:
    """Return whether a column's type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _read_texts(column: pa.ChunkedArray) -> Array:
    values: Array = column.to_numpy(zero_copy_only=False).astype(object)
    values[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values
