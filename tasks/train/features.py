"""Columns of the training set as scikit-learn takes them: numbers and texts, missing values as NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.spec import GroupSplit, TimeSplit, Training

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Features:
    """Names of the feature columns, by what preprocessing does with them; times count as numbers."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names, numbers first."""
        return self.numeric + self.categorical


def features_of(training: Training, schema: pa.Schema) -> Features:
    """Return the features among the columns: all but the target, and the time or group of the split."""
    kept = [field for field in schema if field.name not in not_features(training)]
    categorical = tuple(field.name for field in kept if is_text(field.type))
    return Features(numeric=tuple(f.name for f in kept if f.name not in categorical), categorical=categorical)


def not_features(training: Training) -> set[str]:
    """Return the columns that are no features."""
    split = training.split
    return {training.target} | ({split.column} if isinstance(split, TimeSplit | GroupSplit) else set())


def read_frame(table: pa.Table, features: Features) -> pd.DataFrame:
    """Return the features as a frame of shape (rows, features).

    Numbers, truths (0, 1) and times (seconds since 1970) are float64 with NaN
    for null; texts are objects with NaN for null. A model's `predict` takes
    the same frame.
    """
    numeric = {name: read_numbers(table.column(name)) for name in features.numeric}
    texts = {name: _read_texts(table.column(name)) for name in features.categorical}
    return pd.DataFrame({**numeric, **texts}, index=pd.RangeIndex(table.num_rows))


def read_numbers(column: pa.ChunkedArray) -> Array:
    """Return a column of numbers, truths or times as float64 that may be written to; null is NaN."""
    if pa.types.is_timestamp(column.type):
        ticks = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
        return np.divide(read_numbers(ticks), 1e6)
    if pa.types.is_date(column.type):
        return read_numbers(pc.cast(column, pa.timestamp("us")))
    # A copy: some estimators cannot take a read-only map (scikit-learn#5956).
    return np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def read_target(column: pa.ChunkedArray, task: str) -> Array:
    """Return the target: float64 for regression; whole numbers, truths or texts as they are for classification."""
    if task == "regression":
        return read_numbers(column)
    if is_text(column.type):
        return np.array(column.to_pylist(), dtype=str)
    return np.array(column.to_numpy(zero_copy_only=False))


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


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column's type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _read_texts(column: pa.ChunkedArray) -> Array:
    values: Array = column.to_numpy(zero_copy_only=False).astype(object)
    values[column.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values
