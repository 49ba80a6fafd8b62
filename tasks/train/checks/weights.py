"""A column of weights: whether each row has one, and what is left out of the figures because it cannot weigh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa

from tasks.config import Training
from tasks.config.metrics import named_metrics
from tasks.train.data.column_kinds import kind_of_type
from tasks.train.data.features import find_infinite, find_missing, read_numbers


def find_weight_mistakes(training: Training, table: pa.Table) -> Iterator[str]:
    """Yield one sentence where rows cannot be weighted by the column that is declared, with how many they are."""
    name = training.weights
    if name is None or name not in table.column_names:
        return
    column, key = table.column(name), f"training.weights: {name!r}"
    if (kind := kind_of_type(column.type)) != "number":
        yield f"{key} is a {kind} ({column.type}), and a weight is a number above zero; name another column"
        return
    endless = find_infinite(column)
    missing = find_missing(column) & ~endless
    small = read_numbers(column) <= 0
    wrong = {"null": int(missing.sum()), "infinite": int(endless.sum()), "zero or less": int(small.sum())}
    if total := sum(wrong.values()):
        told = ", ".join(f"{what} in {count:,}" for what, count in wrong.items() if count)
        yield (
            f"{key} is no number above zero in {total:,} of {len(column):,} rows ({told}); "
            "leave them out in the query, or mend their weights"
        )


def warn_of_weights(training: Training, task: Literal["classification", "regression"]) -> list[str]:
    """Return a warning of the metrics that are left out, as they have no weighted form."""
    if training.weights is None:
        return []
    left_out = [m.name for m in named_metrics().values() if m.task == task and not m.takes_weights]
    if not left_out:
        return []
    return [
        f"training.weights: left out, as their compute takes no weights: {', '.join(left_out)}; give it the argument weights"
    ]
