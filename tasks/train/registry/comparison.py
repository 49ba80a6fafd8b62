"""Two models on the same held-out rows: by how much one leads, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from tasks.config import Training
from tasks.train.data.column_kinds import ARROW_TYPES, kind_of_type
from tasks.train.data.features import features_of, read_frame, read_target, read_weights
from tasks.train.data.split_file import SavedSplit
from tasks.train.data.training_set import TrainingSet
from tasks.train.data.types import Array
from tasks.train.evaluation.predictions import Predictions
from tasks.train.evaluation.statistics import Bootstrap, bootstrap_difference

DRAWS = 500  # a scorer takes milliseconds; the percentiles of a thousand draws differ in the third digit


@dataclass(frozen=True)
class HeldOut:
    """The rows that no candidate has learnt from."""

    frame: pd.DataFrame
    truth: Array
    weight: Array | None
    """How much each row counts, where they do not all alike."""
    groups: Array | None
    """The moment or group of each row, where the split is by one: they are drawn together."""
    kinds: dict[str, str]
    """Kind of each feature: number, truth, time or text."""


def read_held_out(
    training: Training, training_set: TrainingSet, split: SavedSplit, feature_kinds: Mapping[str, str]
) -> HeldOut:
    """Return the hold-out of a training set.

    Args:
        training: The training section of a pipeline.
        training_set: Its rows.
        split: Which of them are held out.
        feature_kinds: Kind of each feature that the champion learnt from; a column that is null in all rows counts as of it.

    """
    with pa.memory_map(str(training_set.path)) as mapped:
        table = _with_nulls_of(feature_kinds, pa.ipc.open_file(mapped).read_all())
        features = features_of(training, table.schema)
        test = split.sides().test
        return HeldOut(
            frame=read_frame(table, features).iloc[test].reset_index(drop=True),
            truth=read_target(table.column(training.target), training_set.task)[test],
            weight=read_weights(training, table, test),
            groups=split.held_out_units(),
            kinds={name: kind_of_type(table.schema.field(name).type) for name in features.names},
        )


def _with_nulls_of(feature_kinds: Mapping[str, str], table: pa.Table) -> pa.Table:
    """Return the table with each column that is null in all rows as one of the learnt kind: DuckDB's own says nothing."""
    for place, name in enumerate(table.column_names):
        if feature_kinds.get(name) in ARROW_TYPES and table.column(name).null_count == table.num_rows:
            table = table.set_column(place, name, pa.nulls(table.num_rows, ARROW_TYPES[feature_kinds[name]]))
    return table


def without(held_out: HeldOut, kept: Array) -> HeldOut:
    """Return the rows that are kept."""
    weight, groups = (each if each is None else each[kept] for each in (held_out.weight, held_out.groups))
    frame = held_out.frame[kept].reset_index(drop=True)
    return replace(held_out, frame=frame, truth=held_out.truth[kept], weight=weight, groups=groups)


def paired_bootstrap_difference(
    challenger: Pipeline, champion: Pipeline, held_out: HeldOut, training: Training, training_set: TrainingSet
) -> tuple[float, float, float]:
    """Return how much better the challenger scores than the champion, and the interval of that.

    It is the paired bootstrap: both are scored on the same draws of the rows.
    """
    ours, theirs = (
        Predictions(model, held_out.frame, held_out.truth, held_out.weight, training_set.positive).scoring(
            training.metric
        )
        for model in (challenger, champion)
    )
    return bootstrap_difference(
        ours,
        theirs,
        Bootstrap(
            len(held_out.truth),
            training.seed,
            DRAWS,
            training.promotion.confidence,
            strata=held_out.truth if training_set.task == "classification" else None,
            groups=held_out.groups,
        ),
    )
