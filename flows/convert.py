"""Raw and dropped files to tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from prefect import flow

from flows.cancellation import end_parts
from flows.lineage import named_run
from flows.parameters import Config, Partitions
from flows.recorder import read_tables_before
from flows.stage import completed, end_stage, in_words, name_run, open_folder, read_for_run
from flows.story import TableStory, sum_up_tables
from flows.telemetry import in_span
from flows.watch import Watch
from tasks.config import ElementsSource, FilesSource, Pipeline
from tasks.convert.table.state import CommittedTable
from tasks.convert.tasks import convert_named
from tasks.core.concurrency import gather_all
from tasks.core.escaping import count
from tasks.core.isolation.client import calls_end
from tasks.core.outcome import Failed, Outcome
from tasks.raw.owners import refuse_foreign
from tasks.raw.selection import choose_slice
from tasks.reports.artifacts import as_task, report_tables
from tasks.reports.progress import StageProgress, measure_tables
from tasks.reports.tables import report_findings
from tasks.runners.workers import stage_workers


@flow(name="convert", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def convert(
    config: Config, data: Path = Path("data"), fresh: bool = False, partitions: Partitions = None
) -> list[Outcome[CommittedTable]]:
    """Convert what is new or changed in each source's files into `data/tables`; with partial data a source may have failed.

    Args:
        config: the pipeline, or the path of its file.
        data: the data folder.
        fresh: convert again what is converted already.
        partitions: the slice that must be landed, e.g. month=3..5; of the others what is landed joins the tables.

    Raises:
        ConfigError: the slice is not one of this pipeline, or a table is another pipeline's.
        StageError: a source could not be converted, and the pipeline does not allow partial data.

    """
    return await in_words(_convert(config, data, fresh, partitions), data)


async def _convert(
    config: Pipeline | Path, data: Path, fresh: bool, partitions: str | None
) -> list[Outcome[CommittedTable]]:
    pipeline = read_for_run(config)
    folder = await open_folder(data, pipeline)
    chosen = choose_slice(partitions, pipeline)
    await asyncio.to_thread(refuse_foreign, pipeline, folder)
    before = await asyncio.to_thread(read_tables_before, pipeline.converted, folder)
    told = TableStory("convert", folder, before)
    watch = await Watch.begin(pipeline, folder, of_stage=True)

    measure = partial(measure_tables, "convert", len(pipeline.converted))
    async with (
        stage_workers(pipeline.runner, "convert", folder.root) as workers,
        StageProgress(pipeline.name, "convert", "tables", measure) as progress,
        named_run(),
        calls_end(),  # of workbooks that are read in processes of their own
    ):

        async def convert_one(name: str) -> Outcome[CommittedTable]:
            work = convert_named(pipeline, name, folder, fresh=fresh, only=chosen, workers=workers)
            return await in_span("source", {"tidemill.stage": "convert", "tidemill.source": name}, work)

        outcomes = await gather_all(pipeline.converted, lambda name: told.follow(convert_one(name)))
        failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        progress.failed = len(failed)
    told.end()
    outcomes = warn_of_mixed_elements(pipeline, outcomes)
    tables = [outcome for outcome in outcomes if not isinstance(outcome, Failed)]
    checked = [name for name, source in pipeline.converted.items() if source.checks]
    changed = any(table.findings.changed for table in tables)
    await asyncio.gather(
        as_task(report_tables, changed=changed)(pipeline.name, tables),
        as_task(report_findings, changed=changed)(pipeline.name, tables, checked, folder),
    )
    await watch.tell()
    return completed(end_stage("convert", outcomes, failed, pipeline), sum_up_tables(outcomes))


def warn_of_mixed_elements(
    pipeline: Pipeline, outcomes: Sequence[Outcome[CommittedTable]]
) -> list[Outcome[CommittedTable]]:
    """Return what became of each table, with a warning where records came twice, whose elements are those of all copies."""
    twice = {each.source: each.rows_duplicate for each in outcomes if not isinstance(each, Failed)}
    told: list[Outcome[CommittedTable]] = []
    for each in outcomes:
        source = None if isinstance(each, Failed) else pipeline.converted.get(each.source)
        if isinstance(each, Failed) or not isinstance(source, ElementsSource) or not twice.get(source.of):
            told.append(each)
            continue
        cure = "take it out of one of the files" if isinstance(source, FilesSource) else "fetch again with --fresh"
        sentence = (
            f"{count(twice[source.of], 'record')} of {source.of} came again, and where such a one holds "
            f"other elements than the first, those of both are rows; {cure} to have each once"
        )
        findings = replace(each.findings, warnings=(*each.findings.warnings, sentence))
        told.append(replace(each, findings=findings))
    return told
