"""The conversion of a table's files into its draft: what is new is converted, and parts are widened to one set of columns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tasks.convert.parts.sample import Samples
from tasks.convert.staging.bundle import SMALL_BYTES, bundle_files
from tasks.convert.staging.context import ColumnOrder, ConversionContext, ConversionResult, InputFile
from tasks.convert.staging.file import BLOCK_BYTES
from tasks.convert.table.commit import widen_part
from tasks.convert.table.draft import Draft
from tasks.convert.table.guesses import refuse_contradictions
from tasks.convert.table.inbox import find_renamed, warn_of_renamed_files
from tasks.convert.table.inputs import name_part
from tasks.convert.table.job import Batch, TableJob, batch_bytes, batch_units, in_order
from tasks.convert.table.manifest import TableManifest
from tasks.convert.table.state import (
    check_declared,
    check_exploded,
    check_letter_case,
    find_kept,
)
from tasks.core.concurrency import gather_all
from tasks.core.escaping import count
from tasks.core.imports import import_once
from tasks.core.progress import ProgressEvent, emit

CORES = os.cpu_count() or 1
THREADS = ThreadPoolExecutor(CORES, thread_name_prefix="convert")
"""What converts, of whichever table: a thread a core."""


class StagedBatch:
    """What the files of a batch came to.

    No list: Prefect knows what a task gave by its address, and would take what lies there later for it in the run's graph.
    """

    def __init__(self, results: Sequence[ConversionResult]) -> None:
        self.results = results


Convert = Callable[[Batch, str], Coroutine[Any, Any, StagedBatch]]


async def draft_table(
    job: TableJob, manifest: TableManifest, changed: Sequence[InputFile], convert: Convert, width: int = 0
) -> Draft:
    """Return the table as it is going to be, every part of it with the same columns and types.

    Batches of files are converted by `convert`, each as a task of its own, by as many workers as `width` where that is
    done elsewhere.

    Raises:
        TableError: a file could not be converted.

    """
    names = {file.name for file in changed}
    await asyncio.to_thread(import_once, "pandas")  # pyarrow's first array does, in whichever of the threads makes it
    kept = await asyncio.to_thread(find_kept, job, manifest)
    frozen = manifest.types if job.source.table.contract == "freeze" and manifest.files else None
    draft = Draft.begin(job, manifest, {name: file for name, file in kept.items() if name not in names})
    draft.samples = _expect_samples(job, changed)
    order = _expect_order(job, draft, names, manifest)
    plan = ConversionContext(
        job.frozen_target if frozen is not None else job.target, frozen, draft.samples, order=order
    )
    draft.add(await _convert_all(plan, job, bundle_files(changed, plan), "files", convert, width))
    renamed = bundle_files(_take_renamed(draft, names), plan)
    draft.add(await _convert_all(plan, job, renamed, "files, again", convert, width))
    refuse_contradictions(draft.files)
    draft.choose_types(frozen)
    check_letter_case(job, draft.types, draft.parts.values())
    check_exploded(job, draft.types, draft.files.values())
    check_declared(job, draft.types, draft.files.values())
    inputs = {file.name: file for file in job.inputs}
    units: dict[str, list[InputFile]] = {}  # those of a part are read again together, and have the types that it had
    before = dict(draft.parts)
    for part, exact in list(draft.to_widen()):
        here = [name for name in part.rows if name in inputs]
        if not exact:
            units |= {here[0]: [inputs[name] for name in here]} if here else {}
            part = draft.leave(part, {*here})  # noqa: PLW2901 - what cannot be read anew
        if part.rows:
            draft.parts[part.name] = await asyncio.get_running_loop().run_in_executor(THREADS, widen_part, draft, part)
    plan = ConversionContext(job.target, draft.types, draft.samples)
    again = [units[name] for name in in_order(job, units)]
    widened = await _convert_all(plan, job, again, "files, widened", convert, width)
    draft.add_widened(widened, before)
    if not draft.types:  # nothing came, and nothing is declared: it is no table yet
        draft.parts.clear()
    return draft


def _expect_samples(job: TableJob, files: Sequence[InputFile]) -> Samples:
    """Return where rows of the parts of files are kept; how many parts there are, and what most are called, is known."""
    alone = [file for file in files if file.size > SMALL_BYTES]
    names = [] if job.target.partition_by else [f"{name_part([file.name])}.parquet" for file in alone]
    return Samples(sum(file.size // BLOCK_BYTES for file in files) + len(alone), names)


def _expect_order(job: TableJob, draft: Draft, changed: AbstractSet[str], manifest: TableManifest) -> ColumnOrder:
    """Return the order of the columns: that of the table where its first file stays, else of the file that is going to be the first."""
    first = next(iter(in_order(job, [*draft.files, *changed])), "")
    return ColumnOrder(first=first) if first in changed else ColumnOrder(tuple(manifest.types))


def _take_renamed(draft: Draft, converted: AbstractSet[str]) -> list[InputFile]:
    """Leave out the files that others took the place of; return those of which rows were dropped, which may come back."""
    stay = {name: file for name, file in draft.files.items() if name not in converted}
    renamed = find_renamed(draft.job, stay, (draft.files[name] for name in converted))
    draft.drop(renamed.keys())
    draft.warnings += warn_of_renamed_files(renamed)
    lessened = {name for name, file in stay.items() if renamed and file.rows_duplicate}
    return [file for file in draft.job.inputs if file.name in lessened]


async def _convert_all(
    plan: ConversionContext,
    job: TableJob,
    units: Sequence[Sequence[InputFile]],
    label: str,
    convert: Convert,
    width: int,
) -> list[ConversionResult]:
    converted: list[ConversionResult] = []
    files = [file for unit in units for file in unit]
    batches = batch_units(job, units, plan, label, batch_bytes(files, width))

    async def convert_batch(batch: Batch) -> None:
        converted.extend((await convert(batch, batch.label)).results)
        done = [file for unit in converted for file in unit.files]
        rows = sum(file.rows_table for file in done)
        emit(ProgressEvent("convert", job.name, len(done), len(files), f"{count(rows, 'row')}", rows))

    await gather_all(batches, convert_batch)
    return converted
