"""The Prefect tasks of the train stage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Failed
from prefect.task_runners import ProcessPoolTaskRunner

from tasks.errors import StageError
from tasks.progress import Step, tell
from tasks.spec import Training
from tasks.store import sweep_leftovers
from tasks.train import training_set
from tasks.train.jobs import CandidateJob
from tasks.train.results import CandidateResult, finished_result
from tasks.train.training_set import TrainingSet
from tasks.train.workers import start_worker, stop_workers


@task(name="training set", task_run_name="training set", cache_policy=NO_CACHE, persist_result=False)
async def build_training_set(
    training: Training, tables: Mapping[str, Path], folder: Path, *, fresh: bool = False
) -> TrainingSet:
    """Build the training set in a thread.

    A unit of its own because every candidate waits for it, and a mistake in
    the query ends the stage here. Not retried: the same query over the same
    files fails the same way.
    """
    return await asyncio.to_thread(training_set.build_training_set, training, tables, folder, fresh=fresh)


@task(name="candidate", task_run_name="{job.name}", cache_policy=NO_CACHE, persist_result=False)
def train_candidate(job: CandidateJob, *, fresh: bool = False) -> CandidateResult | State[CandidateResult]:
    """Fit and judge one candidate in a process of its own.

    A unit of its own because candidates run in parallel and each is finished,
    or failed, alone. Not retried: a fit is deterministic, and a failed one is
    a line on the leaderboard, and red in the UI, that the next run tries again.
    """
    from tasks.train.evaluate import evaluate_candidate  # noqa: PLC0415 - the parent needs no scikit-learn

    result = evaluate_candidate(job, fresh=fresh)
    return result if result.error is None else Failed(message=result.error, data=result)


async def train_all(jobs: Sequence[CandidateJob], *, workers: int | None, fresh: bool) -> list[CandidateResult]:
    """Return the result of every job, in order; no process starts when all are finished.

    `workers` processes train at once, one a core where it is None.

    Raises:
        StageError: a worker process was killed.

    """
    results = await asyncio.to_thread(_read_finished, jobs, fresh=fresh)
    for done, result in enumerate(results.values(), start=1):
        _tell(result, done, len(jobs))
    waiting = [job for job in jobs if job.name not in results]
    if waiting:
        try:
            # The pool starts, waits and stops with blocking calls: all of it in a thread.
            results |= await asyncio.to_thread(_train_in_pool, waiting, len(jobs), workers, fresh=fresh)
        except asyncio.CancelledError:
            stop_workers()  # the pool would wait for the fits to end
            raise
    return [results[job.name] for job in jobs]


def _train_in_pool(
    jobs: Sequence[CandidateJob], total: int, workers: int | None, *, fresh: bool
) -> dict[str, CandidateResult]:
    results: dict[str, CandidateResult] = {}
    try:
        with ProcessPoolTaskRunner(max_workers=workers, initializer=start_worker) as pool:
            futures: list[PrefectFuture[Any]] = [
                pool.submit(train_candidate, {"job": job, "fresh": fresh}) for job in jobs
            ]
            for future in as_completed(futures):
                result: CandidateResult = future.result(raise_on_failure=False)
                results[result.name] = result
                _tell(result, total - len(jobs) + len(results), total)
    except BrokenProcessPool:
        raise _death_of_a_worker([job.name for job in jobs if job.name not in results]) from None
    finally:
        sweep_leftovers(jobs[0].models)  # of a worker that was killed while it saved its model
    return results


def _read_finished(jobs: Sequence[CandidateJob], *, fresh: bool) -> dict[str, CandidateResult]:
    sweep_leftovers(jobs[0].models)
    return {} if fresh else {job.name: result for job in jobs if (result := finished_result(job))}


def _tell(result: CandidateResult, done: int, total: int) -> None:
    how = "kept from before" if result.reused else f"in {result.fit_s or 0:.1f} s"
    tell(Step("train", result.name, done, total, result.error or f"{result.score:.4f} {how}"))


def _death_of_a_worker(lost: Sequence[str]) -> StageError:
    return StageError(
        f"a worker process was killed (by hand, or by the system for want of memory) before {', '.join(lost)} ended; "
        "finished candidates are kept: run again, with fewer training.runner.workers or training.sample_rows if it recurs"
    )
