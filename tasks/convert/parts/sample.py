"""A sample of a table's rows: those kept of parts as they were written, and of other parts what is read."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from tasks.convert.parts.part import StoredPart
from tasks.convert.schema.names import FILE, LINE

COLUMNS_SHOWN = 60
SAMPLE_ROWS = 20_000
SAMPLE_PARTS = 24  # that the sample is spread over, and row groups of those that are read
READ_CELLS = 12_000_000  # decoded for the sample at most: about 0.15 s
READ_AT_ONCE = 4
READ_BYTES = 32 * 1024 * 1024  # of one column of one row group, as long texts take
KEPT_BYTES = 2 * 1024 * 1024  # of one part, until the profile is shown

Item = TypeVar("Item")


@dataclass(frozen=True)
class ReadPart:
    """A part, and what its file tells of it."""

    part: StoredPart
    footer: pq.FileMetaData

    @cached_property
    def places(self) -> dict[str, int]:
        """Return where each column stands in the file."""
        return {self.footer.schema.column(number).path: number for number in range(len(self.footer.schema))}


@dataclass(frozen=True)
class _Kept:
    """Rows kept of a part: how many it had, in which columns."""

    rows: int
    schema: pa.Schema
    sample: pa.Table


class Samples:
    """Rows kept of the parts that a run writes: of the first by lot, so many of each as make a sample.

    To read them again took a sixth of the time of a conversion. No dataclass:
    Prefect would look for futures in the rows.

    Args:
        parts: how many are expected at least; of fewer, more rows of each are kept.
        names: those of parts that are sure to come, so that nothing is kept of one that has to give way to them.

    """

    def __init__(self, parts: int, names: Iterable[str] = ()) -> None:
        self._rows = SAMPLE_ROWS // min(max(parts, 1), SAMPLE_PARTS)
        self._drawn = heapq.nsmallest(SAMPLE_PARTS, map(_lot, names))
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the lock, so that a worker may keep rows, too."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())

    def begin(self) -> Samples:
        """Return where another process keeps rows of its parts of the same table; nothing is there yet."""
        begun = Samples(0)
        begun._rows, begun._drawn = self._rows, self._drawn
        return begun

    def add(self, other: Samples) -> None:
        """Take what another process has kept, as if it had been kept here."""
        for name, kept in other._kept.items():
            with self._lock:
                if not self._gives_way(name):
                    self._keep(name, kept)

    def keep(self, name: str, part: pa.Table) -> None:
        """Keep rows of a part, unless enough others come before it; one whose rows are too long is left to be read."""
        with self._lock:
            if self._gives_way(name):
                return
        shown = part.select([column for column in part.column_names if column not in (FILE, LINE)][:COLUMNS_SHOWN])
        rows = min(self._rows, part.num_rows, KEPT_BYTES * part.num_rows // max(shown.nbytes, 1))
        sample = _thin(shown, rows)
        if not rows or sample.nbytes > KEPT_BYTES:  # the long ones may be among them
            return
        with self._lock:
            self._keep(name, _Kept(part.num_rows, part.schema, sample))

    def _gives_way(self, name: str) -> bool:
        """Return whether enough others come before a part."""
        is_late = len(self._drawn) == SAMPLE_PARTS and _lot(name) > self._drawn[-1]
        return is_late or name == _one_too_many({*self._kept, name})

    def _keep(self, name: str, kept: _Kept) -> None:
        self._kept[name] = kept
        self._kept.pop(_one_too_many(self._kept), None)

    def of(self, read: ReadPart) -> pa.Table | None:
        """Return what was kept of a part; None where nothing was, or the part was written anew without some rows or in other types."""
        with self._lock:
            kept = self._kept.get(read.part.name)
        if kept is None or kept.rows != read.footer.num_rows:
            return None
        return kept.sample if kept.schema.equals(read.footer.schema.to_arrow_schema()) else None


def _one_too_many(names: Collection[str]) -> str:
    return max(names, key=_lot) if len(names) > SAMPLE_PARTS else ""


def _lot(name: str) -> int:
    """Return where a name stands in an order by chance, always the same: every third file may be that of the same month."""
    return xxhash.xxh3_64_intdigest(name.encode())


def draw(items: Sequence[Item], count: int, name: Callable[[Item], str]) -> Sequence[Item]:
    """Return so many of the items, the first by their names' lots, in the order that they had."""
    if len(items) <= count:
        return items
    chosen = heapq.nsmallest(count, range(len(items)), key=lambda place: _lot(name(items[place])))
    return [items[place] for place in sorted(chosen)]


def _thin(table: pa.Table, rows: int) -> pa.Table:
    """Return so many rows, or all that there are, at equal distances."""
    if table.num_rows <= rows:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, rows).astype(np.int64)))


def sample_rows(
    parts: Sequence[ReadPart], names: Sequence[str], samples: Samples | None
) -> tuple[dict[str, pa.ChunkedArray], int]:
    """Return rows by column, spread over the parts, and how many rows these are."""
    filled = [read for read in parts if read.footer.num_rows]
    whole = sum(read.footer.num_rows for read in filled) <= SAMPLE_ROWS
    tables: list[pa.Table] = []
    groups: list[tuple[ReadPart, int]] = []
    for read in filled if whole else draw(filled, SAMPLE_PARTS, lambda read: read.part.name):
        kept = None if whole or samples is None else samples.of(read)
        if kept is not None:
            tables.append(_chosen(kept, names))
        else:
            groups += [(read, n) for n in range(read.footer.num_row_groups) if read.footer.row_group(n).num_rows]
    drawn = groups if whole else draw(groups, SAMPLE_PARTS, lambda group: f"{group[0].part.name} {group[1]}")
    share = max(len(tables) + len(drawn), 1)
    rows = SAMPLE_ROWS if whole else SAMPLE_ROWS // share
    cells = max(READ_CELLS // max(len(names), 1) // share, rows)

    def read_group(group: tuple[ReadPart, int]) -> pa.Table:
        return _thin(_read_group(*group, names, cells), rows)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, READ_AT_ONCE)) as threads:
        tables += threads.map(read_group, drawn)
    pieces: dict[str, list[pa.Array]] = {name: [] for name in names}
    for table in tables:
        for name, column in zip(table.column_names, _thin(table, rows).columns, strict=True):
            pieces[name] += _decoded(column).chunks
    sampled = sum(min(table.num_rows, rows) for table in tables)
    return {name: pa.chunked_array(chunks) for name, chunks in pieces.items() if chunks}, sampled


def _read_group(read: ReadPart, number: int, names: Sequence[str], rows: int) -> pa.Table:
    """Return the first rows of a row group, without the columns whose texts are too long to be read for it."""
    group = read.footer.row_group(number)
    wanted = [
        name
        for name in names
        if name in read.places and group.column(read.places[name]).total_uncompressed_size <= READ_BYTES
    ]
    count = min(rows, group.num_rows)
    table = pa.table({"": pa.nulls(count)}).select([])
    if wanted:
        texts = [name for name in wanted if read.footer.schema.column(read.places[name]).physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(read.part.path, read_dictionary=texts) as file:  # half the time that texts take
            batches = file.iter_batches(batch_size=count, row_groups=[number], columns=wanted, use_threads=False)
            table = pa.Table.from_batches([next(batches)])
    return _chosen(table, names)


def _chosen(table: pa.Table, names: Sequence[str]) -> pa.Table:
    return table.select([name for name in table.column_names if name in names])


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
