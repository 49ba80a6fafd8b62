"""The Prefect task of prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.spec import QueryLimits
from tasks.train.predict.inputs import Input
from tasks.train.predict.rows import Prediction


@task(name="predict rows", task_run_name="{rows.name}", cache_policy=NO_CACHE, persist_result=False)
async def predict_input(
    models: Path, rows: Input, tables: Mapping[str, Path], output: Path, limits: QueryLimits | None = None
) -> Prediction:
    """Predict the rows of an input in threads, a query of them within limits.

    A unit of its own because it is all the work of its flow. Not retried: the
    same rows fail the same way.
    """
    from tasks.train.predict.rows import Pace, predict_rows  # noqa: PLC0415 - scikit-learn costs a second to import

    pace = Pace(limits=limits)
    try:
        return await asyncio.to_thread(predict_rows, models, rows, tables, output, pace)
    except asyncio.CancelledError:
        pace.stop.set()  # a thread cannot be cancelled, and Python would wait for it
        raise
