"""What the predictions of a version in a week score, with how sure that is, and whether it is surely worse than on its hold-out.

The score of a week is told with the bootstrap's interval of 95 %, as that of the hold-out is. It has fallen where an
interval that is wider, of 1.96 errors below and 3.10 above, lies below the hold-out's own interval of 95 %: 3.10 errors
are exceeded on one side in 0.05 of 52 cases, so that of the weeks of a year in which nothing has changed one is told in
at most one year of twenty (Bonferroni), and what the hold-out's score owes to chance is in its interval. The error is
the deviation of the bootstrap's draws, which tell it with fewer draws than such a quantile. Simulated:
`python -m tests.benchmarks assess`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import GroupSplit, Label
from tasks.core.errors import TrainingError
from tasks.train.assessment.conformal import count_covered
from tasks.train.assessment.slices import FEWEST_OF_CLASS, FEWEST_ROWS, HeldOutRows
from tasks.train.assessment.threshold import COST, judge_threshold
from tasks.train.data.classes import TWO, find_label
from tasks.train.data.features import encode, is_text_type, read_numbers
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput
from tasks.train.evaluation.output_file import PROBABILITY
from tasks.train.evaluation.predictions import Predictions, replay
from tasks.train.evaluation.statistics import DRAWS, Bootstrap, Score, bootstrap_scores, draws_of, percentile_interval
from tasks.train.predict.awaited import UNIT, WEIGHT
from tasks.train.predict.intervals import HIGH, LOW, SET
from tasks.train.registry.version import Version
from tasks.train.truth.join import OUTCOME

WEEKS = 52
ERRORS = 3.0997  # scipy.stats.norm.isf(0.05 / WEEKS)


class Figure(NamedTuple):
    """One figure of a week."""

    figure: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Week:
    """The rows of a week whose truth is known: what was said, and what was true."""

    output: ModelOutput
    units: Array | None
    covered: Array | None
    """Whether the interval or set of each row holds the truth, where predictions have them."""
    left: Mapping[str, int]
    """Of how many rows something is not as it should be, by what: those of classes never met are left out."""


def score_week(version: Version, week: Week, *, is_over: bool) -> Iterator[Figure]:
    """Yield what a week's predictions have come to.

    Args:
        version: The version that made them.
        week: The rows whose truth is known.
        is_over: Whether none of its predictions is too young to count: then it is judged whether the score has fallen.

    """
    rows, predictions = len(week.output.truth), replay(week.output)
    score = _score(predictions, version.metric) if rows else math.nan
    interval, bound = _sure(version, week, predictions) if rows else (None, None)
    if math.isfinite(score):
        yield Figure(version.metric, score, *(interval or ()))
    yield Figure("hold-out", version.score, *(version.interval or ()))
    usual = predictions.metrics(version.task) if rows else {}
    yield from (Figure(name, value) for name, value in usual.items() if name != version.metric)
    if rows:
        yield from _assess(version, week, is_sure=interval is not None)
    if is_over and bound is not None and version.interval is not None and math.isfinite(score):
        above = score + bound
        yield Figure("fell", float(above < version.interval[0]), None, above)


def _score(predictions: Predictions, metric: str) -> float:
    try:
        return predictions.score(metric)
    except TrainingError:  # as of one class alone
        return math.nan


def _sure(version: Version, week: Week, predictions: Predictions) -> tuple[tuple[float, float] | None, float | None]:
    """Return the interval of the score, and how far above the score it may be in truth; neither where that cannot be told."""
    output, training = week.output, version.training
    if isinstance(training.split, GroupSplit) and week.units is None:
        return None, None
    classes = None if output.classes is None else output.truth
    held = HeldOutRows(version.metric, training.seed, classes, week.units)
    interval, bound = how_sure(held, predictions.scoring(version.metric), len(output.truth))
    is_weighed_alike = training.weights is None or output.weight is not None
    return interval, bound if is_weighed_alike else None


def how_sure(
    held: HeldOutRows, score: Score, rows: int, draws: int = DRAWS
) -> tuple[tuple[float, float] | None, float | None]:
    """Return the interval of a score of rows, and how far above the score it may be in truth; of few rows neither.

    How many rows of a class a week has is chance, too, by which precision moves: draws do not keep their numbers.
    """
    if rows < FEWEST_ROWS or held.count_certain(np.arange(rows)) < FEWEST_OF_CLASS:
        return None, None
    drawn = Bootstrap(rows, held.seed, draws_of(rows, draws), groups=held.units)
    scores = bootstrap_scores(score, drawn)
    low, high = percentile_interval(scores)
    return ((low, high), ERRORS * float(np.nanstd(scores))) if math.isfinite(low) else (None, None)


def _assess(version: Version, week: Week, *, is_sure: bool) -> Iterator[Figure]:
    """Yield what its decisions are worth, and how many of its intervals or sets hold the truth."""
    known, output, rule = version.assessment, week.output, version.training.decision
    if known is not None and known.decision is not None and rule is not None and output.probability is not None:
        rows = len(output.truth)
        drawn = Bootstrap(rows, version.training.seed, draws_of(rows), groups=week.units)
        worth, gain = judge_threshold(rule, known.decision.value, output, drawn)
        measure = known.decision.measure
        named = measure if measure == COST else f"{measure} of decisions"  # by 0.5 the model has an f1 of its own, too
        for name, each in {named: worth[measure], "gain over 0.5": gain}.items():
            if each.value is not None:
                yield Figure(name, each.value, *((each.low, each.high) if is_sure else ()))
    if week.covered is not None and len(week.covered):
        counted = count_covered(week.covered, week.units)
        yield Figure("coverage", counted.share, *counted.interval)


def read_week(version: Version, classes: Sequence[Label] | None, rows: pa.Table) -> Week:
    """Return the joined rows of a week as they are scored.

    Raises:
        TrainingError: the outcomes of amounts are texts.

    """
    units, ungrouped = _read_units(version, rows)
    weight, unweighted = _read_weight(version, rows)
    left = {"ungrouped": ungrouped, "unweighted": unweighted}
    if classes is None:
        kind = rows[OUTCOME].type
        if not _is_number(kind):
            told = "a text" if is_text_type(kind) else f"of the type {kind}"
            raise TrainingError(
                f"truth.query: {version.target!r} is {told}, and {version.name} predicts amounts; CAST({version.target} AS DOUBLE)"
            )
        truth, said = read_numbers(rows[OUTCOME]), read_numbers(rows["prediction"])
        covered = None
        if LOW in rows.column_names:
            covered = (read_numbers(rows[LOW]) <= truth) & (truth <= read_numbers(rows[HIGH]))
        return Week(ModelOutput(truth, said, weight=weight), units, covered, left)
    ordered = _positive_last(version, classes)
    codes = _encode(rows[OUTCOME], ordered)
    met = codes >= 0
    covered = _covered_by_sets(rows[SET], codes, ordered) if SET in rows.column_names else None
    kept = rows.filter(pa.array(met))
    probability = [f"{PROBABILITY}{label}" for label in ordered]
    sure = (
        np.column_stack([read_numbers(kept[name]) for name in probability])
        if probability[0] in rows.column_names
        else None
    )
    labels = np.array(ordered)
    ranking = None if sure is None else sure[:, 1] if len(ordered) == TWO else sure
    output = ModelOutput(
        labels[codes[met]],
        labels[_encode(kept["prediction"], ordered)],
        sure,
        ranking,
        labels,
        None if weight is None else weight[met],
    )
    return Week(
        output,
        None if units is None else units[met],
        None if covered is None else covered[met],
        {**left, "unmet": int((~met).sum())},
    )


def _read_units(version: Version, rows: pa.Table) -> tuple[Array | None, int]:
    """Return the group or moment of each row, None where rows count one by one, and how many rows lack their group.

    Moments that are as few as the days of a week tell nothing of how sure a score is.
    """
    column, is_group = rows[UNIT] if UNIT in rows.column_names else None, isinstance(version.training.split, GroupSplit)
    lacking = len(rows) if column is None else int(column.is_null(nan_is_null=True).to_numpy().sum())
    if column is None or lacking:
        return None, lacking if is_group else 0
    units = encode(column, ordered=True)
    return units if is_group or len(np.unique(units)) >= FEWEST_OF_CLASS else None, 0


def _read_weight(version: Version, rows: pa.Table) -> tuple[Array | None, int]:
    """Return the weight of each row, None where they count alike, and how many rows lack one above zero."""
    if version.training.weights is None:
        return None, 0
    if WEIGHT not in rows.column_names or not _is_number(rows[WEIGHT].type):
        return None, len(rows)
    weight = read_numbers(rows[WEIGHT])
    lacking = int((~(weight > 0)).sum())
    return None if lacking else weight, lacking


def _is_number(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    )


def scored_columns(names: Iterable[str]) -> list[str]:
    """Return those of the columns of kept predictions that scores are made of."""
    return [
        each for each in names if each in {UNIT, WEIGHT, "prediction", LOW, HIGH, SET} or each.startswith(PROBABILITY)
    ]


def _positive_last(version: Version, classes: Sequence[Label]) -> list[Label]:
    if len(classes) == TWO and version.positive is not None and find_label(version.positive, classes) == classes[0]:
        return [classes[1], classes[0]]
    return list(classes)


def _encode(column: pa.ChunkedArray, classes: Sequence[Label]) -> Array:
    """Return the place of each value among the classes, below zero of one that is none of them."""
    encoded = pc.dictionary_encode(column).combine_chunks()
    labels = [find_label(value, classes) for value in encoded.dictionary.to_pylist()]
    places = np.array([-1 if label is None else list(classes).index(label) for label in labels], dtype=int)
    return np.asarray(places[encoded.indices.to_numpy()])


def _covered_by_sets(sets: pa.ChunkedArray, codes: Array, classes: Sequence[Label]) -> Array:
    parents = np.asarray(pc.list_parent_indices(sets.combine_chunks()))
    inside = _encode(pa.chunked_array([pc.list_flatten(sets.combine_chunks())]), classes)
    covered = np.zeros(len(codes), dtype=bool)
    covered[parents[inside == codes[parents]]] = True
    return covered
