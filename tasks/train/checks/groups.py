"""Columns that look like the name of a patient, a shop or a machine, with rows of one name on both sides of the split."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from tasks.config import GroupSplit, TimeSplit, Training
from tasks.core.escaping import count
from tasks.train.data.features import Features, encode, is_text_type
from tasks.train.data.split_file import Sides
from tasks.train.data.types import Array

# Names of columns that stand for something with several rows; with these a column needs no further sign.
_NAME = re.compile(
    r"(?:^|_)(?:id|ids|uuid|guid|patient|subject|person|customer|client|user|member|account|household|device|machine"
    r"|session|serial|email)(?:$|_)|[a-z]I[dD]$"
)
_FEWEST_VALUES = 20
_ROWS_A_VALUE = (1.5, 200)  # in the mean: between a value a row and a category
_ON_BOTH_SIDES = 0.5  # of the held-out rows
# Without the name: a value has few rows, and what belongs to the value (sex, the target itself) is the same in them.
_FEW_ROWS = 20
_SAME = 0.95
_MUCH_LESS = 0.2  # times as often as by chance do rows of one group differ


def warn_of_groups(table: pa.Table, features: Features, training: Training, sides: Sides) -> list[str]:
    """Return a warning for each column by which the split should perhaps go."""
    if isinstance(training.split, GroupSplit):
        return []
    found = []
    for name in features.names:
        kind = table.schema.field(name).type
        if not (is_text_type(kind) or pa.types.is_integer(kind)):
            continue
        groups = encode(table.column(name), ordered=True)
        values, known = int(groups.max()) + 1, len(groups) - table.column(name).null_count
        if values < _FEWEST_VALUES or not _ROWS_A_VALUE[0] <= known / values <= _ROWS_A_VALUE[1]:
            continue
        both = int(np.isin(groups[sides.test], groups[sides.train]).sum())
        if both < len(sides.test) * _ON_BOTH_SIDES:
            continue
        if _is_group(table, name, groups, features, training):
            found.append(
                f"training.split: {both} of {len(sides.test)} held-out rows have a {name!r} that rows to train on have "
                f"too ({count(values, 'value')}, {known / values:.1f} rows each), so a model may know them by heart; split by "
                f"group with column: {name}, or leave it out if it names nothing"
            )
    return found


def _is_group(table: pa.Table, name: str, groups: Array, features: Features, training: Training) -> bool:
    """Return whether the values of a column name things that have several rows each."""
    target = encode(table.column(training.target))
    if isinstance(training.split, TimeSplit):  # the same customer later on is what is to be predicted, mostly
        return _belongs(groups, target)
    if _NAME.search(name):
        return True
    if len(groups) / (groups.max() + 1) > _FEW_ROWS:
        return False
    if _belongs(groups, target):
        return True
    others = (other for other in features.names if other != name)
    return any(_belongs(groups, encode(table.column(other))) for other in others)


def _belongs(groups: Array, values: Array) -> bool:
    """Return whether rows of one group have one value, much more often than those of different groups.

    Groups that are neighbours count as different: where they agree too, their numbers are amounts that tell the value.
    """
    order = np.argsort(groups, kind="stable")
    ordered, told = groups[order], values[order]
    within = ordered[1:] == ordered[:-1]
    same = told[1:] == told[:-1]
    if not within.any():
        return False
    shares = np.bincount(values) / len(values)
    differ = 1 - float(np.square(shares).sum())  # as often as two rows drawn by chance
    agree, agree_beside = float(same[within].mean()), float(same[~within].mean())
    return agree >= _SAME and 1 - agree <= differ * _MUCH_LESS and 1 - agree_beside >= differ / 2
