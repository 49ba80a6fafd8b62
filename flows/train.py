"""The train stage: training set -> candidates in parallel processes -> leaderboard and champion."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow, get_run_logger

from flows.stage import name_run
from tasks.errors import StageError, TrainingError
from tasks.report import report_leaderboard
from tasks.spec import Pipeline, Training, read_pipeline
from tasks.store import DataFolder, commit_json
from tasks.train.jobs import plan_jobs
from tasks.train.leaderboard import Leaderboard, crown, rank
from tasks.train.tasks import build_training_set, train_all


@flow(name="train", flow_run_name=name_run, persist_result=False)
async def train(spec: Pipeline | Path, data: Path = Path("data"), fresh: bool = False) -> Leaderboard:
    """Train every candidate of a pipeline on its tables and crown the best.

    Candidates that are finished are not fitted again.

    Args:
        spec: the pipeline, or the path of its file.
        data: the data folder.
        fresh: build and fit also what is finished.

    Raises:
        SpecError: the training section is wrong.
        TrainingError: the training set cannot be built or learnt from.
        StageError: every candidate failed, or a worker process died.

    """
    pipeline = read_pipeline(spec)
    training, folder = _training_of(pipeline), DataFolder.at(data)
    tables = {name: folder.table(name) for name in pipeline.sources}
    models = folder.models(pipeline.name)
    training_set = await build_training_set(training, tables, folder.training(pipeline.name), fresh=fresh)
    jobs = plan_jobs(training, training_set, models)
    leaderboard = rank(jobs, await train_all(jobs, workers=training.runner.workers, fresh=fresh))
    await asyncio.to_thread(commit_json, models / "leaderboard.json", leaderboard.as_data())
    await report_leaderboard(pipeline.name, leaderboard)
    _check_outcome(leaderboard)
    await asyncio.to_thread(crown, models, leaderboard)
    return leaderboard


def _training_of(pipeline: Pipeline) -> Training:
    if pipeline.training is None:
        raise TrainingError(f"the pipeline {pipeline.name!r} has no training section; add training: to its file")
    return pipeline.training


def _check_outcome(leaderboard: Leaderboard) -> None:
    """Warn of failed candidates and of a champion that has learnt nothing; raise when none is left."""
    logger = get_run_logger()
    for result in leaderboard.failed:
        logger.warning("Candidate %s failed: %s", result.name, result.error)
    if leaderboard.champion is None:
        reasons = "\n".join(str(result.error) for result in leaderboard.failed)
        raise StageError(f"every candidate failed; correct them and run again:\n{reasons}", leaderboard)
    if not leaderboard.beats_dummy:
        logger.warning("The champion %s does not beat the dummy baseline", leaderboard.champion.name)
