"""The train stage: training set -> candidates in parallel processes -> leaderboard and champion."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow

from flows.cancellation import end_parts
from flows.lineage import named_run
from flows.parameters import Config
from flows.stage import completed, in_words, name_run, open_folder, read_for_run
from flows.story import PartStory, candidate, sum_up_training
from flows.telemetry import candidates_spanned
from flows.watch import Watch
from tasks.config import Pipeline, Training
from tasks.core.errors import StageError, TrainingError
from tasks.core.escaping import count
from tasks.core.locks import exclusive_lock
from tasks.core.storage import DataFolder
from tasks.core.story import tell, warn
from tasks.lineage.records import RUN
from tasks.raw.owners import refuse_foreign
from tasks.reports.artifacts import as_task
from tasks.reports.lineage import report_lineage
from tasks.reports.progress import StageProgress, measure_candidates
from tasks.reports.training import report_leaderboard, report_model
from tasks.runners.workers import holding
from tasks.train.assessment.assess import Assessment, assess_best
from tasks.train.assessment.slices import worst_slice
from tasks.train.checks.training_set import is_checked
from tasks.train.data.training_set import TrainingSet
from tasks.train.evaluation.job import plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard, rank
from tasks.train.evaluation.leaderboard_file import keep_leaderboard
from tasks.train.execution.pool import opened_workers
from tasks.train.execution.schedule import evaluate_all, judge_finalists
from tasks.train.predict.awaited import await_truth
from tasks.train.registry import CARD, Decision, decide_champion, publish_version, read_champion
from tasks.train.registry.assessed import tell_worst
from tasks.train.tasks import build_training_set


@flow(name="train", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def train(config: Config, data: Path = Path("data"), fresh: bool = False) -> Leaderboard:
    """Train every candidate of a pipeline on its tables, rank them, and keep the best as a version that may serve.

    What is finished is not fitted again.

    Args:
        config: the pipeline, or the path of its file.
        data: the data folder.
        fresh: build and fit also what is finished.

    Raises:
        ConfigError: the training section is wrong, or a table is another pipeline's.
        TrainingError: the training set cannot be built or learnt from, it cannot be read which version serves, or
            another run of the pipeline trains.
        StageError: every candidate failed.

    """
    return await in_words(_hold_and_train(config, data, fresh), data)


async def _hold_and_train(config: Pipeline | Path, data: Path, fresh: bool) -> Leaderboard:
    pipeline = read_for_run(config)
    training, folder = _training_of(pipeline), await open_folder(data, pipeline)
    await asyncio.to_thread(refuse_foreign, pipeline, folder)
    held = TrainingError(f"another run is training {pipeline.name!r} in {folder.shown}; wait until it has ended")
    fits_alone = exclusive_lock(folder.training(pipeline.name), held)  # fits read rows that another run would replace
    async with fits_alone, named_run(), holding(pipeline.training_runner):
        board = await _train(pipeline, training, folder, fresh=fresh)
    return completed(board, sum_up_training(board))


async def _train(pipeline: Pipeline, training: Training, folder: DataFolder, *, fresh: bool) -> Leaderboard:
    tables = {name: folder.table(name) for name in pipeline.table_names}
    models = folder.models(pipeline.name)
    await asyncio.to_thread(read_champion, models)  # a damaged one is told before the fits, not after them
    await asyncio.to_thread(await_truth, folder.truth(pipeline.name), pipeline.truth)
    watch = await Watch.begin(pipeline, folder, of_stage=True)
    kept = folder.training(pipeline.name)
    stands = not fresh and await asyncio.to_thread(is_checked, training, kept, tables)
    build = as_task(build_training_set, changed=not stands)
    training_set: TrainingSet = await build(training, tables, kept, fresh=fresh)
    tell(
        f"train: {count(training_set.rows, 'row')} of {count(len(training_set.columns), 'column')} to learn {training.target} from"
    )
    jobs = await asyncio.to_thread(plan_jobs, training, training_set, models)
    async with (
        StageProgress(pipeline.name, "train", "candidates", partial(measure_candidates, len(jobs))),
        opened_workers(pipeline.training_runner) as workers,
    ):
        with candidates_spanned():
            leaderboard = rank(jobs, await evaluate_all(jobs, workers, fresh=fresh))
        leaderboard = await judge_finalists(jobs, leaderboard, workers)
    await asyncio.to_thread(keep_leaderboard, models, leaderboard.kept)
    fitted = any(not line.result.reused for line in leaderboard.lines)
    waiting: dict[str, Any] = {"wait_for": workers.ended, "return_state": True} if fitted else {}
    shown = await as_task(report_leaderboard, changed=fitted)(pipeline.name, leaderboard, **waiting)
    _tell_candidates(leaderboard)
    assessment = await asyncio.to_thread(assess_best, jobs, leaderboard)
    if assessment is not None:
        kept_board = replace(leaderboard.kept, assessment=asdict(assessment))
        await asyncio.to_thread(keep_leaderboard, models, kept_board)
        _tell_assessment(assessment)
    version = await asyncio.to_thread(publish_version, models, leaderboard, assessment)
    decision = await asyncio.to_thread(decide_champion, models, version, leaderboard)
    await watch.tell()
    tell(f"train: {await asyncio.to_thread(_explain_serving, models, decision)}")
    waiting = {"wait_for": [shown]} if fitted else {}
    published = version.flow_run == RUN.get()  # else it was shown then
    card = models / version.name / CARD
    show = as_task(report_model, changed=fitted or published)
    await show(pipeline.name, leaderboard, assessment, card, decision, drawn=fitted or published, **waiting)
    if published:
        await report_lineage(pipeline.name, models, version)
    return leaderboard


def _tell_assessment(assessment: Assessment) -> None:
    """Tell what is doubtful about the best candidate, and for whom it is worst."""
    for finding in assessment.findings:
        if finding.severity == "warning":
            tell(f"train: {finding.id}: {finding.measured}; {finding.cure}")
    if worst_slice(assessment.slices):
        tell(f"train: {tell_worst(assessment.slices)}")


def _training_of(pipeline: Pipeline) -> Training:
    if pipeline.training is None:
        raise TrainingError(f"the pipeline {pipeline.name!r} has no training section; add training: to its file")
    return pipeline.training.model_copy(update={"runner": pipeline.training_runner})


def _explain_serving(models: Path, decision: Decision) -> str:
    """Return which version serves, and why."""
    champion = read_champion(models)
    assert champion is not None
    serving = f"{champion.version} ({champion.candidate}) serves since {champion.since}"
    return f"{serving}, {champion.metric} {champion.score:.4f} on the hold-out: {decision.sentence}"


def _tell_candidates(leaderboard: Leaderboard) -> None:
    """Tell what became of the candidates, warn of failed ones and of a best one that has learnt nothing; raise when none is left."""
    story = PartStory("train")
    for line in leaderboard.lines:
        if line.result.error is None:
            story.tell(candidate(line, leaderboard.training.metric), is_new=not line.result.reused)
    story.end()
    for result in leaderboard.failed:
        warn(f"train {result.name}: failed: {result.error}")
    if leaderboard.best is None:
        reasons = "\n".join(str(result.error) for result in leaderboard.failed)
        raise StageError(f"every candidate failed; correct them and run again:\n{reasons}", leaderboard)
    if not leaderboard.beats_dummy:
        warn(
            f"train: the best candidate, {leaderboard.best.name}, does not beat the dummy baseline: it has learnt nothing of use"
        )
