"""The threshold of a decision between two classes: chosen on what folds said of rows they had not learnt from, judged on the hold-out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tasks.config import DecisionRule, Label
from tasks.train.assessment.figures import Figure, measure_figure
from tasks.train.data.types import Array

if TYPE_CHECKING:  # scipy: a third of a second, which reading a threshold has no use for
    from tasks.train.evaluation.metrics import ModelOutput
    from tasks.train.evaluation.statistics import Bootstrap

COST = "cost of a row"
HALF = 0.5  # what a model decides by itself
CURVE_POINTS = 101


@dataclass(frozen=True)
class Threshold:
    """From which probability of the positive class on a row is decided to be of it, and what that is worth."""

    aim: str
    """By what it was chosen, in words."""
    value: float
    """A probability; what is equal to it is positive."""
    positive: Label
    negative: Label
    rows: int
    """How many rows it was chosen on."""
    out_of_fold: dict[str, float | None]
    """What it comes to on the rows that it was chosen on, by name."""
    holdout: dict[str, Figure]
    """The same on the hold-out, which had no say in it."""
    gain: Figure
    """How much better it is on the hold-out, by what it was chosen by, than deciding at 0.5; below zero, it is worse."""
    curve: tuple[tuple[float, float, float], ...]
    """Threshold, and what it was chosen by: on the rows that it was chosen on, and on the hold-out."""

    @property
    def measure(self) -> str:
        """Return the name of what it was chosen by; the first of its figures."""
        return next(iter(self.holdout))


class Counts(NamedTuple):
    """Rows by truth and decision, of one threshold or of many; each as often as its weight says."""

    tn: Array
    fp: Array
    fn: Array
    tp: Array


class Told(NamedTuple):
    """Rows of two classes: whether each is of the positive one, the probability of that, and its weight."""

    truth: Array
    probability: Array
    weight: Array | None


Measure = Callable[[Counts], Array]


def choose_threshold(
    rule: DecisionRule, out_of_fold: ModelOutput, holdout: ModelOutput, bootstrap: Bootstrap
) -> Threshold:
    """Return the threshold of a rule, and what it is worth.

    Every threshold that parts the rows otherwise is tried: the middle between
    two probabilities that follow one another, and those that decide alike of
    all. Of several that are as good, it is the one nearest to a half.

    Args:
        rule: By what it is chosen.
        out_of_fold: What folds said of their test rows: probabilities of two classes, the positive one last.
        holdout: What the model, fitted on all of these rows, said of the held-out ones.
        bootstrap: How the held-out rows are drawn for intervals.

    """
    known, judged = _of_positive(out_of_fold), _of_positive(holdout)
    measures, (aim, sign) = _measures(rule), _aim(rule)
    tried = possible_thresholds(known.probability)
    value = _best(rule, tried, sign * aim(count(known, tried)))
    figures, gain = judge_threshold(rule, value, holdout, bootstrap)
    assert out_of_fold.classes is not None
    negative, positive = out_of_fold.classes.tolist()
    return Threshold(
        aim=rule.aim,
        value=value,
        positive=positive,
        negative=negative,
        rows=len(known.truth),
        out_of_fold={name: _known(measure(count(known, np.array([value])))[0]) for name, measure in measures.items()},
        holdout=figures,
        gain=gain,
        curve=_curve(aim, known, judged),
    )


def judge_threshold(
    rule: DecisionRule, value: float, output: ModelOutput, bootstrap: Bootstrap
) -> tuple[dict[str, Figure], Figure]:
    """Return what a threshold comes to on rows that had no say in it, by name, and how much better it is than a half."""
    judged, (aim, sign) = _of_positive(output), _aim(rule)
    figures = {
        name: measure_figure(_score(judged, np.array([value]), measure), bootstrap)
        for name, measure in _measures(rule).items()
    }
    gain = measure_figure(_score(judged, np.array([value, HALF]), lambda counts: sign * aim(counts)), bootstrap)
    return figures, gain


def _aim(rule: DecisionRule) -> tuple[Measure, float]:
    """Return what a threshold is chosen by, and what it is multiplied by for greater to be better."""
    return next(iter(_measures(rule).values())), -1.0 if rule.cost is not None else 1.0


def decide(threshold: Threshold, probability: Array) -> list[Label]:
    """Return the decision on each row, by its probability of the positive class."""
    return [threshold.positive if each else threshold.negative for each in (probability >= threshold.value).tolist()]


def possible_thresholds(probability: Array) -> Array:
    """Return the thresholds, ascending, that part rows differently: all positive, between each two probabilities, none."""
    levels = np.unique(probability)
    middles = levels[:-1] + np.diff(levels) / 2
    middles = np.where(middles > levels[:-1], middles, levels[1:])  # between neighbours there is no number
    above = 1.0 if levels[-1] < 1 else np.nextafter(1.0, 2.0)
    last = (levels[-1] + above) / 2 if levels[-1] < 1 else above
    return np.concatenate([[0.0], middles, [max(last, np.nextafter(levels[-1], 2.0))]])


def count(told: Told, thresholds: Array) -> Counts:
    """Return the rows by truth and decision, at each threshold."""
    fn, positive = _below(told, told.truth, thresholds)
    tn, negative = _below(told, ~told.truth, thresholds)
    return Counts(tn, negative - tn, fn, positive - fn)


def _below(told: Told, side: Array, thresholds: Array) -> tuple[Array, Array]:
    """Return how many rows of a side are below each threshold, and how many there are."""
    levels = told.probability[side]
    order = np.argsort(levels, kind="stable")
    upto = np.arange(len(levels) + 1)
    if told.weight is not None:
        upto = np.concatenate([[0.0], np.cumsum(told.weight[side][order])])
    return upto[np.searchsorted(levels[order], thresholds, "left")], upto[-1]


def _of_positive(output: ModelOutput) -> Told:
    assert output.classes is not None
    assert output.probability is not None
    return Told(output.truth == output.classes[1], output.probability[:, 1], output.weight)


def _measures(rule: DecisionRule) -> dict[str, Measure]:
    """Return what is told of a threshold, first what it is chosen by."""
    told: dict[str, Measure] = {
        "precision": lambda c: _ratio(c.tp, c.tp + c.fp),
        "recall": lambda c: _ratio(c.tp, c.tp + c.fn),
        "f1": lambda c: _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn),
        "decided positive": lambda c: (c.tp + c.fp) / _rows(c),
    }
    if rule.cost is not None:
        fp, fn = rule.cost.fp, rule.cost.fn
        return {COST: lambda c: (fp * c.fp + fn * c.fn) / _rows(c), **told}
    if rule.metric == "accuracy":
        return {"accuracy": lambda c: (c.tp + c.tn) / _rows(c), **told}
    if rule.metric == "balanced_accuracy":
        return {"balanced_accuracy": lambda c: (_ratio(c.tp, c.tp + c.fn) + _ratio(c.tn, c.tn + c.fp)) / 2, **told}
    first = "f1" if rule.metric is not None else "recall"
    return {first: told.pop(first), **told}


def _rows(counts: Counts) -> Array:
    return np.asarray(counts.tn + counts.fp + counts.fn + counts.tp)


def _ratio(part: Array, whole: Array) -> Array:
    """Return a share; NaN of nothing."""
    share: Array = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return share


def _best(rule: DecisionRule, tried: Array, worth: Array) -> float:
    if rule.recall is not None:
        return float(tried[worth >= rule.recall].max())
    best = tried[worth >= np.nanmax(worth)]
    return float(best[np.argmin(np.abs(best - HALF))])


def _score(told: Told, thresholds: Array, measure: Measure) -> Callable[[Array], float]:
    """Return what scores positions by a threshold, or by how much it is better than another one."""
    codes = [2 * told.truth.astype(int) + (told.probability >= each) for each in thresholds]

    def score(rows: Array) -> float:
        weight = None if told.weight is None else told.weight[rows]
        worths = [float(measure(Counts(*np.bincount(each[rows], weight, 4)))) for each in codes]
        return worths[0] if len(worths) == 1 else worths[0] - worths[1]

    return score


def _curve(aim: Measure, known: Told, judged: Told) -> tuple[tuple[float, float, float], ...]:
    thresholds = np.linspace(0, 1, CURVE_POINTS)
    both = [aim(count(side, thresholds)) for side in (known, judged)]
    points = np.column_stack([thresholds, *both])
    return tuple(tuple(map(float, point)) for point in points[np.isfinite(points).all(axis=1)])  # type: ignore[misc]  # three each


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
