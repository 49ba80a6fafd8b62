"""The course of a training: folds of every candidate, then the finalists; what is finished is read back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from tasks.progress import Step, tell
from tasks.store import sweep_leftovers
from tasks.train.jobs import CandidateJob
from tasks.train.leaderboard import Leaderboard, choose_finalists, with_finalists
from tasks.train.results import (
    CandidateResult,
    CurvePoint,
    FoldResult,
    Judgement,
    Part,
    combine_folds,
    kept_fold,
    kept_judgement,
    kept_point,
    make_finalist,
    with_judgement,
)
from tasks.train.units import SHARES, Unit, plan_finals, plan_folds, read_last_times


class RunsUnits(Protocol):
    """What units run on."""

    @property
    def width(self) -> int:
        """How many units run at once."""

    def run(
        self,
        units: Iterable[Unit],
        tell: Callable[[Unit, list[Part]], None],
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
    course = _Evaluation(jobs, fresh=fresh)
    course.tell_finished()
    if any(course.missing.values()):
        units = plan_folds(course.missing, jobs, read_last_times(_board(jobs)), workers=workers.width)
        workers.run(units, course.take, course.is_lost)
    return [course.result(job) for job in jobs]


class _Evaluation:
    """What has come of the folds so far, and what is missing."""

    def __init__(self, jobs: Sequence[CandidateJob], *, fresh: bool) -> None:
        self._jobs = jobs
        self._told = 0
        self._found: dict[str, dict[int, FoldResult]] = {}
        self.missing: dict[str, list[int]] = {}
        sweep_leftovers(jobs[0].models)
        for job in jobs:
            if fresh:
                shutil.rmtree(job.folder, ignore_errors=True)
            folds = range(len(job.rows.folds))
            kept = {fold: result for fold in folds if (result := kept_fold(job, fold))}
            self._found[job.name] = kept
            self.missing[job.name] = [fold for fold in folds if fold not in kept]

    def take(self, unit: Unit, parts: list[Part]) -> None:
        """Take the results of a unit."""
        found = self._found[unit.job.name]
        before = self._is_done(unit.job)
        found |= {part.fold: part for part in parts if isinstance(part, FoldResult)}
        if self._is_done(unit.job) and not before:
            self._tell(unit.job)

    def is_lost(self, unit: Unit) -> bool:
        """Tell whether a candidate has failed, so that its other folds need not be tried."""
        return any(result.error is not None for result in self._found[unit.job.name].values())

    def tell_finished(self) -> None:
        """Tell of the candidates that need no fit."""
        for job in self._jobs:
            if not self.missing[job.name]:
                self._tell(job)

    def result(self, job: CandidateJob) -> CandidateResult:
        """Return what a candidate came to."""
        return combine_folds(job, list(self._found[job.name].values()), reused=not self.missing[job.name])

    def _is_done(self, job: CandidateJob) -> bool:
        found = self._found[job.name]
        return len(found) == len(job.rows.folds) or any(result.error is not None for result in found.values())

    def _tell(self, job: CandidateJob) -> None:
        self._told += 1
        result = self.result(job)
        how = "kept from before" if result.reused else f"in {result.fit_s or 0:.1f} s"
        detail = result.error or f"{result.score:.4f} {how}"
        tell(Step("train", job.name, self._told, len(self._jobs), detail))


def _judge_finalists(jobs: Sequence[CandidateJob], board: Leaderboard, workers: RunsUnits) -> Leaderboard:
    names = choose_finalists(board, jobs[0].training.finalists)
    by_name = {job.name: job for job in jobs}
    chosen = [by_name[name] for name in names]
    best = by_name[board.best.name] if board.best else None
    judged = {job.name: known for job in chosen if (known := kept_judgement(job))}
    curve = {share: kept for share in range(len(SHARES)) if best and (kept := kept_point(best, share))}

    def take(unit: Unit, parts: list[Part]) -> None:
        for part in parts:
            if isinstance(part, Judgement):
                judged[unit.job.name] = part
                tell(Step("judge", unit.job.name, len(judged), len(chosen), part.error or f"{part.score:.4f}"))
            elif isinstance(part, CurvePoint):
                curve[part.share] = part

    units = plan_finals(chosen, best, read_last_times(_board(jobs)))
    workers.run(units, take, lambda unit: unit.job.name in judged if unit.kind == "judge" else unit.parts[0] in curve)
    results = {line.name: with_judgement(line.result, judged[line.name]) for line in board.lines if line.name in judged}
    finalists = {
        job.name: make_finalist(job, judged[job.name], list(curve.values()) if job is best else ())
        for job in chosen
        if judged[job.name].error is None
    }
    return with_finalists(board, results, finalists)


def _board(jobs: Sequence[CandidateJob]) -> Path:
    return jobs[0].models / "leaderboard.json"
