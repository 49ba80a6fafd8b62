"""What is doubtful about a training's best candidate: coded findings, each with what was measured and what to do.

Nothing is fitted for them: they are read off scores, curves, importances and predictions that are there. What the
checks of a training set have told before any fit is not told again. `python -m tests.benchmarks assess` plants each,
and counts those on sets that have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tasks.config import AnyCandidate, Between, Candidate
from tasks.train.data.types import Array

Severity = Literal["warning", "note"]

# Found on the sets of the benchmark, and on those of scikit-learn: see docs/models.md.
_LOST = 0.5  # of what the model does better than the dummy on the rows that it has learnt from
_ALIKE_P = 0.001  # as often would folds that are alike differ so much
_APART = 0.1  # of the lead over the dummy: what folds differ by beyond chance
_EDGE = 0.1  # of the space between two bounds, beyond which nothing was drawn that is better
_FEWEST_VALUES = 3  # of a list that has edges
_MOST_COMMON = 0.9  # of the rows in one class
_FEW_LEARNT, _FEW_HELD_OUT = 20, 10
_CORRELATED = 0.9
_GOLDEN, _OTHERS = 0.8, 0.1  # of the lead: the drop without the feature, and without any other
_USELESS = 0.005  # of the lead
_MANY_USELESS = 0.2  # of the features
_FEWEST_USELESS = 2
_FEWEST_MOMENTS = 20
_IN_TIME = 4.0  # standard errors: neighbours in time resemble by chance once in 30,000
_EARLIER = 0.5  # of the held-out rows
_NAMED = 5

_PLAIN_BOOSTING = ("sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.ensemble.HistGradientBoostingRegressor")
_NOT_TUNED = ("LinearRegression", "GaussianNB", "DummyClassifier", "DummyRegressor")  # have nothing to be tuned
_HOUSEKEEPING = {"max_iter", "n_jobs", "random_state", "verbose", "early_stopping", "solver", "probability", "loss"}


@dataclass(frozen=True)
class Finding:
    """One thing that is doubtful, in a form that programs may look for."""

    id: str
    severity: Severity
    measured: str
    """The figures that it was seen by."""
    cure: str
    """What to do."""


@dataclass(frozen=True, eq=False)
class Rival:
    """A plain histogram boosting that was judged on the same held-out rows, and by how much it leads the best there."""

    name: str
    lead: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the best candidate; scores are the metric as scikit-learn scores it, greater is better."""

    metric: str
    name: str
    candidate: AnyCandidate
    score: float
    """The mean over the folds."""
    dummy: float | None
    """Of the baseline, by the same folds."""
    fold_scores: tuple[float, ...] = ()
    fold_errors: tuple[float, ...] = ()
    """How far each would be off by chance: the standard deviation of the bootstrap."""
    by: Literal["random", "time", "group", "own"] = "random"
    params: Mapping[str, Any] = field(default_factory=dict)
    """What a search chose."""
    tried: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The least and the greatest number that a search has tried of a parameter, where it drew them between bounds."""
    learning_curve: tuple[tuple[int, float, float], ...] = ()
    holdout: float | None = None
    importances: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    classes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By class the rows that train and that are held out."""
    numbers: Mapping[str, Array] = field(default_factory=dict)
    """Of features that are numbers, the values in the same rows."""
    moments: Mapping[str, Moments] = field(default_factory=dict)
    """Of columns of times."""
    rivals: tuple[Rival, ...] = ()
    told: tuple[str, ...] = ()
    """What the checks of the training set have warned of."""

    @property
    def lead(self) -> float:
        """Return by how much it is better than the dummy, above zero; NaN where it is not."""
        lead = math.nan if self.dummy is None else self.score - self.dummy
        return lead if lead > 0 else math.nan


@dataclass(frozen=True, eq=False)
class Moments:
    """A column of times: when rows were that train, when those that are held out, and what was true of the former."""

    train: Array
    test: Array
    truth: Array
    """Of each row that trains, as a number: the amount, or the class's place."""


def is_plain_boosting(candidate: AnyCandidate) -> bool:
    """Return whether a candidate is what anybody would try first: a histogram boosting that nothing is searched for."""
    return isinstance(candidate, Candidate) and candidate.estimator in _PLAIN_BOOSTING and candidate.search is None


def diagnose(evidence: Evidence) -> tuple[Finding, ...]:
    """Return the findings, warnings first."""
    found = [finding for look in _LOOKS for finding in look(evidence)]
    return tuple(sorted(found, key=lambda finding: finding.severity != "warning"))


def _find_gap(evidence: Evidence) -> Iterator[Finding]:
    """Yield where what is learnt is lost on other rows."""
    if not evidence.learning_curve or evidence.dummy is None:
        return
    rows, train, test = evidence.learning_curve[-1]
    learnt = train - evidence.dummy
    if learnt > 0 and (train - test) / learnt > _LOST:
        yield Finding(
            "train_test_gap",
            "warning",
            f"{evidence.metric} {train:.4f} on the {rows:,} rows learnt from and {test:.4f} on others: "
            f"{(train - test) / learnt:.0%} of the lead over the dummy ({evidence.dummy:.4f}) is lost",
            "let it learn less by heart (stronger regularisation, larger leaves, fewer features), or give it more rows",
        )


def _find_fold_differences(evidence: Evidence) -> Iterator[Finding]:
    """Yield where folds differ by more than their rows explain: Cochran's Q over the folds' scores."""
    from scipy.special import chdtrc  # noqa: PLC0415 - a third of a second, which kept findings have no use for

    scores, errors = np.array(evidence.fold_scores), np.array(evidence.fold_errors)
    if len(scores) != len(errors) or len(scores) < 2 or not (errors > 0).all():  # noqa: PLR2004 - folds to compare
        return
    weights = errors**-2
    mean = float(np.sum(weights * scores) / weights.sum())
    q = float(np.sum(weights * (scores - mean) ** 2))
    beyond = max(0.0, (q - (len(scores) - 1)) / float(weights.sum() - np.sum(weights**2) / weights.sum()))
    if chdtrc(len(scores) - 1, q) < _ALIKE_P and math.sqrt(beyond) > _APART * evidence.lead:
        yield Finding(
            "folds_disagree",
            "warning",
            f"{evidence.metric} {scores.min():.4f} to {scores.max():.4f} over {len(scores)} folds, where chance "
            f"explains a deviation of {float(np.sqrt(np.mean(errors**2))):.4f}",
            _CURE_OF_FOLDS[evidence.by],
        )


_CURE_OF_FOLDS = {
    "random": "look for rows that belong together (customers, days, files), and split by group or time",
    "time": "some spans are harder than others, or the first ones have too little to learn from: look at the folds in "
    "order, and expect of the future what the worst of them had",
    "own": "some of the rows that the splitter parts are harder than others: look at slices of them",
    "group": "some groups are harder than others: look at slices of them, and gather more groups",
}


def _find_edges(evidence: Evidence) -> Iterator[Finding]:
    """Yield for each parameter that a search has chosen at the edge of what it was to try."""
    if not isinstance(evidence.candidate, Candidate) or evidence.candidate.search is None:
        return
    for name, values in evidence.candidate.search.space.items():
        chosen = evidence.params.get(name)
        if isinstance(chosen, bool) or not isinstance(chosen, int | float):
            continue
        low, high = (values.low, values.high) if isinstance(values, Between) else _ends(values)
        if low < high and (side := _edge(values, float(chosen), (low, high), evidence.tried.get(name, (low, high)))):
            yield Finding(
                "search_at_edge",
                "note",
                f"{name} = {chosen:g}, the {'least' if side == 'low' else 'greatest'} that was tried from {low:g} to {high:g}",
                f"widen the search beyond {low if side == 'low' else high:g}: the best may lie there",
            )


def _ends(values: Sequence[Any]) -> tuple[float, float]:
    numbers = [float(each) for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(set(numbers)) < max(_FEWEST_VALUES, len(values)):
        return 0.0, 0.0
    return min(numbers), max(numbers)


def _edge(
    values: Any, chosen: float, bounds: tuple[float, float], tried: tuple[float, float]
) -> Literal["low", "high"] | None:
    """Return the side on which more could be tried: not what no parameter goes beyond, as 0, 1 of a count, 1 of a share."""
    low, high = bounds
    place = (chosen - low) / (high - low)
    if isinstance(values, Between) and values.log:
        place = math.log(chosen / low) / math.log(high / low)
    is_count = float(low).is_integer() and float(high).is_integer() and high > 1
    if chosen <= tried[0] and place <= _EDGE and not (low == 0 or (is_count and low == 1)):
        return "low"
    return "high" if chosen >= tried[1] and place >= 1 - _EDGE and not (high == 1 and low >= 0) else None


def _find_imbalance(evidence: Evidence) -> Iterator[Finding]:
    """Yield where the share of right answers says little, because one class is nearly all."""
    total = sum(train for train, _ in evidence.classes.values())
    if not total or evidence.metric != "accuracy":
        return
    label, (rows, _) = max(evidence.classes.items(), key=lambda item: item[1][0])
    if rows / total >= _MOST_COMMON:
        yield Finding(
            "imbalance",
            "warning",
            f"{rows / total:.1%} of the rows are of the class {label}, so that saying so always has an accuracy of "
            f"{rows / total:.3f}; the model has {evidence.score:.3f}",
            "rank by a metric of the other classes: balanced_accuracy, average_precision, or f1",
        )


def _find_rare_classes(evidence: Evidence) -> Iterator[Finding]:
    rare = {
        label: counts
        for label, counts in evidence.classes.items()
        if counts[0] < _FEW_LEARNT or counts[1] < _FEW_HELD_OUT
    }
    if rare:
        told = [
            f"{label} ({train:,} to train, {test:,} held out)" for label, (train, test) in list(rare.items())[:_NAMED]
        ]
        yield Finding(
            "rare_classes",
            "note",
            f"classes of few rows: {', '.join(told)}{_more(len(rare))}",
            "figures of them are rough: gather more rows of them, or put them together in the query",
        )


def _find_correlated(evidence: Evidence) -> Iterator[Finding]:
    """Yield where features say the same: shuffling one of them leaves the other, and both look unimportant."""
    pairs = correlated_pairs(evidence.numbers)
    if pairs and evidence.importances:
        told = [f"{one} and {other} ({strength:.2f})" for one, other, strength in pairs[:_NAMED]]
        yield Finding(
            "correlated_features",
            "note",
            f"rank correlation of {', '.join(told)}{_more(len(pairs))}",
            "do not read their importances one by one: each looks less important than it is; leave one of each out to compare",
        )


def correlated_pairs(numbers: Mapping[str, Array]) -> list[tuple[str, str, float]]:
    """Return the features that say nearly the same by Spearman's rank correlation, the strongest first; not those that are equal."""
    names = [name for name, values in numbers.items() if len(np.unique(values)) > _FEWEST_VALUES]
    if len(names) < 2:  # noqa: PLR2004 - a pair
        return []
    ranks = np.stack([_ranks(numbers[name]) for name in names])
    strengths = np.corrcoef(ranks)
    places = zip(*np.nonzero(np.triu(np.abs(strengths) >= _CORRELATED, k=1)), strict=True)
    pairs = [
        (names[one], names[other], float(strengths[one, other]))
        for one, other in places
        if not np.array_equal(numbers[names[one]], numbers[names[other]], equal_nan=True)
    ]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


def _ranks(values: Array) -> Array:
    """Return mean ranks; what is missing is in the middle."""
    known = ~np.isnan(values)
    _, codes, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    ranks = np.full(len(values), (known.sum() - 1) / 2)
    ranks[known] = (np.cumsum(counts) - (counts + 1) / 2)[codes]
    return ranks


def _find_golden(evidence: Evidence) -> Iterator[Finding]:
    """Yield where one feature alone gives nearly all of the score; not what the training set's checks have told."""
    lead = _lead_on_holdout(evidence)
    drops = sorted(((mean, name) for name, (mean, _) in evidence.importances.items()), reverse=True)
    if len(drops) < 2 or not lead > 0:  # noqa: PLR2004 - one and others
        return
    (most, name), (next_most, _) = drops[:2]
    if any(text.startswith(f"training.query: {name!r} ") for text in evidence.told):
        return
    if most >= _GOLDEN * lead and next_most <= _OTHERS * lead:
        yield Finding(
            "golden_feature",
            "warning",
            f"without {name} the {evidence.metric} drops by {most:.4f} of a lead of {lead:.4f} over the dummy, and "
            f"without any other by {max(next_most, 0.0):.4f} at most",
            f"leave {name} out if it is known only after the outcome; else a model of it alone may do",
        )


def _find_useless(evidence: Evidence) -> Iterator[Finding]:
    """Yield where many features change nothing; not those that another one says as well."""
    lead = _lead_on_holdout(evidence)
    shared = {name for pair in correlated_pairs(evidence.numbers) for name in pair[:2]}
    useless = [
        name
        for name, (mean, deviation) in evidence.importances.items()
        if mean <= max(_USELESS * lead, 0.0) and mean - deviation <= 0 and name not in shared
    ]
    if lead > 0 and len(useless) >= max(_FEWEST_USELESS, _MANY_USELESS * len(evidence.importances)):
        yield Finding(
            "useless_features",
            "note",
            f"{len(useless)} of {len(evidence.importances)} features change nothing where they are shuffled: "
            f"{', '.join(useless[:_NAMED])}{_more(len(useless))}",
            "try it without them: fewer columns to fetch, to clean and to go wrong",
        )


def _lead_on_holdout(evidence: Evidence) -> float:
    if evidence.holdout is None or evidence.dummy is None:
        return math.nan
    return evidence.holdout - evidence.dummy


def _find_time(evidence: Evidence) -> Iterator[Finding]:
    """Yield where rows are split at random, and what is true of one is much as it is of the next in time."""
    if evidence.by != "random":
        return
    for name, column in evidence.moments.items():
        if len(np.unique(column.train)) < _FEWEST_MOMENTS or not len(column.test):
            continue
        earlier = float(np.mean(column.test < column.train.max()))
        anyhow = np.random.default_rng(0).permutation(len(column.train))  # rows of one moment may be stored by class
        resemblance = neighbours_resemble(column.truth[np.lexsort((anyhow, column.train))])
        errors = resemblance * math.sqrt(len(column.truth))
        if earlier >= _EARLIER and errors > _IN_TIME:
            yield Finding(
                "test_before_train",
                "warning",
                f"{earlier:.0%} of the held-out rows are earlier by {name} than rows learnt from, and rows that follow "
                f"each other have much the same target (correlation {resemblance:.2f})",
                f"split by time with column: {name}, if rows to come are what is to be predicted",
            )


def neighbours_resemble(truth: Array) -> float:
    """Return the correlation of each value with the next one: von Neumann's ratio, 1 - half of it."""
    spread = float(np.square(truth - truth.mean()).mean())
    return 1 - float(np.square(np.diff(truth)).mean()) / (2 * spread) if spread > 0 else 0.0


def _find_untuned(evidence: Evidence) -> Iterator[Finding]:
    if not isinstance(evidence.candidate, Candidate):
        return
    estimator = evidence.candidate.estimator.rpartition(".")[2]
    said = evidence.candidate.params.keys() - _HOUSEKEEPING
    if evidence.candidate.search is None and not said and estimator not in _NOT_TUNED:
        yield Finding(
            "untuned_winner",
            "note",
            f"{evidence.name} won with the parameters that {estimator} has by itself",
            "give it a search: {by: random, n: 20, space: …}; the second-best may also have lost by its parameters only",
        )


def _find_better_boosting(evidence: Evidence) -> Iterator[Finding]:
    """Yield where a histogram boosting without parameters of its own is surely better on the hold-out."""
    for rival in evidence.rivals:
        if rival.interval[0] > 0:
            yield Finding(
                "worse_than_boosting",
                "warning",
                f"{rival.name}, a plain histogram boosting, has {rival.lead:.4f} more {evidence.metric} on the hold-out "
                f"({rival.interval[0]:.4f} to {rival.interval[1]:.4f})",
                "the folds have misjudged them: split the folds as the hold-out is split, or raise their number; do not "
                "choose by the hold-out itself",
            )


_LOOKS: Sequence[Callable[[Evidence], Iterator[Finding]]] = (
    _find_gap,
    _find_fold_differences,
    _find_edges,
    _find_imbalance,
    _find_rare_classes,
    _find_correlated,
    _find_golden,
    _find_useless,
    _find_time,
    _find_untuned,
    _find_better_boosting,
)


def _more(number: int) -> str:
    return f" and {number - _NAMED} more" if number > _NAMED else ""
