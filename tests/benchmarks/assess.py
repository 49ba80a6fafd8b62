"""Simulations of what is told of a best candidate: coverage of intervals and sets, false alarms of slices, and of diagnoses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_predict

from tasks.train.assessment.conformal import Exchangeable, fit_margins, fit_threshold, sets_of
from tasks.train.assessment.slices import HeldOutRows, find_slices
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput, quick_scoring
from tests.benchmarks.doubts import measure_doubts
from tests.benchmarks.fallen import measure_fallen
from tests.benchmarks.rig import say
from tests.benchmarks.stacked import measure_stacks
from tests.benchmarks.table import Line, describe_machine, draw_table

SEEDS = 200
LEVELS = (0.8, 0.9, 0.95)
ROWS = 300
"""That are learnt from."""
NEW_ROWS = 2000
OLD_GROUPS = 60
SLICED_ROWS = 600
FALSE_ALARMS = 0.05
_ROUGH = 0.01  # of a coverage: the mean of 200 draws is off by 0.002, and a quantile of so many rows by a row

Drawn = tuple[Array, Array, Array]
"""Features, what is true of each row, and its group."""


def measure_assess() -> str:
    """Simulate, and return the table."""
    machine = describe_machine(("tidemill", "scikit-learn", "numpy", "scipy"))
    lines = [*_measure_coverage(), *_measure_slices(), *measure_fallen(), *measure_stacks(), *measure_doubts()]
    setting = f"{SEEDS} draws of the data for each line; {ROWS} rows in 5 folds and {NEW_ROWS:,} new ones, or {SLICED_ROWS} held out."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure_coverage() -> Iterator[Line]:
    for name, (draw, cover) in GENERATORS.items():
        say(name)
        covered = np.mean([cover(draw, np.random.default_rng(seed)) for seed in range(SEEDS)], axis=0)
        told = ", ".join(f"{share:.3f}" for share in covered)
        wanted = ", ".join(f"{level:g}" for level in LEVELS)
        holds = all(share >= level - _ROUGH for share, level in zip(covered, LEVELS, strict=True))
        yield Line(f"coverage, {name}", told, f"{wanted}", holds)


def _draw_normal(generator: np.random.Generator) -> Drawn:
    x = generator.normal(size=(ROWS + NEW_ROWS, 4))
    return x, x.sum(axis=1) + generator.normal(size=len(x)), np.arange(len(x))


def _draw_skewed(generator: np.random.Generator) -> Drawn:
    x, y, rows = _draw_normal(generator)
    return x, y + generator.exponential(2, size=len(x)) * (1 + np.abs(x[:, 0])), rows


def _draw_groups(generator: np.random.Generator) -> Drawn:
    """Return rows of some fifty groups of unlike size and offset, and a new group for each further row."""
    old = np.sort((generator.random(ROWS) ** 2 * OLD_GROUPS).astype(int))
    groups = np.concatenate([old, OLD_GROUPS + np.arange(NEW_ROWS)])
    x = generator.normal(size=(len(groups), 4))
    offsets = generator.normal(scale=2, size=int(groups.max()) + 1)
    return x, x.sum(axis=1) + offsets[groups] + generator.normal(size=len(x)), groups


def _draw_classes(generator: np.random.Generator) -> Drawn:
    y = generator.integers(4, size=ROWS + NEW_ROWS)
    centres = np.array([[0, 0], [2, 0], [0, 2], [1.5, 1.5]])
    return centres[y] + generator.normal(size=(len(y), 2)), y, np.arange(len(y))


def _cover_amounts(model: LinearRegression | QuantileRegressor, *, by_group: bool = False) -> Cover:
    def cover(draw: Draw, generator: np.random.Generator) -> list[float]:
        x, y, groups = draw(generator)
        old, new = slice(ROWS), slice(ROWS, None)
        folds = GroupKFold(5) if by_group else KFold(5, shuffle=True, random_state=0)
        errors = y[old] - cross_val_predict(model, x[old], y[old], cv=folds, groups=groups[old] if by_group else None)
        exchangeable = Exchangeable("group" if by_group else "random", groups[old], np.zeros(ROWS))
        said = model.fit(x[old], y[old]).predict(x[new])
        margins = [fit_margins(errors, level, exchangeable) for level in LEVELS]
        return [float(np.mean((said + low <= y[new]) & (y[new] <= said + high))) for low, high in margins]

    return cover


def _cover_classes(draw: Draw, generator: np.random.Generator) -> list[float]:
    x, y, rows = draw(generator)
    old, new = slice(ROWS), slice(ROWS, None)
    model = LogisticRegression()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    said = cross_val_predict(model, x[old], y[old], cv=folds, method="predict_proba")
    misses = 1 - said[np.arange(ROWS), y[old]]
    exchangeable = Exchangeable("random", rows[old], np.zeros(ROWS))
    told = model.fit(x[old], y[old]).predict_proba(x[new])
    sets = [sets_of(told, fit_threshold(misses, level, exchangeable)) for level in LEVELS]
    return [float(each[np.arange(NEW_ROWS), y[new]].mean()) for each in sets]


Draw = Callable[[np.random.Generator], Drawn]
Cover = Callable[[Draw, np.random.Generator], list[float]]

GENERATORS: dict[str, tuple[Draw, Cover]] = {
    "amounts with normal errors": (_draw_normal, _cover_amounts(LinearRegression())),
    "amounts with skewed errors, wider with a feature": (_draw_skewed, _cover_amounts(LinearRegression())),
    "the same by a model of the 0.9 quantile": (
        _draw_skewed,
        _cover_amounts(QuantileRegressor(quantile=0.9, alpha=0)),
    ),
    "rows of new groups, of unlike size and offset": (_draw_groups, _cover_amounts(LinearRegression(), by_group=True)),
    "four classes that overlap": (_draw_classes, _cover_classes),
}


def _measure_slices() -> Iterator[Line]:
    for metric, draw in EQUAL.items():
        say(metric)
        alarms = [_is_alarmed(metric, *draw(np.random.default_rng(seed)), seed) for seed in range(SEEDS)]
        share = float(np.mean(alarms))
        yield Line(
            f"any of 8 slices said to differ where none does, {metric}",
            f"{share:.1%}",
            f"≤ {FALSE_ALARMS:.0%}",
            share <= FALSE_ALARMS,
        )


def _is_alarmed(metric: str, output: ModelOutput, units: Array | None, seed: int) -> bool:
    generator = np.random.default_rng(seed + 10_000)
    rows = len(output.truth) if units is None else int(units.max()) + 1
    columns = {
        "a": generator.choice(list("stuvw"), p=[0.45, 0.2, 0.15, 0.1, 0.1], size=rows),
        "b": generator.choice(list("xyz"), size=rows),
    }
    if units is not None:
        columns = {name: parts[units] for name, parts in columns.items()}
    scoring = quick_scoring(metric, output)
    assert scoring is not None
    classes = output.truth if output.classes is not None else None
    found = find_slices(columns, scoring, HeldOutRows(metric, seed, classes, units))
    return any(each.p is not None and each.p < FALSE_ALARMS for each in found)


def _draw_hits(generator: np.random.Generator) -> tuple[ModelOutput, None]:
    truth = (generator.random(SLICED_ROWS) < 0.3).astype(int)
    hits = generator.random(SLICED_ROWS) < np.where(truth, 0.6, 0.95)
    return ModelOutput(truth, np.where(hits, truth, 1 - truth), None, None, np.arange(2)), None


def _draw_ranking(generator: np.random.Generator) -> tuple[ModelOutput, None]:
    truth = (generator.random(SLICED_ROWS) < 0.2).astype(int)
    return ModelOutput(truth, truth, None, generator.normal(size=SLICED_ROWS) + 1.5 * truth, np.arange(2)), None


def _draw_errors(generator: np.random.Generator) -> tuple[ModelOutput, None]:
    return ModelOutput(generator.standard_t(4, size=SLICED_ROWS), np.zeros(SLICED_ROWS)), None


def _draw_explained(generator: np.random.Generator) -> tuple[ModelOutput, None]:
    x = generator.normal(size=SLICED_ROWS)
    return ModelOutput(x + generator.exponential(size=SLICED_ROWS), x + 1), None


def _draw_grouped(generator: np.random.Generator) -> tuple[ModelOutput, Array]:
    units = np.sort(generator.integers(80, size=SLICED_ROWS))
    units = np.unique(units, return_inverse=True)[1]
    errors = generator.normal(size=80)[units] + generator.normal(size=SLICED_ROWS)
    return ModelOutput(errors, np.zeros(SLICED_ROWS)), units


EQUAL: dict[str, Callable[[np.random.Generator], tuple[ModelOutput, Array | None]]] = {
    "accuracy": _draw_hits,
    "roc_auc": _draw_ranking,
    "neg_root_mean_squared_error": _draw_errors,
    "r2": _draw_explained,
    "neg_mean_absolute_error": _draw_grouped,
}
