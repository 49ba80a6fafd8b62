"""The first task of the train stage: its rows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.spec import Training
from tasks.train import training_set
from tasks.train.training_set import TrainingSet


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
            training_set.build_training_set, training, tables, folder, fresh=fresh, stop=stop
        )
    except asyncio.CancelledError:
        stop.set()  # a thread cannot be cancelled, and would go on with the query
        raise
    for warning in built.warnings:
        get_run_logger().warning("%s", warning)
    return built
