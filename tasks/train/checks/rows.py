"""Doubts about the training set's rows: one warning for each thing that would make scores too good."""

from __future__ import annotations

import pyarrow as pa

from tasks.config import OwnSplit, Training
from tasks.train.checks.columns import (
    warn_of_columns,
    warn_of_duplicate_columns,
    warn_of_duplicate_rows,
    warn_of_number_texts,
)
from tasks.train.checks.groups import warn_of_groups
from tasks.train.checks.leakage import warn_of_leakage
from tasks.train.checks.target import Target
from tasks.train.checks.weights import warn_of_weights
from tasks.train.data.features import features_of
from tasks.train.data.split_file import Sides


def warn_of_rows(training: Training, table: pa.Table, target: Target, sides: Sides) -> tuple[str, ...]:
    """Return warnings that name column, figure and cure.

    On 300,000 rows of 30 columns it takes about two seconds.

    Args:
        training: The training section of a pipeline.
        table: The rows of the training set.
        target: What is predicted of them.
        sides: Which of them train, and which are held out.

    """
    features = features_of(training, table.schema)
    found = [target.doubt] if target.doubt else []
    found += warn_of_columns(table, features)
    found += warn_of_number_texts(table, features)
    found += warn_of_duplicate_columns(table, features)
    found += warn_of_duplicate_rows(table, features, training.target, sides)
    found += warn_of_leakage(table, features, training, target.task, sides)
    found += warn_of_groups(table, features, training, sides)
    found += warn_of_weights(training, target.task)
    found += warn_of_left_out(training, table.num_rows, sides)
    return tuple(found)


def warn_of_left_out(training: Training, rows: int, sides: Sides) -> list[str]:
    """Return a warning where a splitter of the user's own leaves rows out, which nothing else tells."""
    left = rows - len(sides.train) - len(sides.test)
    if not isinstance(training.split, OwnSplit) or not left:
        return []
    return [f"the splitter leaves out {left:,} of {rows:,} rows; have its last pair hold them if they are to count"]
