"""The Prefect task of the tables stage."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import MadeTable
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import RunnerError, TableError
from tasks.core.escaping import count
from tasks.core.locks import exclusive_lock
from tasks.core.outcome import Failed, Outcome
from tasks.core.progress import ProgressEvent, emit
from tasks.core.storage import explain_disk_failure, hash_file
from tasks.core.story import quiet_engine
from tasks.runners.worker_check import check_run, make_own_folder, place_for_workers
from tasks.runners.workers import StageWorkers, refuse_stopped
from tasks.tables.function import write_function
from tasks.tables.made import CallFunction, MadeTableJob, make_table

_STOPS_S = 5.0


@task(name="call function", task_run_name="function of {name}", cache_policy=NO_CACHE, persist_result=False)
def call_elsewhere(name: str, table: MadeTable, tables: Mapping[str, Path], place: Path) -> tuple[Path, dict[str, str]]:
    """Call a table's function on a worker, which writes the rows into a folder of its own within `place`.

    A unit of its own because it is what is done elsewhere. Not retried by Prefect:
    where its worker is killed, the cluster runs it again. It is ended once the run
    has ended, which has removed `place`: no cluster ends what has begun.
    """
    quiet_engine()  # in the process of a worker, which knows no flow
    return write_function(name, table, tables, make_own_folder(place), partial(check_run, place))


def _calling(job: MadeTableJob, workers: StageWorkers | None, stop: threading.Event) -> CallFunction:
    """Return what calls a table's function until `stop` is set, in a process of this machine or on a worker."""
    if workers is None:
        return partial(write_function, look=partial(refuse_stopped, stop))

    def call(name: str, table: MadeTable, tables: Mapping[str, Path], staged: Path) -> tuple[Path, dict[str, str]]:
        with place_for_workers(job.versions.home) as place:
            asked = {"name": name, "table": table, "tables": dict(tables), "place": place}
            made, texts = workers.call(call_elsewhere, stop, **asked)
            _refuse_other_texts(name, texts)
            staged.mkdir(parents=True, exist_ok=True)
            return made.replace(staged / made.name), texts

    return call


def _refuse_other_texts(name: str, texts: Mapping[str, str]) -> None:
    """Raise where a worker has called a function of other files than this machine has: another table would stand as right."""
    for path, digest in texts.items():
        here = Path(path)
        if not here.is_file() or hash_file(here) != digest:
            raise RunnerError(
                f"runner: a worker has another {path} than this machine, of which tables.{name} would be another table; "
                "give all workers the same files, start them again, and run again"
            )


@task(name="make table", task_run_name="table {name}", cache_policy=NO_CACHE, persist_result=False)
async def make_one(
    job: MadeTableJob, name: str, *, fresh: bool, workers: StageWorkers | None = None
) -> Outcome[CommittedTable]:
    """Make a table in a thread, its function on a worker where there are some, or find that it stands.

    A unit of its own because it is committed as a whole. Not retried: the same
    query, or function, over the same tables fails the same way.
    """
    stop = threading.Event()
    held = TableError(f"tables.{name}: another run is making it; wait until it has ended")
    try:
        async with exclusive_lock(job.versions.home, held):
            try:
                work = asyncio.ensure_future(
                    asyncio.to_thread(make_table, job, stop, fresh=fresh, call=_calling(job, workers, stop))
                )
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
