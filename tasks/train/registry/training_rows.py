"""The rows that a model learnt from: the kinds of their features, how these are spread, and a number for each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tasks.config import Training
from tasks.core.imports import import_once
from tasks.train.data.column_kinds import kind_of_type
from tasks.train.data.drift import Reference, describe_features
from tasks.train.data.features import features_of, read_frame, read_target
from tasks.train.data.split_file import SavedSplit
from tasks.train.data.training_set import TrainingSet
from tasks.train.data.types import Array

if TYPE_CHECKING:
    import pandas as pd

TRAINING_ROWS_FILE = "learnt.npy"
MAX_TRAINING_ROWS = 8_000_000  # 8 bytes each


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """What is kept of the rows that a model learnt from."""

    kinds: dict[str, str]
    reference: dict[str, Reference]
    rows: Array
    """A number for each row, sorted; see `number_rows`."""

    def keep(self, folder: Path) -> None:
        """Write the rows' numbers, unless they are too many."""
        if len(self.rows) <= MAX_TRAINING_ROWS:
            np.save(folder / TRAINING_ROWS_FILE, self.rows)


def read_training_rows(training: Training, training_set: TrainingSet, split: SavedSplit) -> TrainingRows:
    """Return what is to be kept of the rows that train."""
    with pa.memory_map(str(training_set.path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        features = features_of(training, table.schema)
        kinds = {name: kind_of_type(table.schema.field(name).type) for name in features.names}
        train = split.sides().train
        frame = read_frame(table, features, train)
        truth = read_target(table.column(training.target), training_set.task)[train]
        return TrainingRows(kinds, describe_features(frame), np.sort(number_rows(frame, truth, list(kinds))))


def number_rows(frame: pd.DataFrame, truth: Array, features: Sequence[str]) -> Array:
    """Return a number for each row that is the same wherever its features and target are the same."""
    rows = frame[list(features)].assign(**{"": truth})  # no column of a query has an empty name
    numbers: Array = import_once("pandas").util.hash_pandas_object(rows, index=False).to_numpy()
    return numbers


def unseen_rows(folder: Path, frame: pd.DataFrame, truth: Array, features: Sequence[str]) -> Array | None:
    """Return which rows the version in a folder has not learnt from, or None where it was not kept, or is damaged."""
    try:
        known = np.load(folder / TRAINING_ROWS_FILE, allow_pickle=False)
    except (FileNotFoundError, EOFError, ValueError):
        return None
    return ~np.isin(number_rows(frame, truth, features), known)
