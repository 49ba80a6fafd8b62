"""What tables made of others, and exports of tables, would read and take, by the sizes of the tables that they name."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.config import MadeTable, Pipeline
from tasks.convert.table.manifest import read_table_manifest
from tasks.core.escaping import count
from tasks.core.sql import half_of_memory
from tasks.core.storage import DataFolder
from tasks.estimate.estimate import Estimate
from tasks.estimate.size import TableSize, find_size
from tasks.tables.order import order_tables

FUNCTION_TIMES, FUNCTION_BYTES = 4, 32 * 2**20
"""Times the bytes of its inputs as columns that a function's memory grows by, and what frames and their writing take at the least: 2.3 MiB took 27 to 47 MiB and 23 MiB 86 to 131, returned as they were, grouped, or copied, sorted and with a column more."""
LESS = "set tables.{}.memory_limit_mb: what is beyond it spills to the disk"
QUERY_BYTES = 16 * 2**20
"""What a query takes beside the rows that it reads."""
_MIB = 2**20


def estimate_tables(config: Pipeline, folder: DataFolder, sizes: dict[str, TableSize | None]) -> list[Estimate]:
    """Return what each made table would read and take; to the `sizes` of the tables of sources theirs are added.

    A table that is not there yet is taken to be as large as the largest that it is made of.
    """
    estimates = []
    for name, inputs in order_tables(config).items():
        table = config.tables[name]
        known = [sizes.get(each) for each in inputs]
        there = find_size(folder.table(name), read_table_manifest(folder.table(name)).total)
        found = [each for each in known if each is not None]
        whole = len(found) == len(known)
        sizes[name] = there or (max(found, key=lambda size: size.memory_bytes) if found and whole else None)
        read = sum(each.memory_bytes for each in found) if whole else None
        estimates.append(_estimate(name, table, len(inputs), read, sizes[name], folder))
    return estimates


def _estimate(
    name: str, table: MadeTable, inputs: int, read: int | None, size: TableSize | None, folder: DataFolder
) -> Estimate:
    limit = table.memory_limit_mb * _MIB if table.memory_limit_mb else None
    told = count(inputs, "table")
    rows, disk = (size.rows, size.memory_bytes) if size else (None, None)
    if table.query is None:
        memory = None if read is None else FUNCTION_BYTES + FUNCTION_TIMES * read
        doubts = []
        if memory is not None and limit is not None and memory > limit:
            doubts.append(f"is likely to be killed at its memory_limit_mb of {table.memory_limit_mb}; raise it")
        cure = "make it by a query, which spills to the disk, or of fewer rows and columns"
        return Estimate("tables", name, told, None, read, rows, memory, 1, disk, cure=cure, doubts=tuple(doubts))
    most = limit or half_of_memory() * _MIB
    spilled = max(0, (read or 0) - most)
    memory = None if read is None else min(QUERY_BYTES + read, most)
    spill = folder.versions(name) if spilled else None
    return Estimate(
        "tables",
        name,
        told,
        None,
        read,
        rows,
        memory,
        1,
        disk,
        spill=spill,
        spill_bytes=spilled,
        cure=LESS.format(name),
    )


def estimate_exports(config: Pipeline, sizes: Mapping[str, TableSize | None]) -> list[Estimate]:
    """Return what each export would write: a batch of rows is in memory at a time."""
    return [
        Estimate(
            "export", name, target.to, None, size.memory_bytes if size else None, size.rows if size else None, None, 1
        )
        for name, targets in config.export.items()
        for target in targets
        for size in [sizes.get(name)]
    ]
