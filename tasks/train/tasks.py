"""The Prefect tasks of training beside its pool, and that of prediction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import QueryLimits, Training
from tasks.core.story import warn
from tasks.train.checks import training_set
from tasks.train.data.training_set import TrainingSet
from tasks.train.predict.inputs import Input
from tasks.train.predict.prediction import Prediction

_STOPS_S = 5.0
_LOOKS_S = 1.0


@task(name="training set", task_run_name="training set", cache_policy=NO_CACHE, persist_result=False)
async def build_training_set(
    training: Training, tables: Mapping[str, Path], folder: Path, *, fresh: bool = False
) -> TrainingSet:
    """Build the training set in a thread, and warn of what may flatter its models.

    A unit of its own because every candidate waits for it, and a mistake in
    the query ends the stage here. Not retried: the same query over the same
    files fails the same way.
    """
    stop = threading.Event()
    try:
        built = await asyncio.to_thread(
            training_set.write_training_set, training, tables, folder, fresh=fresh, stop=stop
        )
    except asyncio.CancelledError:
        stop.set()  # a thread cannot be cancelled, and would go on with the query
        raise
    for warning in built.warnings:
        warn(warning)
    return built


@task(name="predict rows", task_run_name="{rows.name}", cache_policy=NO_CACHE, persist_result=False)
async def predict_input(  # noqa: PLR0913, PLR0917 - what a prediction is made of
    models: Path,
    rows: Input,
    tables: Mapping[str, Path],
    output: Path,
    limits: QueryLimits | None = None,
    trusted: tuple[str, ...] = (),
    truth: Path | None = None,
    awaited_at: Path | None = None,
) -> Prediction:
    """Predict the rows of an input in threads, a query of them within limits; `trusted` are packages that the model may be made of.

    A unit of its own because it is all the work of its flow. Not retried: the
    same rows fail the same way. On a worker, which nobody can cancel, it is
    broken off once the folder `awaited_at` is gone, as its run has ended.
    """
    from tasks.train.predict.batches import Pace, predict_rows  # noqa: PLC0415 - scikit-learn costs a second to import

    pace = Pace(limits=limits)
    work = asyncio.ensure_future(asyncio.to_thread(predict_rows, models, rows, tables, output, pace, trusted, truth))
    try:
        while awaited_at is not None and not (await asyncio.wait([work], timeout=_LOOKS_S))[0]:
            if not await asyncio.to_thread(awaited_at.is_dir):
                pace.stop.set()
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        pace.stop.set()  # a thread cannot be cancelled; it ends with its batch, and takes away what it has begun to write
        await asyncio.wait([work], timeout=_STOPS_S)
        raise
