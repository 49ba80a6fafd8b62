"""For whom a model fails: its score on each part of the hold-out, against all other rows, corrected for many parts.

A part's score is compared with that of the other held-out rows by their difference over its error. The error is that
of the bootstrap, and of two the larger: of draws of the part's own rows, and of draws of as many other rows, with as
many of each class. A part that happens to be right in all its rows varies in no draw of its own, and would else be
surely better than the rest. Rows that belong together, of a group or moment, are drawn together. The p-values are
Student's with one degree fewer than the part has rows of its rarest class, or groups, and adjusted by Holm's step-down
for all parts of all columns. Simulated on models that are equally good everywhere: see `python -m tests.benchmarks assess`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tasks.train.data.types import Array

if TYPE_CHECKING:  # scipy: a third of a second, which reading what is kept has no use for
    from tasks.train.evaluation.statistics import Score

FEWEST_ROWS = 30
"""Of a part that is tested, and of one that is a part by itself."""
FEWEST_OF_CLASS = 10
"""Rows of a part's rarest class, or groups, without which nothing is tested."""
SURE_P = 0.05
DRAWS = 300
_OF_ROWS = ("accuracy", "neg_log_loss", "neg_brier_score")  # means over rows: a class of few rows makes them no rougher


@dataclass(frozen=True)
class Slice:
    """What the model scores on the held-out rows with one value of a column."""

    column: str
    value: str
    rows: int
    score: float | None = None
    """None where these rows do not define the metric, as those of one class alone."""
    interval: tuple[float, float] | None = None
    difference: float | None = None
    """By how much it is better than on the other held-out rows."""
    difference_interval: tuple[float, float] | None = None
    p: float | None = None
    """Of being as good as on the others, adjusted for all slices; None of too few rows."""

    @property
    def is_worse(self) -> bool:
        """Return whether it is worse than on the other rows by more than noise."""
        return self.p is not None and self.p < SURE_P and self.difference is not None and self.difference < 0


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """What of the hold-out decides how sure a slice's score is."""

    metric: str
    seed: int
    classes: Array | None = None
    """The class of each row, for classification."""
    units: Array | None = None
    """The moment or group of each row, where the split goes by one."""

    @property
    def strata(self) -> Array | None:
        """Return the class of each row where a draw has to keep the number of each: where classes are told apart."""
        return None if self.metric in _OF_ROWS else self.classes

    def count_certain(self, rows: Array) -> int:
        """Return how many rows a score of some is as certain as: those of the rarest class, or the groups, or all."""
        if self.units is not None:
            return len(np.unique(self.units[rows]))
        if self.strata is None or self.classes is None:
            return len(rows)
        return min(int((self.classes[rows] == label).sum()) for label in np.unique(self.classes))


def find_slices(columns: Mapping[str, Array], score: Score, rows: HeldOutRows) -> tuple[Slice, ...]:
    """Return the slices of some columns, the worst of each first, the surely worse before all.

    Args:
        columns: By name, of each held-out row the text of its part: see `read_parts`.
        score: The metric at positions of held-out rows, greater is better; NaN where they do not define it.
        rows: What decides how sure it is.

    """
    from tasks.train.evaluation.statistics import adjust_holm  # noqa: PLC0415 - as above

    found = [
        _measure(name, str(value), np.flatnonzero(parts == value), len(parts), score, rows)
        for name, parts in columns.items()
        for value in np.unique(parts)
    ]
    tested = [place for place, each in enumerate(found) if each.p is not None]
    for place, p in zip(tested, adjust_holm([found[place].p or 0.0 for place in tested]), strict=True):
        found[place] = replace(found[place], p=p)
    order = {name: number for number, name in enumerate(columns)}
    return tuple(sorted(found, key=lambda each: (not each.is_worse, order[each.column], _lead(each))))


def worst_slice(slices: Sequence[Slice]) -> Slice | None:
    """Return the slice that is farthest behind the other rows, of those that are surely so."""
    return min((each for each in slices if each.is_worse), key=_lead, default=None)


def _lead(each: Slice) -> float:
    return math.inf if each.difference is None else each.difference


def _measure(column: str, value: str, inside: Array, total: int, score: Score, rows: HeldOutRows) -> Slice:
    from tasks.train.evaluation.statistics import Bootstrap, bootstrap_scores, draws_of, percentile_interval  # noqa: PLC0415 - as above

    own = _finite(score(inside))
    found = Slice(column, value, len(inside), own)
    if own is None:
        return found
    strata, units = (None if each is None else each[inside] for each in (rows.strata, rows.units))
    draws = draws_of(total, DRAWS)
    drawn = Bootstrap(len(inside), rows.seed, draws, strata=strata, groups=units)
    scores = bootstrap_scores(lambda positions: score(inside[positions]), drawn)
    low, high = percentile_interval(scores)
    found = replace(found, interval=(low, high) if math.isfinite(low) else None)
    outside = np.setdiff1d(np.arange(total), inside, assume_unique=True)
    other = _finite(score(outside)) if len(outside) else None
    if other is None:
        return found
    found = replace(found, difference=own - other)
    certain, certain_outside = rows.count_certain(inside), rows.count_certain(outside)
    if len(inside) < FEWEST_ROWS or min(certain, certain_outside) < FEWEST_OF_CLASS:
        return found
    alike = _deviation([score(positions) for positions in _draw_alike(inside, outside, draws, rows)])
    error = math.hypot(max(_deviation(scores), alike), alike * math.sqrt(certain / certain_outside))
    return _test(found, error, certain - 1) if error > 0 else found


def _test(found: Slice, error: float, degrees: int) -> Slice:
    """Return the slice with the interval of its difference, and the p-value of there being none."""
    from scipy.special import stdtr, stdtrit  # noqa: PLC0415 - as above

    assert found.difference is not None
    margin = float(stdtrit(degrees, 0.975)) * error
    return replace(
        found,
        difference_interval=(found.difference - margin, found.difference + margin),
        p=float(2 * stdtr(degrees, -abs(found.difference) / error)),
    )


def _draw_alike(inside: Array, outside: Array, draws: int, rows: HeldOutRows) -> Iterator[Array]:
    """Yield draws of other rows: as many as the part has, of each class, or as many groups."""
    from tasks.train.evaluation.statistics import draw_groups  # noqa: PLC0415 - as above

    generator = np.random.default_rng(rows.seed)
    if rows.units is not None:
        number = len(np.unique(rows.units[inside]))
        yield from (outside[each] for each in draw_groups(generator, rows.units[outside], number, draws))
        return
    layers = [(outside, len(inside))]
    if rows.strata is not None:
        counted = zip(*np.unique(rows.strata[inside], return_counts=True), strict=True)
        layers = [(outside[rows.strata[outside] == label], int(count)) for label, count in counted]
    for _ in range(draws):
        yield np.concatenate([pool[generator.integers(len(pool), size=count)] for pool, count in layers])


def _deviation(scores: Sequence[float] | Array) -> float:
    known = np.asarray(scores, dtype=float)
    known = known[~np.isnan(known)]
    return float(known.std()) if len(known) else math.nan


def _finite(score: float) -> float | None:
    return score if math.isfinite(score) else None
