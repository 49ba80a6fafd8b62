"""Tables made of other tables, by SQL or by functions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from flows.cancellation import end_parts
from flows.lineage import named_run
from flows.parameters import Config
from flows.recorder import read_tables_before
from flows.stage import completed, end_stage, in_words, name_run, open_folder, read_for_run
from flows.story import TableStory, sum_up_tables
from flows.telemetry import in_span
from flows.watch import Watch
from tasks.config import Pipeline
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import ConfigError
from tasks.core.outcome import Failed, Outcome
from tasks.core.storage import DataFolder
from tasks.raw.owners import refuse_foreign
from tasks.reports.artifacts import report_made_tables
from tasks.reports.tables import report_findings
from tasks.runners.workers import StageWorkers, stage_workers
from tasks.tables.function import functions_ready
from tasks.tables.made import MadeTableJob
from tasks.tables.order import find_table_mistakes, order_tables
from tasks.tables.tasks import make_one


@flow(name="tables", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def tables(config: Config, data: Path = Path("data"), fresh: bool = False) -> list[Outcome[CommittedTable]]:
    """Make the tables that are made of others, in the order of what each is made of; what stands as it would be made is left.

    Args:
        config: the pipeline, or the path of its file.
        data: the data folder.
        fresh: make again what stands.

    Raises:
        ConfigError: a query is none, a table is not there or made of itself, or a table is another pipeline's.
        StageError: a table could not be made, and the pipeline does not allow partial data.

    """
    return await in_words(_tables(config, data, fresh), data)


async def _tables(config: Pipeline | Path, data: Path, fresh: bool) -> list[Outcome[CommittedTable]]:
    pipeline = read_for_run(config)
    folder = await open_folder(data, pipeline)
    await asyncio.to_thread(_refuse, pipeline, folder)
    watch = await Watch.begin(pipeline, folder, of_stage=True)
    order = order_tables(pipeline)
    outcomes: dict[str, Outcome[CommittedTable]] = {}
    told = TableStory("tables", folder, await asyncio.to_thread(read_tables_before, order, folder))
    async with (
        stage_workers(pipeline.runner, "tables", folder.root) as workers,
        functions_ready(pipeline.tables if workers is None else {}),
        named_run(),
    ):
        for name, inputs in order.items():
            job = MadeTableJob(name, pipeline.tables[name], inputs, folder, pipeline.name)
            wait_for = [outcomes[each] for each in inputs if each in outcomes]
            waiting = _waiting(name, inputs, outcomes)
            outcomes[name] = waiting or await told.follow(_make(job, wait_for, workers, fresh=fresh))
    told.end()
    made = [each for each in outcomes.values() if not isinstance(each, Failed)]
    failed = [each for each in outcomes.values() if isinstance(each, Failed)]
    checked = [name for name, table in pipeline.tables.items() if table.checks or table.key]
    await asyncio.gather(
        report_made_tables(pipeline.name, made, order), report_findings(pipeline.name, made, checked, folder)
    )
    await watch.tell()
    return completed(end_stage("tables", list(outcomes.values()), failed, pipeline), sum_up_tables(made))


async def _make(
    job: MadeTableJob, after: Sequence[Outcome[CommittedTable]], workers: StageWorkers | None, *, fresh: bool
) -> Outcome[CommittedTable]:
    told = {"tidemill.stage": "tables", "tidemill.table": job.name}
    return await in_span("table", told, make_one(job, job.name, fresh=fresh, workers=workers, wait_for=after))


def _refuse(pipeline: Pipeline, folder: DataFolder) -> None:
    if mistakes := find_table_mistakes(pipeline):
        raise ConfigError(mistakes)
    refuse_foreign(pipeline, folder)


def _waiting(name: str, inputs: tuple[str, ...], outcomes: dict[str, Outcome[CommittedTable]]) -> Failed | None:
    """Return that a table is not made, where one that it is made of was not."""
    lacking = [each for each in inputs if isinstance(outcomes.get(each), Failed)]
    return Failed(f"tables.{name}: is not made, for {lacking[0]} is not") if lacking else None
