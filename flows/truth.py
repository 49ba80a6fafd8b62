"""What past predictions have come to, as a flow, to be scheduled: scored where outcomes are new, with an event where a score has fallen."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow

from flows.cancellation import end_parts
from flows.parameters import Config
from flows.stage import completed, in_words, name_run, open_folder, read_for_run
from flows.story import scored_week, sum_up_truth
from flows.watch import tell_fallen
from tasks.config import Pipeline
from tasks.core.errors import TrainingError
from tasks.core.locks import exclusive_lock
from tasks.core.storage import DataFolder
from tasks.core.story import tell, warn
from tasks.raw.owners import refuse_foreign
from tasks.reports.truth import report_truth
from tasks.train.truth.judge import judge_predictions, remember_told
from tasks.train.truth.scores import Judged

_STOPS_S = 5.0


@flow(name="truth", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def truth(config: Config, data: Path = Path("data"), fresh: bool = False) -> Judged:
    """Join outcomes that have become known with what was predicted, and score it by version and week.

    Where neither outcomes nor predictions are new, nothing is done.

    Args:
        config: the pipeline, or the path of its file.
        data: the data folder.
        fresh: score also what is as it was.

    Raises:
        ConfigError: the pipeline file has no section truth, or a table is another pipeline's.
        TrainingError: the query does not run, or another run does the same.

    """
    return await in_words(_truth(config, data, fresh), data)


async def _truth(config: Pipeline | Path, data: Path, fresh: bool) -> Judged:
    pipeline = read_for_run(config)
    folder = await open_folder(data, pipeline)
    await asyncio.to_thread(refuse_foreign, pipeline, folder)
    held = TrainingError(
        f"another run judges predictions of {pipeline.name!r} in {folder.shown}; wait until it has ended"
    )
    async with exclusive_lock(folder.truth(pipeline.name), held):
        judged = await _judge(pipeline, folder, fresh=fresh)
        for problem in judged.problems:
            warn(problem)
        for week in judged.scored:
            tell(f"truth: {scored_week(week)}")
        if judged.untold:
            tell_fallen(pipeline, judged.untold)
            await asyncio.to_thread(remember_told, pipeline.name, folder, judged.untold)
    if judged.is_new:
        await report_truth(pipeline.name, judged)
    return completed(judged, sum_up_truth(judged))


async def _judge(pipeline: Pipeline, folder: DataFolder, *, fresh: bool) -> Judged:
    """Judge in a thread, whose queries end with the flow."""
    now, stop = datetime.now(UTC), threading.Event()
    work = asyncio.ensure_future(
        asyncio.to_thread(lambda: judge_predictions(pipeline, folder, now, fresh=fresh, stop=stop))
    )
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()  # a thread cannot be cancelled, and would go on with the query
        await asyncio.wait([work], timeout=_STOPS_S)
        raise
