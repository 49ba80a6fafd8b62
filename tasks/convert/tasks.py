"""The Prefect tasks of convert."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.convert.commit import commit_table
from tasks.convert.files import ConvertedFile, InputFile, Target, Types, convert_file
from tasks.convert.job import TableJob, make_job
from tasks.convert.table import (
    CommittedTable,
    describe,
    find_changed,
    find_kept,
    open_table,
    widen_types,
)
from tasks.errors import TableError
from tasks.locks import holding
from tasks.progress import Step, tell
from tasks.slices import Slice
from tasks.spec import Source
from tasks.store import DataFolder

FILES_AT_ONCE = min(4, os.cpu_count() or 1)  # files of one batch in memory together
BATCH_BYTES = 64 * 1024 * 1024
BATCH_FILES = 500


@dataclass(frozen=True)
class Batch:
    """Files of one source that are converted by one task; `label` tells which in the UI."""

    target: Target
    files: Sequence[InputFile]
    types: Types | None
    label: str


@task(
    name="convert files",
    task_run_name="{batch.target.source} {batch.label}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def convert_files(batch: Batch) -> list[ConvertedFile]:
    """Stage the parts of a batch of files.

    A unit of its own because it is what is read together: many small files make
    one task run. Not retried: the same bytes fail the same way again.
    """
    slots = asyncio.Semaphore(FILES_AT_ONCE)

    async def convert_one(file: InputFile) -> ConvertedFile:
        async with slots:
            return await convert_file(file, batch.target, batch.types)

    outcomes = await asyncio.gather(*(convert_one(file) for file in batch.files), return_exceptions=True)
    return _or_raise(outcomes)


@task(name="commit table", task_run_name="{job.name}", cache_policy=NO_CACHE, persist_result=False)
async def commit(job: TableJob, types: Types, files: dict[str, ConvertedFile], files_read: int) -> CommittedTable:
    """Drop duplicates and put all parts of a table in place together.

    A unit of its own because a table changes as a whole, after every one of its
    files is converted.
    """
    committed = await asyncio.to_thread(commit_table, job, types, files)
    return describe(job, types, committed, files_read)


async def convert_source(
    name: str,
    source: Source,
    folder: DataFolder,
    *,
    fresh: bool,
    allow_partial: bool,
    only: Slice | None = None,
) -> CommittedTable | str:
    """Make a source's table of what lies in the data folder; return why not where that fails.

    With `only`, partitions that this slice does not cover may be missing.
    """
    try:
        job = await asyncio.to_thread(make_job, name, source, folder, allow_partial=allow_partial, only=only)
        held = TableError(f"another run is converting into {job.parts}; wait until it has ended")
        async with holding(job.parts, held):
            return await _convert_job(job, fresh=fresh)
    except TableError as error:
        sentence = "\n".join(f"source {name}: {line}" for line in str(error).splitlines())
        get_run_logger().warning(sentence)
        return sentence


async def _convert_job(job: TableJob, *, fresh: bool) -> CommittedTable:
    """Convert what is new or changed of a source, widen its types over all files, and commit its table.

    Raises:
        TableError: a file could not be converted; the table is as it was.

    """
    manifest = await asyncio.to_thread(open_table, job, fresh=fresh)
    changed = await asyncio.to_thread(find_changed, job, manifest)
    names = {file.name for file in job.inputs}
    kept = await asyncio.to_thread(find_kept, job, manifest)
    if not changed and kept.keys() == manifest.files.keys():
        tell(Step("convert", job.name, len(names), len(names), "nothing new"))
        return describe(job, manifest.types, kept, files_read=0)
    files = kept | await _convert_all(job, changed, types=None, label="files")
    types = widen_types(job, files)
    narrower = [file for file in job.inputs if _must_widen(file, changed, files, types, manifest.types)]
    widened = await _convert_all(job, narrower, types=types, label="files, widened")
    return await commit(job, types, files | widened, files_read=len(changed))


def _must_widen(
    file: InputFile,
    changed: Sequence[InputFile],
    files: dict[str, ConvertedFile],
    types: Types,
    before: Types,
) -> bool:
    """Return whether a file's part has other columns or types than its table will have."""
    has = files[file.name].types if file in changed else before
    return list(has.items()) != list(types.items())


async def _convert_all(
    job: TableJob, files: Sequence[InputFile], types: Types | None, label: str
) -> dict[str, ConvertedFile]:
    converted: dict[str, ConvertedFile] = {}
    for batch in await asyncio.to_thread(_batches, files):
        which = f"{label} {len(converted) + 1}-{len(converted) + len(batch)} of {len(files)}"
        for file in await convert_files(Batch(job.target, batch, types, which)):
            converted[file.name] = file
        rows = sum(file.rows_table for file in converted.values())
        tell(Step("convert", job.name, len(converted), len(files), f"{rows:,} rows"))
    return converted


def _batches(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Return the files in batches of at most `BATCH_BYTES` or one file, and `BATCH_FILES`."""
    batches: list[list[InputFile]] = []
    room = 0
    for file in files:
        size = file.path.stat().st_size
        if not batches or size > room or len(batches[-1]) == BATCH_FILES:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(file)
        room -= size
    return batches


def _or_raise(outcomes: Sequence[ConvertedFile | BaseException]) -> list[ConvertedFile]:
    """Return the converted files; raise one TableError with every file that failed."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in failures:
        if not isinstance(failure, TableError):
            raise failure
    if failures:
        raise TableError("\n".join(map(str, failures)))
    return [outcome for outcome in outcomes if isinstance(outcome, ConvertedFile)]
