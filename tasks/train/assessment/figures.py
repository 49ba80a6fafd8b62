"""Figures of the hold-out, each with how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.train.data.types import Array

if TYPE_CHECKING:  # scipy: a third of a second, which reading kept figures has no use for
    from tasks.train.evaluation.statistics import Bootstrap


@dataclass(frozen=True)
class Figure:
    """A figure of the hold-out and its 95 % interval; None for what no draw of the rows defines."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """Return the figure as cards have it."""
        if self.value is None:
            return "unknown"
        return f"{self.value:.4f}" if self.low is None else f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def measure_figure(score: Callable[[Array], float], bootstrap: Bootstrap) -> Figure:
    """Return what a score makes of all rows, which it takes by their positions, and the bootstrap's interval."""
    from tasks.train.evaluation.statistics import bootstrap_interval  # noqa: PLC0415 - as above

    low, high = bootstrap_interval(score, bootstrap)
    return Figure(*(value if math.isfinite(value) else None for value in (score(np.arange(bootstrap.rows)), low, high)))
