"""The Prefect task of the export stage."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.core.errors import ExportError, TidemillError
from tasks.core.escaping import count
from tasks.core.locks import exclusive_lock
from tasks.core.outcome import Failed, Outcome
from tasks.core.progress import ProgressEvent, emit
from tasks.core.storage import explain_disk_failure
from tasks.export.job import Exported, ExportJob, export_table
from tasks.ingest.tasks import read_secret


@task(
    name="export table",
    task_run_name="export {job.table} to {job.export.to}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def export_one(job: ExportJob, *, fresh: bool) -> Outcome[Exported]:
    """Write a table to a target in a thread, or find that it stands there.

    A unit of its own because it is there as a whole or not at all. Not retried: a
    target that is taken, or refuses, does so again.
    """
    key = f"export.{job.table}"
    held = ExportError(f"{key}: another run writes to {job.export.to}; wait until it has ended")
    try:
        async with exclusive_lock(job.home, held):
            password = None
            if job.export.password is not None:
                password, _ = await read_secret(f"{key}.password", job.export.password)
            made = await asyncio.to_thread(export_table, job, password, fresh=fresh)
    except TidemillError as error:
        said = str(error)
        return Failed(said if said.startswith(key) else f"{key}: {said}")
    except OSError as error:
        return Failed(f"{key}: {explain_disk_failure(error, job.root)}")
    emit(ProgressEvent("export", job.table, 1, 1, f"{count(made.rows, 'row')}" if made.written else "nothing new"))
    return made
