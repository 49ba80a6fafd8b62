"""Units of work: what one task of the pool does, and in which order they come, the longest expected first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tasks.config import Training
from tasks.config.runners import RemoteRunner
from tasks.core.outcome import Failed
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard_file import LEADERBOARD, read_leaderboard
from tasks.train.evaluation.results import SHARES, CurvePoint, EvaluationResult, FoldResult, HoldoutResult, keep_part
from tasks.train.execution.fit_client import Call, each_isolated, run_isolated
from tasks.train.execution.shared_store import Handover, check_reach, check_versions
from tasks.train.models.estimators import BASELINE

_FOLDS = "tasks.train.evaluation.folds:evaluate_folds"
UNITS_A_WORKER = 5  # more balance better, and each costs Prefect a tenth of a second
FEWEST_S = 0.5  # below, a unit of its own costs more than it balances
# Seconds for ten thousand rows where there is no earlier run to learn them from, by part of the estimator's path.
ROUGH_S = {"dummy": 0.0, "linear_model": 0.3, "naive_bayes": 0.1, "neighbors": 1.0, "svm": 10.0, "neural_network": 10.0}
ROUGH_OTHER_S = 3.0


@dataclass(frozen=True)
class Unit:
    """What one task does for a candidate: some of its folds, its judgement on the hold-out, or a point of its curve."""

    job: CandidateJob
    kind: Literal["folds", "judge", "share"]
    parts: tuple[int, ...] = ()
    """Numbers of the folds, or of the share."""
    expected_s: float = 0.0

    @property
    def name(self) -> str:
        """Return the name of the task run."""
        numbers = ", ".join(str(part + 1) for part in self.parts)
        match self.kind:
            case "folds":
                return f"{self.job.name}, fold{'s' if len(self.parts) > 1 else ''} {numbers}"
            case "judge":
                return f"{self.job.name}, hold-out"
        return f"{self.job.name}, {SHARES[self.parts[0]]:.3g} of the rows"

    def failure(self, error: str) -> EvaluationResult:
        """Return the result of a unit that could not be run."""
        match self.kind:
            case "folds":
                return FoldResult(self.parts[0], self.job.fingerprint, error=error)
            case "judge":
                return HoldoutResult(self.job.fingerprint, error=error)
        return CurvePoint(self.parts[0], self.job.fingerprint, error=error)


def run_unit(unit: Unit, handover: Handover | None = None) -> list[EvaluationResult]:
    """Return the results of a unit, each committed as it comes; after a failed one the others are not tried.

    Raises:
        TrainingError: this process does not reach the run's data folder, or what is handed over, or has other packages.

    """
    check_versions(unit.job)
    runner = unit.job.training.runner
    if handover is not None and isinstance(runner, RemoteRunner):
        with handover.taken(unit.job, runner.own_folder()) as job:
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
            yield from _run_folds(job, unit.parts)
        case "judge":
            yield _judge(job)
        case _:
            for share in unit.parts:
                point = _isolated(job, "tasks.train.evaluation.holdout:measure_share", share).outcome
                yield CurvePoint(share, job.fingerprint, error=point.message) if isinstance(point, Failed) else point


def _run_folds(job: CandidateJob, folds: Sequence[int]) -> Iterator[FoldResult]:
    """Yield the results of folds, of one process: a fork costs 45 ms, most of it for pages that a second fold finds there.

    A fold beyond the memory limit may be so by what those before it left there: it then begins another process.
    """
    calls = _each_isolated(job, _FOLDS, folds)
    for number, (call, fold) in enumerate(zip(calls, folds, strict=False)):  # one more tells of a death after all
        if number and call.ended == "memory":
            yield from _run_folds(job, folds[number:])
            return
        result = call.outcome
        if isinstance(result, Failed):
            result = FoldResult(fold, job.fingerprint, error=result.message)
        yield replace(result, memory_mb=call.memory_mb, seconds=round(call.seconds, 3))


def _judge(job: CandidateJob) -> HoldoutResult:
    """Return the judgement of a finalist; its importances are measured in a process of their own, and may be missing."""
    call = _isolated(job, "tasks.train.evaluation.holdout:judge_finalist")
    if isinstance(call.outcome, Failed):
        return HoldoutResult(job.fingerprint, error=call.outcome.message, memory_mb=call.memory_mb)
    judged: HoldoutResult = replace(call.outcome, memory_mb=call.memory_mb)
    if judged.error is not None or job.name == BASELINE:
        return judged
    importances = _isolated(job, "tasks.train.evaluation.holdout:measure_importances").outcome
    if isinstance(importances, Failed):
        return replace(judged, warnings=(*judged.warnings, f"no importances: {importances.message}"))
    return replace(judged, importances=importances)


def _isolated(job: CandidateJob, function: str, *arguments: object) -> Call:
    """Return a call for a candidate, within the candidate's limits."""
    return _named(job, run_isolated(function, _for_fits(job), *arguments, **_limits(job)))


def _each_isolated(job: CandidateJob, function: str, *arguments: object) -> Iterator[Call]:
    """Yield a call for each value that a function yields for a candidate, within the candidate's limits."""
    return (_named(job, call) for call in each_isolated(function, _for_fits(job), *arguments, **_limits(job)))


def _for_fits(job: CandidateJob) -> CandidateJob:
    """Return a job without its runner: a fit would import its module, and Prefect with it."""
    plain = job.training.model_copy(update={"runner": Training.model_fields["runner"].default})
    return replace(job, training=plain)


def _limits(job: CandidateJob) -> dict[str, Any]:
    limits = job.candidate
    return {
        "time_s": limits.time_limit_s,
        "memory_mb": limits.memory_limit_mb,
        "preload": (job.module,),
        "extensions": tuple(job.metrics),
    }


def _named(job: CandidateJob, call: Call) -> Call:
    if isinstance(call.outcome, Failed):
        return replace(call, outcome=Failed(f"training.candidates.{job.name}: {call.outcome.message}"))
    return call


def plan_folds(
    missing: Mapping[str, Sequence[int]], jobs: Iterable[CandidateJob], last: Mapping[str, float], *, workers: int
) -> list[Unit]:
    """Return the units of the folds that are missing, by candidate, the longest expected first.

    A candidate that is a great part of the work is cut into groups of folds,
    so that its folds run side by side. How it is cut changes no result.

    Args:
        missing: The folds to fit, by candidate.
        jobs: The candidates.
        last: Seconds of a fold in the last run, by candidate.
        workers: How many units run at once.

    """
    waiting = [job for job in jobs if missing.get(job.name)]
    expected = {job.name: expect_fold_s(job, last) for job in waiting}
    total = sum(expected[job.name] * len(missing[job.name]) for job in waiting)
    share = max(FEWEST_S, total / (workers * UNITS_A_WORKER))
    units = []
    for job in waiting:
        folds, each = missing[job.name], expected[job.name]
        cuts = min(len(folds), max(1, math.ceil(each * len(folds) / share)))
        for number in range(cuts):
            parts = tuple(folds[number * len(folds) // cuts : (number + 1) * len(folds) // cuts])
            units.append(Unit(job, "folds", parts, each * len(parts)))
    return longest_first(units)


def plan_finals(
    finalists: Sequence[CandidateJob], best: CandidateJob | None, shares: Sequence[int], last: Mapping[str, float]
) -> list[Unit]:
    """Return the units that judge finalists and draw points (places in `SHARES`) of the best one's learning curve."""
    units = [Unit(job, "judge", (), 1.5 * expect_fold_s(job, last)) for job in finalists]
    if best is not None:
        each = 3 * expect_fold_s(best, last)
        units += [Unit(best, "share", (share,), each * SHARES[share]) for share in shares]
    return longest_first(units)


def longest_first(units: Sequence[Unit]) -> list[Unit]:
    """Return the units in the order in which they are to start; those expected to be alike keep theirs."""
    return sorted(units, key=lambda unit: -unit.expected_s)


def expect_fold_s(job: CandidateJob, last: Mapping[str, float]) -> float:
    """Return the seconds that a fold of a candidate may take: as in the last run, else a rough guess."""
    if job.name in last:
        return last[job.name]
    packages = job.candidate.estimator.split(".")
    rough = next((seconds for part, seconds in ROUGH_S.items() if part in packages), ROUGH_OTHER_S)
    tried = 3 if job.candidate.search else 1
    return min(rough * tried * job.split.fold_train / 10_000, job.candidate.time_limit_s)


def read_last_times(models: Path) -> dict[str, float]:
    """Return the seconds of a fold by candidate, as the leaderboard of the last run tells them."""
    known = read_leaderboard(models / LEADERBOARD)
    return {line.name: line.fold_s for line in known.candidates if line.fold_s is not None} if known else {}
