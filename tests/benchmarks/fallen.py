"""A simulation of scores by week: how often one is said to have fallen where nothing has changed, and where it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tasks.train.assessment.slices import HeldOutRows
from tasks.train.data.types import Array
from tasks.train.evaluation.metrics import ModelOutput, quick_scoring
from tasks.train.evaluation.statistics import bootstrap_interval, held_out_bootstrap
from tasks.train.truth.week import how_sure
from tests.benchmarks.rig import say
from tests.benchmarks.table import Line

SEEDS = 200
WEEKS = 26
HELD_OUT = 1000
WEEK_ROWS = (60, 400)
FALSE_ALARMS = 0.05
_DRAWS = 200  # tell an error within a twentieth, as five times as many do within a fiftieth

Draw = Callable[[np.random.Generator, int, float], ModelOutput]
"""Rows, as many as are asked for, of a model that is so much worse than it was: 0 is as it was."""


def measure_fallen() -> Iterator[Line]:
    """Yield for each metric the share of half years in which a week that is as the hold-out is said to have fallen."""
    for metric, draw in DRAWN.items():
        for rows in WEEK_ROWS:
            say(f"weeks of {rows} rows, {metric}")
            alarms = float(np.mean([any(_falls(metric, draw, rows, seed, 0.0)) for seed in range(SEEDS)]))
            found = float(np.mean([any(_falls(metric, draw, rows, seed, 1.0)) for seed in range(SEEDS // 4)]))
            yield Line(
                f"any of {WEEKS} weeks of {rows} rows said to have fallen where nothing has changed, {metric} (found where it has)",
                f"{alarms:.1%} ({found:.0%})",
                f"≤ {FALSE_ALARMS:.0%}",
                alarms <= FALSE_ALARMS,
            )


def _falls(metric: str, draw: Draw, rows: int, seed: int, worse: float) -> Iterator[bool]:
    generator = np.random.default_rng(seed)
    holdout = draw(generator, HELD_OUT, 0.0)
    is_class = holdout.classes is not None
    low, _ = bootstrap_interval(
        _scoring(metric, holdout), held_out_bootstrap(holdout.truth, seed, classes=is_class, groups=None)
    )
    for _ in range(WEEKS):
        week = draw(generator, rows, worse)
        score = _scoring(metric, week)
        held = HeldOutRows(metric, seed, week.truth if is_class else None)
        _, bound = how_sure(held, score, rows, _DRAWS)
        yield bound is not None and score(np.arange(rows)) + bound < low


def _scoring(metric: str, output: ModelOutput) -> Callable[[Array], float]:
    scoring = quick_scoring(metric, output)
    assert scoring is not None
    return scoring


def _draw_two(generator: np.random.Generator, rows: int, worse: float) -> ModelOutput:
    """Return two classes of which the model knows the probability, and in what has changed only a part of what tells it."""
    known = generator.normal(-1, 1.5, size=rows)
    truth = (generator.random(rows) < 1 / (1 + np.exp(-known))).astype(int)
    told = known * (1 - worse) + generator.normal(0, 1.5, size=rows) * worse
    probability = 1 / (1 + np.exp(-told))
    sure = np.column_stack([1 - probability, probability])
    return ModelOutput(truth, (probability > 0.5).astype(int), sure, probability, np.arange(2))


def _draw_rare(generator: np.random.Generator, rows: int, worse: float) -> ModelOutput:
    """Return the same where 98 of 100 are right."""
    truth = (generator.random(rows) < 0.3).astype(int)
    wrong = generator.random(rows) < 0.02 + 0.1 * worse
    return ModelOutput(truth, np.where(wrong, 1 - truth, truth), None, None, np.arange(2))


def _draw_amounts(generator: np.random.Generator, rows: int, worse: float) -> ModelOutput:
    """Return amounts whose errors have long tails."""
    truth = generator.normal(0, 10, size=rows)
    return ModelOutput(truth, truth - generator.standard_t(3, size=rows) * (1 + worse))


def _draw_skewed(generator: np.random.Generator, rows: int, worse: float) -> ModelOutput:
    """Return amounts whose errors are skewed, and larger for some rows than for others."""
    truth = generator.normal(0, 5, size=rows)
    errors = generator.exponential(2, size=rows) * (1 + np.abs(truth) / 5) - 3.6
    return ModelOutput(truth, truth - errors * (1 + worse))


DRAWN: dict[str, Draw] = {
    "accuracy": _draw_rare,
    "roc_auc": _draw_two,
    "neg_log_loss": _draw_two,
    "average_precision": _draw_two,
    "neg_root_mean_squared_error": _draw_amounts,
    "neg_mean_absolute_error": _draw_amounts,
    "r2": _draw_skewed,
}
