"""The parent flow: ingest, convert, tables, train, export."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.cancellation import end_parts
from flows.convert import convert
from flows.export import export
from flows.ingest import ingest
from flows.openlineage import begin_events
from flows.parameters import Config, HowMany, OneStage, Partitions
from flows.recorder import RunRecorder, read_tables_before
from flows.report import write_report
from flows.run_figures import compare_figures, is_told, keep_figures, read_last_figures
from flows.stage import (
    completed,
    in_words,
    name_run,
    open_data,
    open_folder,
    read_for_run,
    shared_pipeline,
    warn_of_schedule,
)
from flows.story import begin_pipeline, sum_up_run, warn_of_size
from flows.summary import RunOptions, RunSummary, Stage, keep_summary
from flows.tables import tables
from flows.telemetry import begin_telemetry
from flows.train import train
from flows.turns import in_turn
from flows.watch import Watch
from tasks.config import Pipeline
from tasks.config.runners import RemoteRunner
from tasks.core.errors import TidemillError
from tasks.core.runs import Asked
from tasks.core.storage import DataFolder, explain_disk_failure
from tasks.core.story import tell, warn
from tasks.raw.selection import choose_slice
from tasks.reports.artifacts import report_run
from tasks.reports.trend import RUNS_SHOWN, report_trend
from tasks.runners.workers import holding
from tasks.tables.function import functions_ready


@flow(name="pipeline", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def pipeline(
    config: Config,
    data: Path = Path("data"),
    fresh: bool = False,
    only: OneStage = None,
    partitions: Partitions = None,
    limit: HowMany = None,
) -> RunSummary:
    """Run a pipeline: fetch its sources, convert them to tables, make tables of these, train on them, export them.

    Work that an earlier run finished is not done again.

    Args:
        config: The pipeline: a file of this project, the path of another, or a form. A secret stands in none of them, but in an environment variable or a Secret block, which they name.
        data: The data folder.
        fresh: Do again what is finished; where partitions are chosen, for these alone.
        only: The one stage to run, on what those before it left.
        partitions: The slice to fetch, e.g. month=3..5 origin=EWR,JFK
        limit: A look first: how many pages of each partition and files of each source are taken, into a folder of their own in the data folder; nothing is exported.

    Raises:
        ConfigError: the slice is not one of this pipeline.
        OverlapError: another run of the pipeline goes on, and its file says overlap: fail.
        StageError: a stage failed; the next ones did not run.

    """
    return await in_words(_pipeline(config, data, fresh, only, partitions, limit), data)


async def _pipeline(
    config: Config, data: Path, fresh: bool, only: Stage | None, partitions: str | None, limit: int | None
) -> RunSummary:
    options = RunOptions(only, fresh, partitions, limit)
    loaded, folder = options.take(read_for_run(config), await open_data(data))
    choose_slice(partitions, loaded)  # a wrong one is told before anything runs
    file = config if isinstance(config, Path) else None
    asked = Asked(str(file.absolute()) if file else None, only, fresh, partitions, limit)
    work = _run(loaded, file, folder, options)
    try:
        async with holding(loaded.runner, loaded.training_runner):
            return await in_turn(loaded, folder, asked, work)
    finally:
        work.close()  # where the disk is full the run may not come so far as to begin


async def _run(loaded: Pipeline, file: Path | None, folder: DataFolder, options: RunOptions) -> RunSummary:
    only, fresh, partitions = options.only, options.fresh, options.partitions
    elsewhere = isinstance(loaded.runner, RemoteRunner)
    tell(begin_pipeline(loaded, folder.shown, options))
    await open_folder(folder.root, loaded)  # now that no other run of it writes there
    warnings = warn_of_schedule(loaded) if only in (None, "ingest") and not fresh else []
    await warn_of_size(loaded, folder, options)
    before = await asyncio.to_thread(read_tables_before, loaded.table_names, folder)
    watch = await Watch.begin(loaded, folder, of_stage=False)
    record = RunRecorder(loaded.name, folder.models(loaded.name), flow_run.get_id(), warnings, before, watch)
    record.telemetry = telemetry = begin_telemetry(loaded.name, record.flow_run_id, get_run_logger().warning)
    events = await asyncio.to_thread(
        begin_events, loaded.name, flow_run.get_id() or "", folder, get_run_logger().warning
    )
    error: BaseException | None = None
    try:
        with shared_pipeline(loaded, file) as given:
            async with functions_ready(loaded.tables if only is None and not elsewhere else {}):
                if only in (None, "ingest"):
                    await record.add("ingest", ingest, given, folder.root, fresh, partitions)
                if only in (None, "convert"):
                    await record.add("convert", convert, given, folder.root, fresh, partitions)
                if only == "tables" or (only is None and loaded.tables):
                    await record.add("tables", tables, given, folder.root, fresh)
            if only == "train" or (only is None and loaded.training):
                await record.add("train", train, given, folder.root, fresh)
            if only == "export" or (only is None and loaded.export):
                await record.add("export", export, given, folder.root, fresh)
    except BaseException as caught:
        error = caught
        raise
    finally:
        summary = await asyncio.to_thread(record.summary, error)
        if telemetry is not None:
            await telemetry.end(summary, error)
        if events is not None:
            await events.end(loaded.table_names, error)
        await _keep(folder, summary, error)
        await _tell_figures(folder, summary, error)
        if error is None or isinstance(error, TidemillError):  # an interrupt, or a lost server, waits for nothing
            await report_run(loaded.name, write_report(summary))
    return completed(summary, sum_up_run(summary))


async def _tell_figures(folder: DataFolder, summary: RunSummary, error: BaseException | None) -> None:
    """Keep the figures of a run beside those of the runs before it, and show them; where that fails, it is told, and ends nothing."""
    try:
        await asyncio.to_thread(keep_figures, folder, summary)
        if not is_told(summary) or not (error is None or isinstance(error, TidemillError)):
            return
        figures = await asyncio.to_thread(read_last_figures, folder, summary.pipeline, RUNS_SHOWN)
        told = await asyncio.to_thread(compare_figures, figures)
    except Exception as lost:  # noqa: BLE001 - the table may have been written by another hand
        cause = explain_disk_failure(lost, folder.root) if isinstance(lost, OSError) else lost
        warn(f"the figures of the run are not kept, or not shown: {cause}")
        return
    if len(figures["flow_run"].unique()) > 1:
        await report_trend(summary.pipeline, figures, told)


async def _keep(folder: DataFolder, summary: RunSummary, error: BaseException | None) -> None:
    """Keep the summary of a run; where the disk is full that has ended the run, what ended it is told all the same."""
    try:
        await asyncio.to_thread(keep_summary, folder, summary)
    except OSError as full:
        if error is None:
            raise
        warn(f"the summary of the run is not kept: {explain_disk_failure(full, folder.root)}")
