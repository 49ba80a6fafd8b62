"""How sure a prediction is: intervals of amounts and sets of classes that hold the truth in a wanted share of the rows.

The errors of predictions that no fold had learnt are what the errors of new rows will be like, so that a quantile of
them, taken at ceil((n + 1)(1 - a)) of n, is the margin of a new prediction: Vovk, Cross-conformal predictors, Annals
of Mathematics and Artificial Intelligence 74 (2015). The margin is laid around the model that learnt from all rows,
which is what Barber, Candès, Ramdas and Tibshirani, Predictive Inference with the Jackknife+, Annals of Statistics 49
(2021) call the K-fold form of the jackknife. They show that no coverage is guaranteed for it without a fit that is
stable (their CV+, which needs the models of all folds to predict, guarantees 1 - 2a), and that it is nearly 1 - a
where the fit is; so it is counted on the hold-out, where it may be seen to fail.

Errors of amounts are signed, and each side is given half of what may be missed (Linusson, Johansson and Löfström,
Signed-Error Conformal Regression, PAKDD 2014): a model of a quantile errs to one side, and an interval that is laid
evenly around it would be as wide on the side where nothing is. Sets of classes are the least ambiguous ones, all
classes with 1 - p no larger than the quantile of 1 - p of the truth: Sadinle, Lei and Wasserman, Least Ambiguous
Set-Valued Classifiers with Bounded Error Levels, JASA 114 (2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tasks.config import write_label
from tasks.core.errors import TrainingError
from tasks.train.data.types import Array

if TYPE_CHECKING:  # scipy: a third of a second, which reading what is kept has no use for
    from tasks.train.evaluation.metrics import ModelOutput

By = Literal["random", "time", "group", "own"]
_ROUNDING = 1e-9  # of counted rows: 10 · 0.9 is 9
_MASS = 1e-12  # of probabilities


@dataclass(frozen=True)
class Exchangeable:
    """Which of the out-of-fold predictions belong together, so that a quantile of their errors is of what is exchangeable.

    Of a random split that is a row, which repeated folds may have several
    predictions of; of one by group, the group; by time nothing is, and each
    span of time has its own quantile.
    """

    by: By
    units: Array
    """Of each prediction the row, or by group the group."""
    folds: Array
    """Of each prediction the fold that tested it."""


@dataclass(frozen=True)
class Covered:
    """How many of some held-out rows an interval or set holds the truth of."""

    rows: int
    covered: int
    interval: tuple[float, float]
    """Of the share, at 95 %."""

    @property
    def share(self) -> float:
        """Return the share of the rows that are covered."""
        return self.covered / self.rows


@dataclass(frozen=True)
class Conformal:
    """What is added to predictions so that the truth lies within in the wanted share of the rows.

    Of amounts `low` and `high` are added to the prediction; of classes those
    are in the set whose 1 - p is at most `threshold`.
    """

    coverage: float
    unit: Literal["row", "group"]
    """What counts as one."""
    units: int
    """Of how many rows, or groups, the errors are."""
    why: str
    """Why it holds, or is wider than it would have to be: one sentence."""
    size: float
    """Width of the intervals, or the mean number of classes in the sets of the hold-out."""
    holdout: Covered
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    classes: dict[str, Covered] | None = None
    """Of each class the held-out rows of it whose set has it."""


def fit_conformal(
    coverage: float, seen: ModelOutput, exchangeable: Exchangeable, held_out: ModelOutput, units: Array | None
) -> Conformal:
    """Return the margins of errors out of fold, and what of the hold-out they cover.

    Args:
        coverage: Share of the rows whose truth is to be covered.
        seen: What was said of rows by models that had not learnt them.
        exchangeable: Which of these predictions belong together.
        held_out: What the model says of the hold-out.
        units: Moment or group of each held-out row, where the split goes by one.

    Raises:
        TrainingError: there are too few rows or groups for the coverage, or the model gives no probabilities.

    """
    why = f"{_WHY[exchangeable.by]}{'' if seen.weight is None else ' Each row counts once, whatever its weight.'}"
    if seen.classes is None:
        low, high = fit_margins(seen.truth - seen.prediction, coverage, exchangeable)
        inside = (held_out.prediction + low <= held_out.truth) & (held_out.truth <= held_out.prediction + high)
        return Conformal(
            coverage=coverage,
            unit="group" if exchangeable.by == "group" else "row",
            units=len(np.unique(exchangeable.units)),
            why=why,
            size=high - low,
            holdout=count_covered(inside, units),
            low=low,
            high=high,
        )
    if seen.probability is None or held_out.probability is None:
        raise TrainingError(
            "training.coverage: the model gives no probabilities to make sets of classes by; give the candidate "
            "calibrate: sigmoid, or take coverage out"
        )
    threshold = fit_threshold(_misses(seen), coverage, exchangeable)
    sets = sets_of(held_out.probability, threshold)
    places, met = _places(held_out)
    inside = sets[np.arange(len(sets)), places] & met
    return Conformal(
        coverage=coverage,
        unit="group" if exchangeable.by == "group" else "row",
        units=len(np.unique(exchangeable.units)),
        why=why,
        size=float(sets.sum(axis=1).mean()),
        holdout=count_covered(inside, units),
        threshold=threshold,
        classes=_count_by_class(inside, held_out, units),
    )


def check_coverage(coverage: float, *, classes: bool, units: Sequence[int]) -> None:
    """See that rows are enough for a coverage, before anything is fitted.

    Args:
        coverage: Share of the rows whose truth is to be covered.
        classes: Whether sets of classes are to cover it, or intervals of amounts, which miss it on two sides.
        units: How many rows there are, or groups, or rows of each span of time.

    Raises:
        TrainingError: there are too few.

    """
    for each in units:
        _check_units(coverage if classes else _level_of_a_side(coverage), each)


def fit_margins(errors: Array, coverage: float, exchangeable: Exchangeable) -> tuple[float, float]:
    """Return what to add to a prediction for the lower and the upper end, from errors (truth less prediction) out of fold."""
    level = _level_of_a_side(coverage)
    return -_quantile(-errors, level, exchangeable), _quantile(errors, level, exchangeable)


def fit_threshold(misses: Array, coverage: float, exchangeable: Exchangeable) -> float:
    """Return the most that 1 - p of a class in the set may be, from that of the true class out of fold."""
    return _quantile(misses, coverage, exchangeable)


def sets_of(probability: Array, threshold: float) -> Array:
    """Return of each row (rows) and class (columns) whether it is in the set.

    No set is empty. Where no class is probable enough the model is least
    sure, and one class alone would look like the opposite: the set is then of
    the most probable classes that are as probable together, two or more.
    """
    sets: Array = 1 - probability <= threshold
    empty = ~sets.any(axis=1)
    if empty.any():
        order = np.argsort(-probability[empty], axis=1, kind="stable")
        before = np.cumsum(np.take_along_axis(probability[empty], order, axis=1), axis=1)
        before = np.hstack([np.zeros((len(before), 1)), before[:, :-1]])
        filled = np.zeros_like(sets[empty])
        np.put_along_axis(filled, order, before < 1 - threshold - _MASS, axis=1)
        sets[empty] = filled
    return sets


_WHY: dict[By, str] = {
    "random": "Rows of the future are taken to be drawn as these were; what was not learnt from told how far off they are.",
    "time": "Rows to come are not drawn as those before them were, so that no coverage is sure: the margin is the widest "
    "that any span of time has needed.",
    "own": "Which rows are alike is known to the splitter alone, so that no coverage is sure: the margin is the widest that any "
    "fold has needed.",
    "group": "Rows of one group are alike, and a new group is not: each group counts as one, whatever its rows, which "
    "makes the margin wider than counting rows would.",
}


def _quantile(scores: Array, level: float, exchangeable: Exchangeable) -> float:
    """Return what a new row's score does not exceed in a share `level` of the draws of data.

    By time, and by a splitter of the user's own, it is the largest of all folds'.
    """
    if exchangeable.by not in ("time", "own"):
        return _quantile_of_units(scores, level, exchangeable.units)
    spans = [exchangeable.folds == fold for fold in np.unique(exchangeable.folds)]
    return max(_quantile_of_units(scores[span], level, exchangeable.units[span]) for span in spans)


def _quantile_of_units(scores: Array, level: float, units: Array) -> float:
    """Return the quantile in which each unit counts as one, and one more that is not seen yet as endless.

    Of units of one score each it is the ceil((n + 1) level)-th smallest; of
    larger ones it is that of Lee, Barber and Willett, Distribution-free
    inference with hierarchical data (2023), section 3.
    """
    _, codes, counts = np.unique(units, return_inverse=True, return_counts=True)
    _check_units(level, len(counts))
    wanted = (len(counts) + 1) * level - _ROUNDING
    order = np.argsort(scores, kind="stable")
    weights = np.cumsum((1 / counts)[codes[order]])
    return float(scores[order][np.searchsorted(weights, wanted)])


def _level_of_a_side(coverage: float) -> float:
    return (1 + coverage) / 2


def _check_units(level: float, units: int) -> None:
    if (units + 1) * level - _ROUNDING > units:
        raise TrainingError(
            f"training.coverage: an error that is exceeded in {1 - level:.3g} of the cases takes "
            f"{math.ceil(level / (1 - level) - _ROUNDING)} rows or groups to tell (of each span, by time), and there are "
            f"{units}; lower coverage, or widen the query"
        )


def _places(output: ModelOutput) -> tuple[Array, Array]:
    """Return the column of each row's true class, and whether there is one: no model may have met it."""
    assert output.classes is not None
    order = np.argsort(output.classes, kind="stable")
    found = np.searchsorted(output.classes[order], output.truth).clip(max=len(order) - 1)
    return order[found], np.asarray(output.classes[order[found]] == output.truth)


def _misses(output: ModelOutput) -> Array:
    assert output.probability is not None
    places, met = _places(output)
    return np.where(met, 1 - output.probability[np.arange(len(output.truth)), places], 1.0)


def count_covered(inside: Array, units: Array | None) -> Covered:
    """Return how many are covered; of rows that belong together the interval is the wider of two."""
    from tasks.train.evaluation.statistics import Bootstrap, binomial_interval, bootstrap_interval, draws_of  # noqa: PLC0415 - as above

    rows, covered = len(inside), int(inside.sum())
    low, high = binomial_interval(covered, rows)
    if units is not None:
        drawn = Bootstrap(rows, 0, draws_of(rows), groups=units)
        least, most = bootstrap_interval(lambda positions: float(np.mean(inside[positions])), drawn)
        low, high = min(low, least), max(high, most)
    return Covered(rows, covered, (low, high))


def _count_by_class(inside: Array, output: ModelOutput, units: Array | None) -> dict[str, Covered]:
    assert output.classes is not None
    found = {}
    for label in output.classes.tolist():
        where = output.truth == label
        if where.any():
            found[write_label(label)] = count_covered(inside[where], None if units is None else units[where])
    return found
