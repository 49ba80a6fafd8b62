"""Checks of the training set's rows: errors where nothing can be learnt, warnings where scores would be too good."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tasks.config import Training
from tasks.train.checks.columns import warn_of_columns, warn_of_copies, warn_of_number_texts, warn_of_twins
from tasks.train.checks.groups import warn_of_groups
from tasks.train.checks.leakage import warn_of_giveaways
from tasks.train.checks.target import Target, check_target
from tasks.train.data.features import features_of
from tasks.train.data.split import split_rows

__all__ = ["RowsReview", "check_rows"]


@dataclass(frozen=True)
class RowsReview:
    """What the checks found: what is predicted, the rows on each side, and one sentence for each doubt."""

    target: Target
    train_rows: int
    test_rows: int
    warnings: tuple[str, ...]


def check_rows(training: Training, table: pa.Table) -> RowsReview:
    """Return what is predicted, the numbers of rows to train and test on, and warnings that name column, figure and cure.

    On 300,000 rows of 30 columns it takes about two seconds.

    Raises:
        TrainingError: with one sentence that names the column and the cure.

    """
    target = check_target(training, table)
    task = target.task
    rows = split_rows(training, table, task)
    features = features_of(training, table.schema)
    found = [target.doubt] if target.doubt else []
    found += warn_of_columns(table, features)
    found += warn_of_number_texts(table, features)
    found += warn_of_twins(table, features)
    found += warn_of_copies(table, features, training.target, rows)
    found += warn_of_giveaways(table, features, training, task, rows)
    found += warn_of_groups(table, features, training, rows)
    return RowsReview(target, len(rows.train), len(rows.test), tuple(found))
