"""A wanted coverage: whether there are rows or groups enough to tell an error that is so rarely exceeded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tasks.config import Training
from tasks.train.assessment.conformal import check_coverage
from tasks.train.data.split import read_unit
from tasks.train.data.split_file import SavedSplit


def check_coverage_rows(training: Training, table: pa.Table, split: SavedSplit, *, classes: bool) -> None:
    """See that a training set has rows enough for the coverage that is asked for.

    Args:
        training: The training section of a pipeline.
        table: The rows of the training set.
        split: Which of them train, and which of these each fold tests.
        classes: Whether the target is a class.

    Raises:
        TrainingError: it has too few.

    """
    if training.coverage is None:
        return
    units = [split.train]
    if training.split.by == "time":
        units = [tested for _, tested in split.folds]
    elif (groups := read_unit(training.split, table)) is not None:
        units = [len(np.unique(groups[split.sides().train]))]
    check_coverage(training.coverage, classes=classes, units=units)
