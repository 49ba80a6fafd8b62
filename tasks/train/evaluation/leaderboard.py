"""The candidates, ranked, with how sure the ranking is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.config import Training
from tasks.config.metrics import named_metrics
from tasks.train.data.split_file import SavedSplit
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard_file import KeptLeaderboard, KeptLine
from tasks.train.evaluation.results import MODEL_FILE, CandidateResult, Finalist
from tasks.train.models.estimators import BASELINE

SURE_P = 0.05  # from this p-value on, a difference may be noise

# Scikit-learn's further scorers by how their names begin, and the least and greatest scores they can give.
_BOUNDS: tuple[tuple[tuple[str, ...], tuple[float, float]], ...] = (
    (("neg_",), (-math.inf, 0.0)),
    (("r2", "explained_variance", "d2_"), (-math.inf, 1.0)),
    (("accuracy", "balanced_accuracy", "roc_auc", "average_precision", "f1", "precision", "recall"), (0.0, 1.0)),
)


@dataclass(frozen=True)
class Line:
    """One candidate of a leaderboard; p-values are of being no better or worse, adjusted for all that are compared."""

    name: str
    result: CandidateResult
    score: float | None = None
    """The mean score of the folds."""
    interval: tuple[float, float] | None = None
    p_best: float | None = None
    """Of scoring as the best does; None for the best."""
    p_dummy: float | None = None
    """Of scoring as the dummy does; None for the dummy."""
    within_noise: bool = False
    """Whether it is not surely worse than the best."""
    finalist: Finalist | None = None

    @property
    def kept(self) -> KeptLine:
        """Return the line as it is kept."""
        result, judged = self.result, self.finalist
        return KeptLine(
            name=self.name,
            score=self.score,
            interval=_finite(self.interval),
            p_best=self.p_best,
            p_dummy=self.p_dummy,
            within_noise=self.within_noise,
            fold_scores=result.fold_scores,
            metrics=dict(result.metrics or {}),
            holdout=judged.score if judged else None,
            holdout_interval=_finite(judged.interval) if judged else None,
            holdout_metrics=dict(judged.metrics) if judged else None,
            importances=dict(judged.importances) if judged else None,
            learning_curve=judged.learning_curve if judged else None,
            params=dict(result.params),
            fit_s=result.fit_s,
            fold_s=result.fold_s,
            memory_mb=result.memory_mb,
            model=f"candidates/{judged.folder.name}/{MODEL_FILE}" if judged else None,
            fingerprint=result.fingerprint,
            warnings=result.warnings,
            error=result.error,
            reused=result.reused,
        )


@dataclass(frozen=True)
class Leaderboard:
    """The candidates, best first and failed ones last; greater scores are better."""

    lines: tuple[Line, ...]
    training: Training
    training_set: TrainingSet
    split: SavedSplit
    """Which rows trained, and which were held out."""

    @property
    def best(self) -> Line | None:
        """Return the best candidate besides the baseline; None when every one failed."""
        able = (line for line in self.lines if line.name != BASELINE and line.result.error is None)
        return next(able, None)

    @property
    def beats_dummy(self) -> bool:
        """Return whether the best scores better than the baseline that looks at no feature."""
        dummy = next((line.score for line in self.lines if line.name == BASELINE and line.score is not None), -math.inf)
        return self.best is not None and self.best.score is not None and self.best.score > dummy

    @property
    def failed(self) -> tuple[CandidateResult, ...]:
        """Return the candidates that have no score."""
        return tuple(line.result for line in self.lines if line.result.error is not None)

    @property
    def kept(self) -> KeptLeaderboard:
        """Return the leaderboard as it is kept."""
        return KeptLeaderboard(
            metric=self.training.metric,
            task=self.training_set.task,
            target=self.training.target,
            positive=self.training_set.positive,
            guessed=self.training_set.guessed,
            best=self.best.name if self.best else None,
            beats_dummy=self.beats_dummy,
            training_rows=self.split.train,
            test_rows=self.split.test,
            folds=len(self.split.folds),
            warnings=self.training_set.warnings,
            candidates=tuple(line.kept for line in self.lines),
        )


def rank(
    jobs: Sequence[CandidateJob], results: Sequence[CandidateResult], finalists: Mapping[str, Finalist] | None = None
) -> Leaderboard:
    """Return the leaderboard of the results by cross-validation; those of equal score keep their order."""
    training, split = jobs[0].training, jobs[0].split
    ranked = sorted(results, key=lambda r: math.inf if r.score is None else -r.score)
    judged = finalists or {}
    lines = [Line(result.name, result, result.score, finalist=judged.get(result.name)) for result in ranked]
    compared = _compare(training.metric, lines, split.fold_train, split.fold_test)
    return Leaderboard(tuple(compared), training, jobs[0].training_set, split)


def choose_finalists(leaderboard: Leaderboard, number: int, failed: Collection[str] = ()) -> list[str]:
    """Return the names of those to be judged on the hold-out: the best that have not failed, and the baseline."""
    able = [line.name for line in leaderboard.lines if line.result.error is None and line.name not in failed]
    chosen = [name for name in able if name != BASELINE][:number]
    return [*chosen, BASELINE] if chosen and BASELINE in able else chosen


def _compare(metric: str, lines: Sequence[Line], train_rows: int, test_rows: int) -> list[Line]:
    """Return the lines with intervals, and tests against the best and the dummy, all adjusted together."""
    from tasks.train.evaluation.statistics import (  # noqa: PLC0415 - scipy costs a third of a second to import
        adjust_holm,
        corrected_interval,
        corrected_paired_test,
    )

    able = {line.name: np.array(line.result.fold_scores) for line in lines if line.score is not None}
    best = next((name for name in able if name != BASELINE), None)
    pairs = [(name, best) for name in able if best is not None and name != best]
    if BASELINE in able:
        pairs += [(name, BASELINE) for name in able if name not in (BASELINE, best)]
    rows = {"train_rows": train_rows, "test_rows": test_rows}
    raw = [corrected_paired_test(able[one], able[other], **rows) for one, other in pairs if other is not None]
    adjusted = dict(zip(pairs, adjust_holm(raw), strict=True)) if raw else {}
    if best is not None:
        adjusted |= {(best, BASELINE): adjusted[BASELINE, best]} if (BASELINE, best) in adjusted else {}
    compared = []
    for line in lines:
        if line.name not in able:
            compared.append(line)
            continue
        p_best = adjusted.get((line.name, best or ""))
        compared.append(
            replace(
                line,
                interval=_within(metric, corrected_interval(able[line.name], **rows)),
                p_best=p_best,
                p_dummy=adjusted.get((line.name, BASELINE)),
                within_noise=p_best is not None and p_best >= SURE_P,
            )
        )
    return compared


def _within(metric: str, interval: tuple[float, float]) -> tuple[float, float]:
    """Return an interval without what lies beyond the bounds of the metric."""
    if own := next((each for each in named_metrics().values() if each.ranked_as == metric), None):
        low, high = sorted(own.sign * bound + 0.0 for bound in own.bounds)  # -0.0 becomes 0.0
    else:
        low, high = next((bounds for names, bounds in _BOUNDS if metric.startswith(names)), (-math.inf, math.inf))
    return max(interval[0], low), min(interval[1], high)


def _finite(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None or not all(map(math.isfinite, interval)) else interval
