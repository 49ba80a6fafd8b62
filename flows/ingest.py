"""Every source of an API, of web pages and of a database, its partitions concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from pathlib import Path

from prefect import flow

from flows.cancellation import end_parts
from flows.parameters import Config, Partitions
from flows.parents import ParentTables
from flows.stage import completed, end_stage, in_words, name_run, open_folder, read_for_run
from flows.story import PartStory, is_fetched, landed, sum_up_ingest
from flows.telemetry import in_span
from tasks.config import PartedSource, Pipeline
from tasks.convert.tasks import convert_named
from tasks.core.concurrency import gather_all
from tasks.core.story import warn
from tasks.ingest.api.response import find_in_body
from tasks.ingest.http.client import open_client
from tasks.ingest.results import LandedSource, RequestWarnings
from tasks.ingest.scraping.browsers import open_browsers
from tasks.ingest.scraping.robots import Robots
from tasks.ingest.tasks import Ingest, SecretBlocks
from tasks.raw.owners import refuse_foreign
from tasks.raw.selection import choose_slice
from tasks.reports.artifacts import report_ingest
from tasks.reports.progress import ProgressArtifacts


@flow(name="ingest", flow_run_name=name_run, on_cancellation=[end_parts], persist_result=False)
async def ingest(
    config: Config, data: Path = Path("data"), fresh: bool = False, partitions: Partitions = None
) -> list[LandedSource]:
    """Fetch what is not landed yet of every source that is no files into `data/raw`.

    Args:
        config: the pipeline, or the path of its file.
        data: the data folder.
        fresh: fetch again what is landed already.
        partitions: the slice to fetch, e.g. `month=3..5 origin=EWR`; without it all.

    Raises:
        ConfigError: the slice is not one of this pipeline, or a table is another pipeline's.
        StageError: a partition failed for good, and the pipeline does not allow partial data.

    """
    return await in_words(_ingest(config, data, fresh, partitions), data)


async def _ingest(config: Pipeline | Path, data: Path, fresh: bool, partitions: str | None) -> list[LandedSource]:
    pipeline = read_for_run(config)
    folder = await open_folder(data, pipeline)
    part = choose_slice(partitions, pipeline)
    await asyncio.to_thread(refuse_foreign, pipeline, folder)
    told = PartStory("ingest")
    warnings, progress = RequestWarnings(warn), ProgressArtifacts(pipeline.name, "ingest")
    async with (
        open_client(pipeline.fetched.values(), warnings.warn, find_in_body, SecretBlocks()) as client,
        open_browsers() as browsers,
    ):
        robots = Robots(client.throttle, client.warn)
        common = Ingest(client, robots, browsers, fresh, part, warnings, progress.show, folder.root)
        parents = ParentTables(
            pipeline,
            folder,
            partial(convert_named, pipeline, folder=folder, fresh=fresh, only=part),
        )
        sources = await gather_all(pipeline.parted.items(), lambda item: _told(_land(parents, *item, common), told))
    told.end()
    for warning in (warning for source in sources for warning in source.warnings):
        warn(warning)
    await report_ingest(pipeline.name, sources)
    failed = [failed for source in sources for failed in source.failed]
    return completed(end_stage("ingest", sources, failed, pipeline), sum_up_ingest(sources))


async def _told(landing: Awaitable[LandedSource], story: PartStory) -> LandedSource:
    source = await landing
    story.tell(landed(source), is_new=is_fetched(source))
    return source


async def _land(parents: ParentTables, name: str, source: PartedSource, common: Ingest) -> LandedSource:
    told = {"tidemill.stage": "ingest", "tidemill.source": name}
    return await in_span("source", told, parents.land(name, source, common))
