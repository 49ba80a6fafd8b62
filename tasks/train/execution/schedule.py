"""The schedule of a training: folds of every candidate, then the finalists, the longest expected first; what is finished is read back."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tasks.core.progress import ProgressEvent, emit
from tasks.core.storage import remove_stale_temp_files
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.leaderboard import Leaderboard, choose_finalists, rank
from tasks.train.evaluation.leaderboard_file import LEADERBOARD, read_leaderboard
from tasks.train.evaluation.results import (
    CURVE_FOLDS,
    SHARES,
    CandidateResult,
    CurvePoint,
    EvaluationResult,
    FoldResult,
    HoldoutResult,
    Refit,
    combine_folds,
    kept_part,
    make_finalist,
    with_judgement,
)
from tasks.train.execution.cache import note_training, prune_folders
from tasks.train.execution.units import Unit
from tasks.train.models.estimators import BASELINE

UNITS_A_WORKER = 5  # more balance better, and each costs Prefect a tenth of a second
FEWEST_S = 0.5  # below, a unit of its own costs more than it balances
# Seconds for ten thousand rows where there is no earlier run to learn them from, by part of the estimator's path.
ROUGH_S = {"dummy": 0.0, "linear_model": 0.3, "naive_bayes": 0.1, "neighbors": 1.0, "svm": 10.0, "neural_network": 10.0}
ROUGH_OTHER_S = 3.0


class RunsUnits(Protocol):
    """What units run on."""

    @property
    def width(self) -> int:
        """How many units run at once."""

    def run(
        self,
        units: Iterable[Unit],
        emit: Callable[[Unit, list[EvaluationResult]], None],
        skip: Callable[[Unit], bool] = ...,
    ) -> None:
        """Run units and tell what each came to."""


async def evaluate_all(jobs: Sequence[CandidateJob], workers: RunsUnits, *, fresh: bool) -> list[CandidateResult]:
    """Return the result of every job on its folds, in order; folds that are finished are not fitted again."""
    return await asyncio.to_thread(_evaluate_all, jobs, workers, fresh=fresh)


async def judge_finalists(jobs: Sequence[CandidateJob], board: Leaderboard, workers: RunsUnits) -> Leaderboard:
    """Return the leaderboard with its finalists judged on the hold-out, and the learning curve of the best."""
    return await asyncio.to_thread(_judge_finalists, jobs, board, workers)


def _evaluate_all(jobs: Sequence[CandidateJob], workers: RunsUnits, *, fresh: bool) -> list[CandidateResult]:
    note_training(jobs)
    evaluation = _Evaluation(jobs, fresh=fresh)
    evaluation.emit_finished()
    last = read_last_times(jobs[0].models)
    for ready in ([job for job in jobs if not job.members], [job for job in jobs if job.members]):
        evaluation.give_up(ready)
        if any(evaluation.missing[job.name] for job in ready):
            units = _plan_folds(evaluation.missing, ready, last, workers=workers.width)
            workers.run(units, evaluation.take, evaluation.is_lost)
    return [evaluation.result(job) for job in jobs]


class _Evaluation:
    """What has come of the folds so far, and what is missing."""

    def __init__(self, jobs: Sequence[CandidateJob], *, fresh: bool) -> None:
        self._jobs = jobs
        self._finished = 0
        self._found: dict[str, dict[int, FoldResult]] = {}
        self.missing: dict[str, list[int]] = {}
        remove_stale_temp_files(jobs[0].models)
        for job in jobs:
            if fresh:
                shutil.rmtree(job.folder, ignore_errors=True)
            folds = range(len(job.split.folds))
            kept = {fold: result for fold in folds if (result := kept_part(job, FoldResult, fold))}
            self._found[job.name] = kept
            self.missing[job.name] = [fold for fold in folds if fold not in kept]

    def take(self, unit: Unit, parts: list[EvaluationResult]) -> None:
        """Take the results of a unit."""
        found = self._found[unit.job.name]
        before = self._is_done(unit.job)
        found |= {part.fold: part for part in parts if isinstance(part, FoldResult)}
        if self._is_done(unit.job) and not before:
            self._emit(unit.job)

    def give_up(self, jobs: Sequence[CandidateJob]) -> None:
        """Have those fail that need folds of a member that has failed."""
        for job in jobs:
            errors = {member.name: self.result(member).error for member in job.members if self._failed(member)}
            if errors and self.missing[job.name]:
                self.take(Unit(job, "folds"), [FoldResult(0, job.fingerprint, error=_lost_member(job, errors))])

    def is_lost(self, unit: Unit) -> bool:
        """Return whether a candidate has failed, so that its other folds need not be tried."""
        return self._failed(unit.job)

    def _failed(self, job: CandidateJob) -> bool:
        return any(result.error is not None for result in self._found[job.name].values())

    def emit_finished(self) -> None:
        """Emit the progress of the candidates that need no fit."""
        for job in self._jobs:
            if not self.missing[job.name]:
                self._emit(job)

    def result(self, job: CandidateJob) -> CandidateResult:
        """Return what a candidate came to."""
        return combine_folds(job, list(self._found[job.name].values()), reused=not self.missing[job.name])

    def _is_done(self, job: CandidateJob) -> bool:
        found = self._found[job.name]
        return len(found) == len(job.split.folds) or self._failed(job)

    def _emit(self, job: CandidateJob) -> None:
        self._finished += 1
        result = self.result(job)
        how = "kept from before" if result.reused else f"in {result.fit_s or 0:.1f} s"
        detail = result.error or f"{result.score:.4f} {how}"
        emit(ProgressEvent("train", job.name, self._finished, len(self._jobs), detail, result.score))


def _judge_finalists(jobs: Sequence[CandidateJob], board: Leaderboard, workers: RunsUnits) -> Leaderboard:
    finals = _Finals(jobs, board)
    while units := finals.missing():
        workers.run(units, finals.take)
    prune_folders(jobs)
    return finals.leaderboard()


class _Finals:
    """What has come of the finalists so far; where one fails, the next of the ranking takes its place."""

    def __init__(self, jobs: Sequence[CandidateJob], board: Leaderboard) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._board = board
        self._number = jobs[0].training.finalists
        self._last = read_last_times(jobs[0].models)
        self._judged: dict[str, HoldoutResult] = {}
        self._refits: dict[str, Refit] = {}
        self._curves: dict[str, dict[int, CurvePoint]] = {}

    def missing(self) -> list[Unit]:
        """Return the units that judge who is not judged yet, and draw what lacks of the best one's learning curve.

        An ensemble comes after its members, which are fitted for it where they are no finalists.
        """
        chosen = [self._jobs[name] for name in self._chosen()]
        for job in chosen:
            if job.name not in self._judged and (known := kept_part(job, HoldoutResult)):
                self._judged[job.name] = known
        best = next((job for job in chosen if job.name != BASELINE), None)
        shares = self._missing_shares(best) if best else []
        waiting = [job for job in chosen if job.name not in self._judged]
        ensembles, finalists = ([job for job in waiting if bool(job.members) is many] for many in (True, False))
        members = {member.name: member for job in ensembles for member in job.members}
        refits = [job for job in members.values() if job not in finalists and not self._is_fitted(job)]
        units = _plan_finals(finalists, refits, best, shares, self._last)
        if units or not ensembles:
            return units
        lost = {job.name: _lost_member(job, errors) for job in ensembles if (errors := self._errors_of_members(job))}
        for job in ensembles:
            if job.name in lost:
                self.take(Unit(job, "judge"), [HoldoutResult(job.fingerprint, error=lost[job.name])])
        return self.missing() if lost else _plan_finals(ensembles, [], None, [], self._last)

    def _is_fitted(self, job: CandidateJob) -> bool:
        """Return whether it is known what became of a candidate on all rows that train."""
        kept = kept_part(job, HoldoutResult) or kept_part(job, Refit)
        return job.name in self._judged or job.name in self._refits or kept is not None

    def _errors_of_members(self, job: CandidateJob) -> dict[str, str]:
        """Return why members could not be fitted on all rows that train."""
        ended: dict[str, Refit | HoldoutResult] = {**self._refits, **self._judged}
        found = {member.name: ended[member.name].error for member in job.members if member.name in ended}
        return {name: error for name, error in found.items() if error is not None}

    def take(self, unit: Unit, parts: list[EvaluationResult]) -> None:
        """Take the results of a unit."""
        for part in parts:
            if isinstance(part, HoldoutResult):
                self._judged[unit.job.name] = part
                self._emit(unit.job, part)
            elif isinstance(part, Refit):
                self._refits[unit.job.name] = part
            elif isinstance(part, CurvePoint):
                self._curves[unit.job.name][part.share] = part

    def leaderboard(self) -> Leaderboard:
        """Return the leaderboard with its finalists; one that failed has failed altogether."""
        results = [line.result for line in self._board.lines]
        results = [with_judgement(r, self._judged[r.name]) if r.name in self._judged else r for r in results]
        finalists = {
            name: make_finalist(self._jobs[name], judged, list(self._curves.get(name, {}).values()))
            for name, judged in self._judged.items()
            if judged.error is None
        }
        return rank(list(self._jobs.values()), results, finalists)

    def _missing_shares(self, best: CandidateJob) -> list[int]:
        if not best.training.learning_curve or best.members:  # whose members would be fitted anew at each share
            return []
        if best.name not in self._curves:
            kept = {share: kept_part(best, CurvePoint, share) for share in range(len(SHARES))}
            self._curves[best.name] = {share: point for share, point in kept.items() if point is not None}
        (fold_s,) = (line.result.fold_s for line in self._board.lines if line.name == best.name)
        return [share for share in affordable_shares(best, fold_s) if share not in self._curves[best.name]]

    def _failed(self) -> set[str]:
        return {name for name, judged in self._judged.items() if judged.error is not None}

    def _chosen(self) -> list[str]:
        return choose_finalists(self._board, self._number, self._failed())

    def _emit(self, job: CandidateJob, judged: HoldoutResult) -> None:
        total = len(self._chosen()) + len(self._failed())
        emit(ProgressEvent("judge", job.name, len(self._judged), total, judged.error or f"{judged.score:.4f}"))


def _plan_folds(
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
    expected = {job.name: _expect_fold_s(job, last) for job in waiting}
    total = sum(expected[job.name] * len(missing[job.name]) for job in waiting)
    share = max(FEWEST_S, total / (workers * UNITS_A_WORKER))
    units = []
    for job in waiting:
        folds, each = missing[job.name], expected[job.name]
        cuts = min(len(folds), max(1, math.ceil(each * len(folds) / share)))
        for number in range(cuts):
            parts = tuple(folds[number * len(folds) // cuts : (number + 1) * len(folds) // cuts])
            units.append(Unit(job, "folds", parts, each * len(parts)))
    return _longest_first(units)


def _plan_finals(
    finalists: Sequence[CandidateJob],
    refits: Sequence[CandidateJob],
    best: CandidateJob | None,
    shares: Sequence[int],
    last: Mapping[str, float],
) -> list[Unit]:
    """Return the units that judge finalists, fit members of ensembles and draw points (places in `SHARES`) of the best one's learning curve."""
    units = [Unit(job, "judge", (), 1.5 * _expect_fold_s(job, last)) for job in finalists]
    units += [Unit(job, "refit", (), _expect_fold_s(job, last)) for job in refits]
    if best is not None:
        each = CURVE_FOLDS * _expect_fold_s(best, last)
        units += [Unit(best, "share", (share,), each * SHARES[share]) for share in shares]
    return _longest_first(units)


def affordable_shares(job: CandidateJob, fold_s: float | None) -> list[int]:
    """Return the places in `SHARES`, the smallest first, whose fits together take no longer than the candidate's time limit.

    `fold_s` is what a fold took; without it, all of them are.
    """
    left_s = job.candidate.time_limit_s
    for place, share in enumerate(SHARES):
        left_s -= CURVE_FOLDS * share * (fold_s or 0.0)
        if left_s < 0:
            return [*range(place)]
    return [*range(len(SHARES))]


def _lost_member(job: CandidateJob, errors: Mapping[str, str | None]) -> str:
    """Return the sentence that tells which members an ensemble lacks."""
    lost = f"its member{'s' if len(errors) > 1 else ''} {', '.join(errors)} failed"
    return f"training.candidates.{job.name}: {lost}, of which the first says: {next(iter(errors.values()))}"


def _longest_first(units: Sequence[Unit]) -> list[Unit]:
    """Return the units in the order in which they are to start; those expected to be alike keep theirs."""
    return sorted(units, key=lambda unit: -unit.expected_s)


def _expect_fold_s(job: CandidateJob, last: Mapping[str, float]) -> float:
    """Return the seconds that a fold of a candidate may take: as in the last run, else a rough guess."""
    if job.name in last:
        return last[job.name]
    if job.members and job.final is None:
        return 0.0
    packages = job.estimators[-1].split(".")
    rough = next((seconds for part, seconds in ROUGH_S.items() if part in packages), ROUGH_OTHER_S)
    tried = 3 if not job.members and job.single.search else 1
    return min(rough * tried * job.split.fold_train / 10_000, job.candidate.time_limit_s)


def read_last_times(models: Path) -> dict[str, float]:
    """Return the seconds of a fold by candidate, as the leaderboard of the last run tells them."""
    known = read_leaderboard(models / LEADERBOARD)
    return {line.name: line.fold_s for line in known.candidates if line.fold_s is not None} if known else {}
