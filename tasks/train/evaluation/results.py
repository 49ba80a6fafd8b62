"""What became of candidates, fold by fold and on the hold-out, and how it is kept beside their models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from zipfile import is_zipfile

import numpy as np

from tasks.core.storage import commit_json, json_reader
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.output_file import is_output_intact

MODEL_FILE = "model.skops"
HOLDOUT_FILE = "holdout.arrow"
METRICS_FILE = "metrics.json"
MAX_WARNINGS = 5  # a solver may warn once an iteration


SHARES = (0.125, 0.25, 0.5, 1.0)
"""Of the rows that train, at which a learning curve is drawn."""
CURVE_FOLDS = 3  # on which each share is fitted, the last ones: of a split by time they have the most rows


@dataclass(frozen=True)
class FoldResult:
    """What became of a candidate on one fold: its scores on the fold's test rows, or why it has none."""

    fold: int
    fingerprint: str
    score: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    fit_s: float = 0.0
    seconds: float = 0.0
    """Of all that the fold takes, reading and scoring included."""
    memory_mb: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class CandidateResult:
    """What became of a candidate: its scores on the folds, or why it has none.

    `fold_scores` are the ranking metric as scikit-learn scores it, greater is
    better; `metrics` are the usual ones of the task, the mean over the folds,
    in their own units and direction.
    """

    name: str
    fingerprint: str
    fold_scores: tuple[float, ...] = ()
    metrics: Mapping[str, float] | None = None
    fit_s: float | None = None
    """Seconds of all its fits."""
    fold_s: float | None = None
    """Seconds of all that one fold takes, in the mean."""
    memory_mb: float | None = None
    """Memory of its own of the largest fit, in MiB."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """What a search chose, in the fit on all rows that train."""
    warnings: tuple[str, ...] = ()
    error: str | None = None
    reused: bool = False

    @property
    def score(self) -> float | None:
        """Return the mean score of the folds, or None where one has none."""
        return float(np.mean(self.fold_scores)) if self.fold_scores and self.error is None else None


@dataclass(frozen=True)
class Calibration:
    """What correcting its probabilities made of a candidate, on the hold-out; the smaller a Brier score, the better."""

    method: str
    brier_before: float
    brier_after: float
    gain: tuple[float, float, float]
    """By how much it became smaller, and the interval of that."""
    before: tuple[tuple[float, float], ...]
    """Mean probability and observed share of ten parts of the rows: of the positive of two classes, else of the predicted one."""
    after: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Combination:
    """What an ensemble makes of what its members say."""

    final: str | None
    """Import path of the estimator over them; None of a mean."""
    rows: int
    """That it, or the shares of the mean, was fitted on, each told by a model of a fold that had not learnt from it; 0 of a vote."""
    weights: dict[str, tuple[float, ...]]
    """By member, its share in a mean, or coefficients of a linear final model; empty of another one."""


@dataclass(frozen=True)
class HoldoutResult:
    """What became of a candidate that was fitted on all rows that train, and judged once on the hold-out."""

    fingerprint: str
    score: float = 0.0
    interval: tuple[float, float] | None = None
    """None where no draw of the held-out rows defines the metric."""
    metrics: dict[str, float] = field(default_factory=dict)
    importances: dict[str, tuple[float, float]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    types: tuple[str, ...] = ()
    """Types of the user's own that the model is made of."""
    combination: Combination | None = None
    """Of an ensemble."""
    fit_s: float = 0.0
    memory_mb: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Refit:
    """What became of an ensemble's member that was fitted on all rows that train, and is judged as a part of it alone."""

    fingerprint: str
    fit_s: float = 0.0
    memory_mb: float = 0.0
    warnings: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class CurvePoint:
    """What a candidate scores when it learns from a share of the rows: on these rows, and on the test rows of folds."""

    share: int
    fingerprint: str
    rows: int = 0
    train_score: float = 0.0
    score: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Finalist:
    """A candidate fitted on all rows that train, and judged once on the hold-out."""

    name: str
    folder: Path
    """Holds its model, what it predicted of the hold-out, and its metrics."""
    score: float
    interval: tuple[float, float] | None
    metrics: Mapping[str, float]
    importances: Mapping[str, tuple[float, float]]
    """By feature: the mean drop of the score where the feature is shuffled, and its standard deviation."""
    learning_curve: tuple[tuple[int, float, float], ...] = ()
    """Rows learnt from, score on them, score on the test rows of folds; of the best only."""
    calibration: Calibration | None = None
    types: tuple[str, ...] = ()
    """Types of the user's own that its model is made of."""
    combination: Combination | None = None


EvaluationResult = FoldResult | HoldoutResult | Refit | CurvePoint
Kept = TypeVar("Kept", FoldResult, HoldoutResult, Refit, CurvePoint)

_READERS: Mapping[type[EvaluationResult], Callable[[Path], Any]] = {
    kind: json_reader(kind) for kind in (FoldResult, HoldoutResult, Refit, CurvePoint)
}


def keep_part(job: CandidateJob, part: EvaluationResult) -> None:
    """Commit a part of a candidate's results; from then on it counts as finished."""
    number = part.fold if isinstance(part, FoldResult) else part.share if isinstance(part, CurvePoint) else 0
    commit_json(_path_of(job, type(part), number), asdict(part))


def kept_part(job: CandidateJob, kind: type[Kept], number: int = 0) -> Kept | None:
    """Return the kept result of a fold or of a share, by its number, of the hold-out or of a fit alone; None where it has to be fitted."""
    if kind is HoldoutResult and not _is_intact(job.folder):
        return None
    if kind is Refit and not is_zipfile(job.folder / MODEL_FILE):
        return None
    if kind is FoldResult and not is_output_intact(job.folder / fold_file(number)):
        return None
    kept: Kept | None = _READERS[kind](_path_of(job, kind, number))
    return kept if kept is not None and kept.fingerprint == job.fingerprint else None


def fold_file(fold: int) -> str:
    """Return the name of the file of what a fold's model said of its test rows."""
    return f"fold-{fold}.arrow"


def _is_intact(folder: Path) -> bool:
    """Return whether the model and what it said of the hold-out are there to their ends."""
    return is_zipfile(folder / MODEL_FILE) and is_output_intact(folder / HOLDOUT_FILE)


def _path_of(job: CandidateJob, kind: type[EvaluationResult], number: int) -> Path:
    names = {FoldResult: f"fold-{number}.json", CurvePoint: f"share-{number}.json", Refit: "refit.json"}
    return job.folder / names.get(kind, METRICS_FILE)


def combine_folds(job: CandidateJob, folds: Sequence[FoldResult], *, reused: bool = False) -> CandidateResult:
    """Return the result of a candidate: of its failed folds the first is told."""
    ordered = sorted(folds, key=lambda result: result.fold)
    told = tuple(dict.fromkeys(text for result in ordered for text in result.warnings))[:MAX_WARNINGS]
    failed = next((result for result in ordered if result.error is not None), None)
    if failed is not None:
        return CandidateResult(job.name, job.fingerprint, warnings=told, error=failed.error)
    shared = [name for name in ordered[0].metrics if all(name in result.metrics for result in ordered)]
    return CandidateResult(
        name=job.name,
        fingerprint=job.fingerprint,
        fold_scores=tuple(result.score for result in ordered if result.score is not None),
        metrics={name: float(np.mean([result.metrics[name] for result in ordered])) for name in shared},
        fit_s=round(sum(result.fit_s for result in ordered), 3),
        fold_s=round(float(np.mean([result.seconds for result in ordered])), 3),
        memory_mb=max(result.memory_mb for result in ordered),
        warnings=told,
        reused=reused,
    )


def make_finalist(job: CandidateJob, judged: HoldoutResult, curve: Sequence[CurvePoint]) -> Finalist:
    """Return a candidate that was judged, with its learning curve where it has one."""
    return Finalist(
        name=job.name,
        folder=job.folder,
        score=judged.score,
        interval=judged.interval,
        metrics=judged.metrics,
        importances=judged.importances,
        learning_curve=tuple(sorted((p.rows, p.train_score, p.score) for p in curve if p.error is None)),
        calibration=judged.calibration,
        types=judged.types,
        combination=judged.combination,
    )


def with_judgement(result: CandidateResult, judged: HoldoutResult) -> CandidateResult:
    """Return a candidate's result with what its last fit came to; where that failed, the candidate has failed."""
    return replace(
        result,
        params=judged.params,
        warnings=tuple(dict.fromkeys((*result.warnings, *judged.warnings)))[:MAX_WARNINGS],
        fit_s=round((result.fit_s or 0.0) + judged.fit_s, 3),
        memory_mb=max(result.memory_mb or 0.0, judged.memory_mb),
        error=None if judged.error is None else f"not judged on the hold-out: {judged.error}",
    )
