"""The columns that say how sure a prediction is: the ends of an interval, or the set of classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tasks.train.assessment.conformal import Conformal, sets_of
from tasks.train.data.types import Array

LOW, HIGH, SET = "prediction_low", "prediction_high", "prediction_set"


def interval_fields(intervals: Conformal | None, kind: pa.DataType) -> list[pa.Field]:
    """Return the columns, where the predictions are of a type."""
    if intervals is None:
        return []
    if intervals.threshold is not None:
        return [pa.field(SET, pa.list_(kind))]
    return [pa.field(LOW, pa.float64()), pa.field(HIGH, pa.float64())]


def interval_columns(
    intervals: Conformal | None, prediction: Array, probability: Array | None, classes: pa.Array | None
) -> Iterator[tuple[str, pa.Array]]:
    """Yield name and values of each column; the classes of a set are in the order of their probability."""
    if intervals is None:
        return
    if intervals.threshold is None:
        for name, margin in ((LOW, intervals.low), (HIGH, intervals.high)):
            yield name, pa.array(np.asarray(prediction, dtype=float) + margin)
        return
    assert probability is not None
    assert classes is not None
    sets = sets_of(probability, intervals.threshold)
    order = np.argsort(-probability, axis=1, kind="stable")
    ends = np.concatenate([[0], np.cumsum(sets.sum(axis=1))])
    places = order[np.take_along_axis(sets, order, axis=1)]
    yield SET, pa.ListArray.from_arrays(pa.array(ends, pa.int32()), classes.take(pa.array(places)))
