"""Tables written for others to read: the last stage."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow

from flows.cancellation import end_parts
from flows.parameters import Config
from flows.stage import completed, end_stage, in_words, name_run, open_folder, read_for_run
from flows.story import PartStory, exported, sum_up_exports
from tasks.config import Pipeline
from tasks.core.errors import ConfigError
from tasks.core.outcome import Failed, Outcome
from tasks.core.storage import DataFolder
from tasks.export.job import Exported, find_export_mistakes, list_exports
from tasks.export.tasks import export_one
from tasks.raw.owners import refuse_foreign
from tasks.reports.artifacts import as_task, report_exports


@flow(name="export", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def export(config: Config, data: Path = Path("data"), fresh: bool = False) -> list[Outcome[Exported]]:
    """Write each table to its targets; what stands there as it would be written is left.

    Args:
        config: the pipeline, or the path of its file.
        data: the data folder.
        fresh: write again what stands.

    Raises:
        ConfigError: a target is none that a table may be written to, or a table is another pipeline's.
        StageError: a table could not be written, and the pipeline does not allow partial data.

    """
    return await in_words(_export(config, data, fresh), data)


async def _export(config: Pipeline | Path, data: Path, fresh: bool) -> list[Outcome[Exported]]:
    pipeline = read_for_run(config)
    folder = await open_folder(data, pipeline)
    await asyncio.to_thread(_refuse, pipeline, folder)
    told = PartStory("export")
    outcomes = [await export_one(job, fresh=fresh) for job in list_exports(pipeline, folder)]
    failed = [each for each in outcomes if isinstance(each, Failed)]
    made = [each for each in outcomes if not isinstance(each, Failed)]
    for each in made:
        told.tell(exported(each), is_new=each.written)
    told.end()
    await as_task(report_exports, changed=any(each.written for each in made))(pipeline.name, made)
    return completed(end_stage("export", outcomes, failed, pipeline), sum_up_exports(outcomes))


def _refuse(pipeline: Pipeline, folder: DataFolder) -> None:
    if mistakes := find_export_mistakes(pipeline, folder):
        raise ConfigError(mistakes)
    refuse_foreign(pipeline, folder)
