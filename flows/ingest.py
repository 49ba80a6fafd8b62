"""Every api and pages source, its partitions concurrently."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.stage import name_run, settle
from tasks.concurrency import gather_all
from tasks.ingest.client import open_client
from tasks.ingest.tasks import LandedSource, land_source
from tasks.report import report_ingest
from tasks.spec import Pipeline, read_pipeline
from tasks.store import DataFolder


@flow(name="ingest", flow_run_name=name_run, persist_result=False)
async def ingest(spec: Pipeline | Path, data: Path = Path("data"), fresh: bool = False) -> list[LandedSource]:
    """Fetch what is not landed yet of every api and pages source into `data/raw`.

    Args:
        spec: the pipeline, or the path of its file.
        data: the data folder.
        fresh: fetch again what is landed already.

    Raises:
        StageError: a partition failed for good, and the pipeline does not allow partial data.

    """
    pipeline = read_pipeline(spec)
    folder = DataFolder.at(data)
    async with open_client(pipeline.fetched.values()) as client:
        landed = await gather_all(
            pipeline.fetched.items(), lambda item: land_source(*item, folder.raw(item[0]), client, fresh=fresh)
        )
    await report_ingest(pipeline.name, landed)
    settle("ingest", [sentence for source in landed for sentence in source.sentences], pipeline, landed)
    return landed
