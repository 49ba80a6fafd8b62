"""Units of work: what one task of the pool does for a candidate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tasks.config.runners import RemoteRunner
from tasks.core.isolation.client import Call, each_isolated, run_isolated
from tasks.core.outcome import Failed
from tasks.runners.worker_check import check_run
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.results import (
    MODEL_FILE,
    SHARES,
    CurvePoint,
    EvaluationResult,
    FoldResult,
    HoldoutResult,
    Refit,
    fold_file,
    keep_part,
)
from tasks.train.execution.shared_store import SharedStore, check_reach, check_versions
from tasks.train.models.estimators import BASELINE

FITS = (
    *("tasks.train.evaluation.holdout", "sklearn.linear_model", "sklearn.ensemble"),
    "tasks.train.evaluation.folds:rehearse",
)
"""What the process that fits are forked from has imported, and called, before the first."""
_FOLDS = "tasks.train.evaluation.folds:evaluate_folds"
_SAVES_MODELS = "skops.io"  # a second and a half to import: where a finalist is judged, and not for the folds before


@dataclass(frozen=True)
class Unit:
    """What one task does for a candidate: some of its folds, its judgement on the hold-out, a fit for an ensemble, or a point of its curve."""

    job: CandidateJob
    kind: Literal["folds", "judge", "refit", "share"]
    parts: tuple[int, ...] = ()
    """Numbers of the folds, or of the share."""
    expected_s: float = 0.0
    place: Path | None = None
    """A folder that is there for as long as the run waits for the unit; None where a worker ends with its run."""

    @property
    def name(self) -> str:
        """Return the name of the task run."""
        numbers = ", ".join(str(part + 1) for part in self.parts)
        match self.kind:
            case "folds":
                part = f"fold{'s' if len(self.parts) > 1 else ''} {numbers}"
            case "judge":
                part = "hold-out"
            case "refit":
                part = "for an ensemble"
            case _:
                part = f"learning curve at {100 * SHARES[self.parts[0]]:g} % of the rows"
        return f"candidate {self.job.name}, {part}"

    @property
    def member_files(self) -> tuple[str, ...]:
        """Return the names of the files that it reads of an ensemble's members."""
        folds = tuple(fold_file(fold) for fold in range(len(self.job.split.folds)))
        return () if not self.job.members else folds if self.kind == "folds" else (*folds, MODEL_FILE)

    def failure(self, error: str) -> EvaluationResult:
        """Return the result of a unit that could not be run."""
        match self.kind:
            case "folds":
                return FoldResult(self.parts[0], self.job.fingerprint, error=error)
            case "judge":
                return HoldoutResult(self.job.fingerprint, error=error)
            case "refit":
                return Refit(self.job.fingerprint, error=error)
        return CurvePoint(self.parts[0], self.job.fingerprint, error=error)


def run_unit(unit: Unit, store: SharedStore | None = None) -> list[EvaluationResult]:
    """Return the results of a unit, each committed as it comes; after a failed one the others are not tried.

    Raises:
        TrainingError: this process does not reach the run's data folder, or what is handed over, or has other packages.

    """
    check_versions(unit.job)
    runner = unit.job.training.runner
    if store is not None and isinstance(runner, RemoteRunner):
        with store.taken(unit.job, runner.own_folder(), unit.member_files) as job:
            return _run_unit(replace(unit, job=job))
    check_reach(unit.job)
    return _run_unit(unit)


def _run_unit(unit: Unit) -> list[EvaluationResult]:
    results: list[EvaluationResult] = []
    for result in _run_parts(unit):
        results.append(result)
        if result.error is None:
            keep_part(unit.job, result)
    return results


def _run_parts(unit: Unit) -> Iterator[EvaluationResult]:
    job = unit.job
    match unit.kind:
        case "folds":
            yield from _run_folds(unit, unit.parts)
        case "judge":
            yield _judge(unit)
        case "refit":
            yield _refit(unit)
        case _:
            for share in unit.parts:
                point = _isolated(unit, "tasks.train.evaluation.holdout:measure_share", share).outcome
                yield CurvePoint(share, job.fingerprint, error=point.message) if isinstance(point, Failed) else point


def _run_folds(unit: Unit, folds: Sequence[int]) -> Iterator[FoldResult]:
    """Yield the results of folds, of one process: a fork costs 45 ms, most of it for pages that a second fold finds there.

    A fold beyond the memory limit may be so by what those before it left there: it then begins another process.
    """
    calls = _each_isolated(unit, _FOLDS, folds)
    for number, (call, fold) in enumerate(zip(calls, folds, strict=False)):  # one more tells of a death after all
        if number and call.ended == "memory":
            yield from _run_folds(unit, folds[number:])
            return
        result = call.outcome
        if isinstance(result, Failed):
            result = FoldResult(fold, unit.job.fingerprint, error=result.message)
        yield replace(result, memory_mb=call.memory_mb, seconds=round(call.seconds, 3))


def _judge(unit: Unit) -> HoldoutResult:
    """Return the judgement of a finalist; its importances are measured in a process of their own, and may be missing."""
    job, call = unit.job, _isolated(unit, "tasks.train.evaluation.holdout:judge_finalist", preload=(_SAVES_MODELS,))
    if isinstance(call.outcome, Failed):
        return HoldoutResult(job.fingerprint, error=call.outcome.message, memory_mb=call.memory_mb)
    judged: HoldoutResult = replace(call.outcome, memory_mb=call.memory_mb)
    if judged.error is not None or job.name == BASELINE:
        return judged
    measure = "tasks.train.evaluation.holdout:measure_importances"
    importances = _isolated(unit, measure, judged.types, preload=(_SAVES_MODELS,)).outcome
    if isinstance(importances, Failed):
        return replace(judged, warnings=(*judged.warnings, f"no importances: {importances.message}"))
    return replace(judged, importances=importances)


def _refit(unit: Unit) -> Refit:
    job, call = unit.job, _isolated(unit, "tasks.train.evaluation.holdout:refit_member", preload=(_SAVES_MODELS,))
    if isinstance(call.outcome, Failed):
        return Refit(job.fingerprint, error=call.outcome.message, memory_mb=call.memory_mb)
    refit: Refit = replace(call.outcome, memory_mb=call.memory_mb)
    return refit


def _isolated(unit: Unit, function: str, *arguments: object, preload: tuple[str, ...] = ()) -> Call:
    """Return a call for a candidate, within the candidate's limits; forks to come share what is imported for it."""
    return _named(unit.job, run_isolated(function, _for_fits(unit.job), *arguments, **_limits(unit, preload)))


def _each_isolated(unit: Unit, function: str, *arguments: object) -> Iterator[Call]:
    """Yield a call for each value that a function yields for a candidate, within the candidate's limits."""
    calls = each_isolated(function, _for_fits(unit.job), *arguments, **_limits(unit))
    return (_named(unit.job, call) for call in calls)


def _for_fits(job: CandidateJob) -> CandidateJob:
    """Return a job without its runner: a fit would import its module, and Prefect with it."""
    plain = job.training.model_copy(update={"runner": None})
    return job.moved(training=plain)


def _limits(unit: Unit, preload: tuple[str, ...] = ()) -> dict[str, Any]:
    job, limits = unit.job, unit.job.candidate
    return {
        "time_s": limits.time_limit_s,
        "memory_mb": limits.memory_limit_mb,
        "preload": (*FITS, *job.preloaded, *preload),
        "extensions": tuple(job.metrics),
        "look": None if unit.place is None else partial(check_run, unit.place),
    }


def _named(job: CandidateJob, call: Call) -> Call:
    if isinstance(call.outcome, Failed):
        return replace(call, outcome=Failed(f"training.candidates.{job.name}: {call.outcome.message}"))
    return call
