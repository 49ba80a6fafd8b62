"""The train stage: training set -> candidates in parallel processes -> leaderboard and champion."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from tasks.errors import StageError, TrainingError
from tasks.progress import Step, tell
from tasks.spec import Pipeline, Training, load_pipeline
from tasks.store import DataFolder, commit_json
from tasks.train.jobs import CandidateJob, plan_jobs
from tasks.train.leaderboard import Leaderboard, crown, rank
from tasks.train.results import CandidateResult, finished_result
from tasks.train.tasks import build_training_set, train_candidate
from tasks.train.workers import start_worker, stop_workers


def process_pool(training: Training | None) -> TaskRunner[Any]:
    """Return the runner of a training: as many processes as it says, else one a core."""
    return ProcessPoolTaskRunner(max_workers=training.workers if training else None, initializer=start_worker)


@flow(name="train", task_runner=process_pool(None))
async def train(spec: Pipeline | Path, data: Path = Path("data"), fresh: bool = False) -> Leaderboard:
    """Train every candidate of a pipeline on its tables and crown the best.

    Called as it is, one process a core trains; `run_train` heeds
    `training.workers`. Candidates that are finished are not fitted again.

    Args:
        spec: The pipeline, or the path of its file.
        data: The data folder.
        fresh: Build and fit also what is finished.

    Raises:
        SpecError: when the training section is wrong.
        TrainingError: when the training set cannot be built or learnt from.
        StageError: when every candidate failed, or a worker process died.

    """
    pipeline = _loaded(spec)
    training, folder = _training_of(pipeline), DataFolder(data)
    tables = {name: folder.table(name) for name in pipeline.sources}
    models = folder.models(pipeline.name)
    training_set = await build_training_set(training, tables, folder.training(pipeline.name), fresh=fresh)
    jobs = plan_jobs(training, training_set, models)
    results = await _train_all(jobs, fresh)
    leaderboard = rank(jobs, results)
    await asyncio.to_thread(commit_json, models / "leaderboard.json", leaderboard.as_data())
    # The report of the leaderboard (an artifact) belongs here.
    _check_outcome(leaderboard)
    await asyncio.to_thread(crown, models, leaderboard)
    return leaderboard


async def run_train(spec: Pipeline | Path, data: Path = Path("data"), fresh: bool = False) -> Leaderboard:
    """Run the `train` flow with as many processes as `training.workers` says."""
    pipeline = _loaded(spec)
    return await train.with_options(task_runner=process_pool(pipeline.training))(pipeline, data, fresh)


def _loaded(spec: Pipeline | Path) -> Pipeline:
    return load_pipeline(spec) if isinstance(spec, Path) else spec


def _training_of(pipeline: Pipeline) -> Training:
    if pipeline.training is None:
        raise TrainingError(f"the pipeline {pipeline.name!r} has no training section; add training: to its file")
    return pipeline.training


async def _train_all(jobs: Sequence[CandidateJob], fresh: bool) -> list[CandidateResult]:
    """Return the result of every job; the pool starts no process when all are finished."""
    kept = {} if fresh else {job.name: result for job in jobs if (result := finished_result(job))}
    results = [kept[job.name] for job in jobs if job.name in kept]
    for done, result in enumerate(results, start=1):
        tell(Step("train", result.name, done, len(jobs), _detail(result)))
    waiting = [job for job in jobs if job.name not in kept]
    running = [_result_of(train_candidate.submit(job, fresh=fresh)) for job in waiting]
    try:
        for finished in asyncio.as_completed(running):
            results.append(await finished)
            tell(Step("train", results[-1].name, len(results), len(jobs), _detail(results[-1])))
    except BrokenProcessPool:
        raise _death_of_a_worker(jobs, results) from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        stop_workers()
        raise
    order = [job.name for job in jobs]
    return sorted(results, key=lambda result: order.index(result.name))


def _result_of(future: PrefectFuture[CandidateResult]) -> Awaitable[CandidateResult]:
    """Return the awaitable result of a future; `future.result()` alone would block the loop."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def tell_loop(_: PrefectFuture[CandidateResult]) -> None:
        loop.call_soon_threadsafe(done.set)

    future.add_done_callback(tell_loop)

    async def wait() -> CandidateResult:
        await done.wait()
        return future.result(raise_on_failure=False)

    return asyncio.ensure_future(wait())


def _death_of_a_worker(jobs: Sequence[CandidateJob], results: Sequence[CandidateResult]) -> StageError:
    ended = {result.name for result in results}
    lost = ", ".join(job.name for job in jobs if job.name not in ended)
    return StageError(
        f"a worker process was killed (by hand, or by the system for want of memory) before {lost} ended; finished "
        "candidates are kept: run again, with fewer training.workers or training.sample_rows if it recurs"
    )


def _check_outcome(leaderboard: Leaderboard) -> None:
    """Warn of failed candidates and of a champion that has learnt nothing; raise when none is left."""
    logger = get_run_logger()
    for result in leaderboard.failed:
        logger.warning("Candidate %s failed: %s", result.name, result.error)
    if leaderboard.champion is None:
        reasons = "\n".join(str(result.error) for result in leaderboard.failed)
        raise StageError(f"every candidate failed; correct them and run again:\n{reasons}")
    if not leaderboard.beats_dummy:
        logger.warning("The champion %s does not beat the dummy baseline", leaderboard.champion.name)


def _detail(result: CandidateResult) -> str:
    if result.error:
        return result.error
    return f"{result.score:.4f}{' (kept from before)' if result.reused else f' in {result.fit_s:.1f} s'}"
