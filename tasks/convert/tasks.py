"""The Prefect tasks of convert."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar
from weakref import WeakKeyDictionary

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import Pipeline, Source
from tasks.convert.staging.block import sync_parts
from tasks.convert.staging.bundle import may_be_joined
from tasks.convert.staging.context import ConversionContext, ConversionResult, InputFile
from tasks.convert.staging.file import ConversionThreads, convert_file
from tasks.convert.staging.gathering import GATHERED_FILES, gather_files
from tasks.convert.staging.joining import join_files
from tasks.convert.staging.remote_batch import RemoteBatch, StagedElsewhere
from tasks.convert.table.account import audit_table
from tasks.convert.table.commit import commit_table
from tasks.convert.table.conversion import CORES, THREADS, Convert, StagedBatch, draft_table
from tasks.convert.table.damage import warn_of_lost_rejects
from tasks.convert.table.draft import Draft, other_encodings
from tasks.convert.table.findings import check_current, report_of
from tasks.convert.table.guesses import gather_guesses
from tasks.convert.table.inbox import warn_of_changed_rows, warn_of_copied_files
from tasks.convert.table.inputs import name_part
from tasks.convert.table.job import Batch, TableJob, make_job
from tasks.convert.table.state import (
    CommittedTable,
    check_letter_case,
    find_changed,
    find_kept,
    open_table,
    state_of_table,
)
from tasks.core.errors import TableError
from tasks.core.escaping import count
from tasks.core.garbage_collection import tuned_gc
from tasks.core.imports import import_once
from tasks.core.isolation.client import calls_end
from tasks.core.locks import exclusive_lock
from tasks.core.memory import keep_freed_memory
from tasks.core.outcome import Failed, Outcome
from tasks.core.progress import ProgressEvent, emit
from tasks.core.storage import DataFolder, explain_disk_failure
from tasks.core.story import quiet_engine, tell
from tasks.raw.selection import PartitionSelection
from tasks.runners.worker_check import place_for_workers
from tasks.runners.workers import StageWorkers

FILES_AT_ONCE = 2 * CORES  # of one batch; how much of them is in memory, the workers' blocks bound
FILES_ELSEWHERE = 2  # of one batch, in one thread of a worker: the next is opened while one is parsed
BLOCKS_ELSEWHERE = 2

Converted = TypeVar("Converted", ConversionResult, ConversionResult | None)

_workers: WeakKeyDictionary[asyncio.AbstractEventLoop, ConversionThreads] = WeakKeyDictionary()


@task(name="convert files", task_run_name="{label}", cache_policy=NO_CACHE, persist_result=False)
async def convert_files(batch: Batch, label: str) -> StagedBatch:  # noqa: ARG001 - the label is the run's name
    """Stage the parts of a batch of files.

    A unit of its own because it is what is read together: many small files make
    one task run. Not retried: the same bytes fail the same way again.
    """
    workers = _workers.setdefault(asyncio.get_running_loop(), ConversionThreads(THREADS, asyncio.Semaphore(CORES + 1)))
    return StagedBatch(await _convert_units(batch.units, batch.plan, workers, FILES_AT_ONCE))


@task(name="convert files", task_run_name="{label}", cache_policy=NO_CACHE, persist_result=False)
async def convert_files_elsewhere(batch: RemoteBatch, label: str) -> StagedElsewhere:  # noqa: ARG001 - the same
    """Stage the parts of a batch of files on a worker of another process, in one of its threads.

    The same unit as here. Not retried by Prefect: where its worker is killed,
    the cluster runs it again, and it then stages everything anew.
    """
    quiet_engine()  # in the process of a worker, which knows no flow
    await asyncio.to_thread(import_once, "pandas")
    async with calls_end():
        with batch.begun() as (units, plan, folder), ThreadPoolExecutor(1, thread_name_prefix="convert") as thread:
            workers = ConversionThreads(thread, asyncio.Semaphore(BLOCKS_ELSEWHERE), asyncio.Semaphore(1))
            results = await _convert_units(units, plan, workers, FILES_ELSEWHERE, batch.check_run)
            return StagedElsewhere(results, folder, plan.samples)


async def _convert_units(
    units: Sequence[Sequence[InputFile]],
    plan: ConversionContext,
    workers: ConversionThreads,
    at_once: int,
    check: Callable[[], None] = lambda: None,
) -> list[ConversionResult]:
    """Return what units of files came to, so many of them at once; `check` is called before each."""
    keep_freed_memory()
    slots = asyncio.Semaphore(at_once)

    async def convert_unit(unit: Sequence[InputFile]) -> list[ConversionResult]:
        async with slots:
            await asyncio.to_thread(check)
            return await _convert_unit(unit, plan, workers)

    outcomes = await asyncio.gather(*map(convert_unit, units), return_exceptions=True)
    return _or_raise(outcomes)


@asynccontextmanager
async def _converting(job: TableJob, workers: StageWorkers | None) -> AsyncIterator[Convert]:
    """Yield what converts batches of a table's files, in this process or by workers, for as long as the block runs."""
    if workers is None:
        yield convert_files
        return
    made_there = place_for_workers(job.versions.home)
    place = await asyncio.to_thread(made_there.__enter__)

    async def convert(batch: Batch, label: str) -> StagedBatch:
        remote = await asyncio.to_thread(RemoteBatch, batch.units, batch.plan, job.root, place)
        ended = await workers.run(convert_files_elsewhere, batch=remote, label=label)
        return ended.known_as(StagedBatch(await asyncio.to_thread(ended.value.take, job.root, batch.plan)))

    try:
        yield convert
    finally:
        await asyncio.to_thread(made_there.__exit__, None, None, None)


class Commitment:
    """A draft to be committed; no dataclass, as a batch is none."""

    def __init__(self, draft: Draft, files_read: int) -> None:
        self.draft = draft
        self.files_read = files_read


@task(name="commit table", task_run_name="table {source}", cache_policy=NO_CACHE, persist_result=False)
async def commit_converted(
    commitment: Commitment,
    source: str,  # noqa: ARG001 - the run's name
    staged: Sequence[StagedBatch],  # noqa: ARG001 - what it comes after in the run's graph
) -> CommittedTable:
    """Drop duplicates and put all parts of a table in place together.

    A unit of its own because a table changes as a whole, after every one of its
    files is converted.
    """
    draft = commitment.draft
    files = await asyncio.to_thread(commit_table, draft)
    return state_of_table(draft.job, draft.types, files, commitment.files_read)


async def convert_named(
    pipeline: Pipeline,
    name: str,
    folder: DataFolder,
    *,
    fresh: bool,
    only: PartitionSelection | None,
    workers: StageWorkers | None = None,
) -> Outcome[CommittedTable]:
    """Make the table of a source, or of elements of its records, that a pipeline has by a name; its files are converted here, or by workers."""
    return await convert_source(
        name,
        pipeline.converted[name],
        folder,
        fresh=fresh,
        allow_partial=pipeline.allow_partial,
        only=only,
        pipeline=pipeline.name,
        workers=workers,
    )


async def convert_source(  # noqa: PLR0913 - what a run says of a table
    name: str,
    source: Source,
    folder: DataFolder,
    *,
    fresh: bool,
    allow_partial: bool,
    only: PartitionSelection | None = None,
    pipeline: str = "",
    workers: StageWorkers | None = None,
) -> Outcome[CommittedTable]:
    """Make a source's table of what lies in the data folder.

    With `only`, partitions that this slice does not cover may be missing.
    """
    try:
        job = await asyncio.to_thread(
            make_job, name, source, folder, allow_partial=allow_partial, only=only, pipeline=pipeline
        )
        held = TableError(f"another run is converting into {job.versions.table}; wait until it has ended")
        async with exclusive_lock(job.versions.home, held):
            try:
                with tuned_gc():
                    return await _convert_job(job, workers, fresh=fresh)
            finally:
                await asyncio.to_thread(job.versions.sweep)  # of a run that failed or was interrupted
    except TableError as error:
        sentence = "\n".join(f"source {name}: {line}" for line in str(error).splitlines())
    except OSError as error:
        sentence = f"source {name}: {explain_disk_failure(error, folder.versions(name))}"
    return Failed(sentence, part=name)


async def _convert_job(job: TableJob, workers: StageWorkers | None, *, fresh: bool) -> CommittedTable:
    """Convert what is new or changed of a source, widen its types over all files, and commit its table.

    Raises:
        TableError: a file could not be converted; the table is as it was.

    """
    start = time.monotonic()
    manifest = await asyncio.to_thread(open_table, job, fresh=fresh)
    changed = await asyncio.to_thread(find_changed, job, manifest)
    kept = await asyncio.to_thread(find_kept, job, manifest)
    if not changed and kept.keys() == manifest.files.keys() and manifest.files:
        check_letter_case(job, manifest.types, manifest.parts.values())
        await asyncio.to_thread(check_current, job, manifest)
        emit(ProgressEvent("convert", job.name, len(job.inputs), len(job.inputs), "nothing new"))
        same = state_of_table(job, manifest.types, kept, files_read=0)
        lost = await asyncio.to_thread(warn_of_lost_rejects, job, manifest)
        audited = audit_table(job, kept, manifest.types, parts=manifest.parts.values(), spellings=manifest.spellings)
        warnings = (*audited, *lost, *warn_of_copied_files(job, kept))
        guesses = gather_guesses(kept, manifest.parts.values(), manifest.types, manifest.spellings)
        return replace(same, findings=replace(await asyncio.to_thread(report_of, job, warnings), guesses=guesses))
    staged: list[StagedBatch] = []
    async with _converting(job, workers) as convert_batch:

        async def convert(batch: Batch, label: str) -> StagedBatch:
            staged.append(await convert_batch(batch, label))
            return staged[-1]

        width = await workers.width() if workers is not None else 0
        draft = await draft_table(job, manifest, changed, convert, width)
    draft.warnings += await asyncio.to_thread(warn_of_lost_rejects, job, manifest)
    draft.warnings += warn_of_copied_files(job, draft.files)
    if not fresh:
        draft.warnings += await asyncio.to_thread(warn_of_changed_rows, draft, manifest, changed)
    for encoding, names in other_encodings(draft).items():
        tell(f"convert {job.name}: {len(names):,} of its files were read as {encoding}, the first is {names[0]}")
    table = await commit_converted(Commitment(draft, len(changed)), job.name, staged)
    if table.records_empty:
        tell(
            f"convert {job.name}: {count(table.records_empty, 'record')} gave no row, as {job.explode} is empty in them"
        )
    guesses = gather_guesses(draft.files, draft.parts.values(), draft.types, draft.spellings)
    for column, counts in guesses.taken.items():
        told = ", ".join(f"{text!r} {count(number, 'time')}" for text, number in counts.items())
        tell(f"convert {job.name}: {told} was taken off the numbers of {column}")
    before = state_of_table(job, manifest.types, {}, files_read=0).types
    seconds = time.monotonic() - start
    found = await asyncio.to_thread(report_of, job, draft.warnings, before, changed, seconds, draft.samples)
    new = sum(draft.files[file.name].rows_received for file in changed if file.name in draft.files)
    return replace(table, rows_new=new, findings=replace(found, guesses=guesses))


async def _convert_unit(
    unit: Sequence[InputFile], plan: ConversionContext, workers: ConversionThreads
) -> list[ConversionResult]:
    if len(unit) == 1:
        return await _convert_alone(unit, plan, workers)
    converted: list[ConversionResult] = []
    others: Sequence[InputFile] = unit
    if may_be_joined(unit[0], plan):
        joined, others = await _together(join_files, unit, plan, workers)
        converted += [joined] if joined is not None else []

    # Of those that are told apart by Python two at once take as long as one after the other, and a quarter more of the processor.
    turns = asyncio.Semaphore(1 if may_be_joined(unit[0], plan) else FILES_AT_ONCE)

    async def gather(files: Sequence[InputFile]) -> list[ConversionResult]:
        async with turns:
            gathered, alone = await _together(gather_files, files, plan, workers)
        return [gathered, *await _convert_alone(alone, plan, workers)]

    pieces = [others[begin : begin + GATHERED_FILES] for begin in range(0, len(others), GATHERED_FILES)]
    return converted + _or_raise(await asyncio.gather(*map(gather, pieces), return_exceptions=True))


async def _convert_alone(
    files: Sequence[InputFile], plan: ConversionContext, workers: ConversionThreads
) -> list[ConversionResult]:
    """Return what became of files, each by itself; those that fail hold up none."""
    outcomes: list[list[ConversionResult] | BaseException] = []
    for file in files:
        try:
            outcomes.append([await convert_file(file, plan, name_part([file.name]), workers)])
        except TableError as error:
            outcomes.append(error)
    return _or_raise(outcomes)


async def _together(
    convert: Callable[[Sequence[InputFile], ConversionContext, str], tuple[Converted, list[InputFile]]],
    files: Sequence[InputFile],
    plan: ConversionContext,
    workers: ConversionThreads,
) -> tuple[Converted, list[InputFile]]:
    """Return what became of small files in one thread, their parts on the disk, and those that are left."""
    async with workers.blocks:
        converted, others = await workers.run(convert, files, plan, name_part([file.name for file in files]))
    if converted is not None:
        await asyncio.to_thread(sync_parts, converted.parts, plan.target)
    return converted, others


def _or_raise(outcomes: Sequence[list[ConversionResult] | BaseException]) -> list[ConversionResult]:
    """Return what was converted; raise one TableError with every file that failed."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in failures:
        if not isinstance(failure, TableError):
            raise failure
    if failures:
        raise TableError("\n".join(map(str, failures)))
    return [each for outcome in outcomes if not isinstance(outcome, BaseException) for each in outcome]
