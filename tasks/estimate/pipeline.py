"""What a run of a pipeline would read and take, part by part, and what of it will not fit in the memory or on the disk that there is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from tasks.config import PartedSource, Pipeline
from tasks.config.runners import RemoteRunner
from tasks.convert.table.conversion import CORES
from tasks.convert.table.inputs import list_raw
from tasks.convert.table.manifest import read_table_manifest
from tasks.core.bucket.opened import bucket_of
from tasks.core.errors import TidemillError
from tasks.core.escaping import count
from tasks.core.memory import Memory, find_memory
from tasks.core.storage import DataFolder
from tasks.estimate.conversion import estimate_conversion
from tasks.estimate.estimate import Estimate, Stage, write_bytes
from tasks.estimate.size import TableSize, find_size
from tasks.raw.children import with_kept_children

RUN_BYTES = 300 * 2**20
"""What the process of a run has imported."""
WORKER_BYTES = 150 * 2**20
"""The same of a process in which a candidate is fitted."""
_TASKS_AT_MOST = 64  # of one source, in ingest


@dataclass(frozen=True)
class Estimates:
    """The parts of a run, and in sentences what will not fit, and what will spill and where to."""

    parts: Sequence[Estimate]
    shortages: Sequence[str]
    spills: Sequence[str]


def estimate_pipeline(
    config: Pipeline, folder: DataFolder, runs: Callable[[Stage], bool], *, in_stores: bool
) -> Estimates:
    """Return what the stages that are run would take; files in stores are listed where `in_stores` says so."""
    parts: list[Estimate] = []
    sizes: dict[str, TableSize | None] = {}
    for name, fetched in config.parted.items():
        if runs("ingest"):
            parts.append(_estimate_ingest(name, fetched, folder))
    for name, source in config.converted.items():
        if not runs("convert"):
            sizes[name] = find_size(folder.table(name), read_table_manifest(folder.table(name)).total)
            continue
        try:
            found = estimate_conversion(name, source, folder, in_stores=in_stores)
        except TidemillError:  # which a run tells, with its cure
            parts.append(Estimate("convert", name, "cannot be told"))
            continue
        sizes[name] = found.table
        parts.append(found.estimate)
    if config.tables or config.training or config.export:
        parts += _estimate_others(config, folder, runs, sizes)
    memory = find_memory()
    shortages = [*_lacks_of_memory(config, parts, memory), *_lacks_of_room(parts, folder)]
    return Estimates(parts, shortages, list(_spills(parts)))


def _estimate_others(
    config: Pipeline, folder: DataFolder, runs: Callable[[Stage], bool], sizes: dict[str, TableSize | None]
) -> Iterator[Estimate]:
    from tasks.estimate.tables import estimate_exports, estimate_tables  # noqa: PLC0415 - of these alone is DuckDB wanted
    from tasks.estimate.training import estimate_training  # noqa: PLC0415 - the same

    made = estimate_tables(config, folder, sizes)
    yield from made if runs("tables") else ()
    if config.training is not None and runs("train"):
        yield from estimate_training(config, config.training, folder, sizes)
    yield from estimate_exports(config, sizes) if runs("export") else ()


def _estimate_ingest(name: str, source: PartedSource, folder: DataFolder) -> Estimate:
    """Return what is landed of a source: how much a server has is known once it has answered."""
    if bucket_of(folder.root, "raw"):  # to be looked at it would be fetched
        return Estimate("ingest", name, "in the bucket")
    known = with_kept_children(source, folder.raw(name))
    if known is None:
        return Estimate("ingest", name, "partitions of other tables' rows")
    landed = list_raw(known, folder.raw(name), folder.root)
    partitions = len(landed.missing) + len({file.path for file in landed.files})
    told = count(partitions, "partition") + (f", {len(landed.missing):,} to fetch" if landed.missing else "")
    size = sum(file.size for file in landed.files)
    rows = None if landed.missing else sum(file.rows or 0 for file in landed.files)
    tasks = min(partitions, _TASKS_AT_MOST)
    return Estimate("ingest", name, told, None if landed.missing else size, rows=rows, task_runs=tasks)


def _lacks_of_memory(config: Pipeline, parts: Sequence[Estimate], memory: Memory) -> Iterator[str]:
    room = max(0, memory.free - RUN_BYTES)
    elsewhere = isinstance(config.runner, RemoteRunner)  # whose workers have memory of their own
    for part in parts:
        yield from (f"{part.stage} {part.part}: {doubt}" for doubt in part.doubts)
        taken = part.memory_bytes or 0
        if part.stage == "train" and part.task_runs != 0:
            yield from _lacks_of_fits(config, part, room)
        elif taken > room and not (elsewhere and _is_handed_over(config, part)):
            yield f"{part.stage} {part.part}: {_told(taken, room)}; {part.cure}"
    held = [each for part in parts if part.stage == "convert" for each in part.held]
    together = sum(each.memory_bytes for each in nlargest(CORES, held, key=lambda each: each.memory_bytes))
    if together > room and not elsewhere and all((part.memory_bytes or 0) <= room for part in parts if part.held):
        yield f"convert: {_told(together, room)} for files of several sources that are read as a whole; run one source after the other, or write them as JSON lines or CSV"


def _is_handed_over(config: Pipeline, part: Estimate) -> bool:
    """Return whether a part is done where the pipeline's runner is: files and functions are, SQL is not."""
    return part.stage == "convert" or (part.stage == "tables" and config.tables[part.part].python is not None)


def _lacks_of_fits(config: Pipeline, part: Estimate, room: int) -> Iterator[str]:
    runner = config.training_runner
    if part.memory_bytes is None or isinstance(runner, RemoteRunner):
        return
    workers = getattr(runner, "workers", None) or CORES
    each = part.memory_bytes + WORKER_BYTES
    if each * workers > room:
        fewer = room // each
        cure = f"set training.runner.workers: {fewer}" if fewer else "learn from fewer rows: training.sample_rows"
        yield f"train {part.part}: {_told(each * workers, room)} for {count(workers, 'fit')} at once; {cure}"


def _told(taken: int, room: int) -> str:
    return f"needs about {write_bytes(taken)} of memory, and about {write_bytes(room)} are there"


def _lacks_of_room(parts: Sequence[Estimate], folder: DataFolder) -> Iterator[str]:
    taken = sum(part.disk_bytes or 0 for part in parts) + max((part.spill_bytes for part in parts), default=0)
    free = free_room(folder.root)
    if taken > free:
        yield f"{folder.root}: what a run leaves there takes about {write_bytes(taken)}, and {write_bytes(free)} are free on its disk; make room, or name a data folder elsewhere"


def _spills(parts: Sequence[Estimate]) -> Iterator[str]:
    for part in parts:
        if part.spill is not None:
            free = free_room(part.spill)
            yield f"{part.stage} {part.part}: spills up to about {write_bytes(part.spill_bytes)} to {part.spill}, where {write_bytes(free)} are free"


def free_room(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder, which need not be there yet."""
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.is_dir())).free
