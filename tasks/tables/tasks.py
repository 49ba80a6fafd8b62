"""The Prefect task of the tables stage."""

from __future__ import annotations

import asyncio
import threading

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.convert.table.state import CommittedTable
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.locks import exclusive_lock
from tasks.core.outcome import Failed, Outcome
from tasks.core.progress import ProgressEvent, emit
from tasks.core.storage import explain_disk_failure
from tasks.tables.made import MadeTableJob, make_table

_STOPS_S = 5.0


@task(name="make table", task_run_name="table {name}", cache_policy=NO_CACHE, persist_result=False)
async def make_one(job: MadeTableJob, name: str, *, fresh: bool) -> Outcome[CommittedTable]:
    """Make a table in a thread, or find that it stands.

    A unit of its own because it is committed as a whole. Not retried: the same
    query, or function, over the same tables fails the same way.
    """
    stop = threading.Event()
    held = TableError(f"tables.{name}: another run is making it; wait until it has ended")
    try:
        async with exclusive_lock(job.versions.home, held):
            try:
                work = asyncio.ensure_future(asyncio.to_thread(make_table, job, stop, fresh=fresh))
                made = await asyncio.shield(work)
            except asyncio.CancelledError:
                stop.set()  # a thread cannot be cancelled, and would go on with the query
                await asyncio.wait([work], timeout=_STOPS_S)
                raise
            finally:
                await asyncio.to_thread(job.versions.sweep)
    except TableError as error:
        return Failed(str(error), part=name)
    except OSError as error:
        return Failed(f"tables.{name}: {explain_disk_failure(error, job.versions.home)}", part=name)
    emit(ProgressEvent("tables", name, 1, 1, f"{count(made.rows_table, 'row')}" if made.rows_new else "nothing new"))
    return made
