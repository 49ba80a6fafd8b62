"""The profile of a table: nulls and extremes by its parts' statistics, the rest by a bounded sample of its rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.convert.stored import StoredPart

COLUMNS_SHOWN = 60
SAMPLE_ROWS = 20_000
SAMPLE_GROUPS = 24  # row groups that the sample is spread over
READ_CELLS = 12_000_000  # decoded for the sample at most: about 0.15 s
READ_AT_ONCE = 4
READ_BYTES = 32 * 1024 * 1024  # of one column of one row group, as long texts take
PARTS_READ = 1_000  # of which statistics are read; each costs a tenth of a millisecond
BINS = 24
TOP = 3
_WIDEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class ColumnProfile:
    """What one column holds; `distinct`, `bins` and `top` are of the sampled rows, of which `sampled` have a value.

    `bins` are counts between the sample's least and greatest value, of numbers and
    times; `top` the most frequent values of others. `low` and `high` are None
    where statistics tell none.
    """

    name: str
    type: str
    nulls: int | None = None
    low: Any = None
    high: Any = None
    sampled: int = 0
    distinct: int = 0
    bins: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Profile:
    """What a table holds; statistics are of `parts_read` of its parts, and `whole` tells that the sample is all rows."""

    rows: int
    sampled: int
    parts: int
    parts_read: int
    columns: tuple[ColumnProfile, ...]
    columns_left_out: int

    @property
    def whole(self) -> bool:
        """Return whether the sample is all of the table."""
        return self.sampled == self.rows and self.parts_read == self.parts


@dataclass
class _Statistics:
    """What the parts' statistics tell of a column so far; `bounded` is false where one tells no extremes."""

    nulls: int | None = 0
    low: Any = None
    high: Any = None
    bounded: bool = True

    def add(self, rows: int, statistics: pq.Statistics | None) -> None:
        """Take in those of one row group."""
        if statistics is None or not statistics.has_null_count:
            self.nulls, self.bounded = None, False
            return
        if self.nulls is not None:
            self.nulls += statistics.null_count
        if statistics.null_count == rows:
            return
        try:
            low, high = (statistics.min, statistics.max) if statistics.has_min_max else (None, None)
        except (ValueError, OverflowError):  # a time that Python has not
            low = high = None
        if low is None or high is None:
            self.bounded = False
            return
        self._widen(low, high)

    def add_value(self, value: str | None, rows: int) -> None:
        """Take in the one value that so many rows have."""
        if value is not None:
            self._widen(value, value)
        elif self.nulls is not None:
            self.nulls += rows

    def _widen(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


def profile_table(parts: Sequence[StoredPart], types: Mapping[str, str], rows: int) -> Profile:
    """Return the profile of a table of so many rows, in these parts, with columns of these types."""
    names = list(types)[:COLUMNS_SHOWN]
    read = _spread(parts, PARTS_READ)
    metadata = [(part, pq.read_metadata(part.path)) for part in read]
    statistics = {name: _Statistics() for name in names}
    for part, footer in metadata:
        _add_statistics(statistics, part, footer)
    sample, sampled = _sample(metadata, names)
    columns = [_profile_column(name, types[name], statistics[name], sample.get(name)) for name in names]
    return Profile(rows, sampled, len(parts), len(read), tuple(columns), len(types) - len(names))


def _spread(items: Sequence[Any], count: int) -> Sequence[Any]:
    """Return at most so many of the items: by lot, as every third file may be that of the same month, but always the same."""
    if len(items) <= count:
        return items
    chosen = np.random.default_rng(0).choice(len(items), count, replace=False)
    return [items[number] for number in sorted(chosen.tolist())]


def _add_statistics(statistics: Mapping[str, _Statistics], part: StoredPart, footer: pq.FileMetaData) -> None:
    places = _places(footer)
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for name, found in statistics.items():
            if name in part.folders:
                found.add_value(part.told(name), group.num_rows)
            elif name in places:
                found.add(group.num_rows, group.column(places[name]).statistics)
            else:
                found.nulls, found.bounded = None, False


def _places(footer: pq.FileMetaData) -> dict[str, int]:
    return {footer.schema.column(number).path: number for number in range(len(footer.schema))}


def _sample(
    metadata: Sequence[tuple[StoredPart, pq.FileMetaData]], names: Sequence[str]
) -> tuple[dict[str, pa.ChunkedArray], int]:
    """Return rows by column, from row groups that are spread over the parts, and how many rows these are."""
    groups = [(part, footer, number) for part, footer in metadata for number in range(footer.num_row_groups)]
    every = [group for group in groups if group[1].row_group(group[2]).num_rows]
    whole = sum(footer.row_group(number).num_rows for _, footer, number in every) <= SAMPLE_ROWS
    chosen = every if whole else _spread(every, SAMPLE_GROUPS)
    pieces: dict[str, list[pa.Array]] = {name: [] for name in names}
    sampled = 0

    def read(group: tuple[StoredPart, pq.FileMetaData, int]) -> pa.Table:
        keep = group[1].row_group(group[2]).num_rows if whole else SAMPLE_ROWS // len(chosen)
        table = _read_group(*group, names, max(READ_CELLS // max(len(names), 1) // len(chosen), keep))
        if table.num_rows > keep:
            table = table.take(pa.array(np.linspace(0, table.num_rows - 1, keep).astype(np.int64)))
        return table

    with ThreadPoolExecutor(min(os.cpu_count() or 1, READ_AT_ONCE)) as threads:
        for table in threads.map(read, chosen):
            sampled += table.num_rows
            for name in table.column_names:
                pieces[name] += _decoded(table[name]).chunks
    return {name: pa.chunked_array(chunks) for name, chunks in pieces.items() if chunks}, sampled


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _read_group(part: StoredPart, footer: pq.FileMetaData, number: int, names: Sequence[str], rows: int) -> pa.Table:
    """Return the first rows of a row group, without the columns whose texts are too long to be read for it."""
    group = footer.row_group(number)
    places = _places(footer)
    wanted = [n for n in names if n in places and group.column(places[n]).total_uncompressed_size <= READ_BYTES]
    count = min(rows, group.num_rows)
    table = pa.table({"": pa.nulls(count)}).select([])
    if wanted:
        texts = [name for name in wanted if footer.schema.column(places[name]).physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(part.path, read_dictionary=texts) as file:  # half the time that texts take
            batches = file.iter_batches(batch_size=count, row_groups=[number], columns=wanted, use_threads=False)
            table = pa.Table.from_batches([next(batches)])
    for name in names:
        if name in part.folders:
            table = table.append_column(name, pa.array([part.told(name)] * count, pa.string()))
    return table


def _profile_column(name: str, kind: str, found: _Statistics, values: pa.ChunkedArray | None) -> ColumnProfile:
    low, high = (found.low, found.high) if found.bounded else (None, None)
    if values is None:
        return ColumnProfile(name, kind, found.nulls, low, high)
    values = values.drop_null()
    distinct = pc.count_distinct(values).as_py()
    bins = _bins(values)
    return ColumnProfile(name, kind, found.nulls, low, high, len(values), distinct, bins, () if bins else _top(values))


def _bins(values: pa.ChunkedArray) -> tuple[int, ...]:
    """Return how many numbers or times lie in each of equal steps from the least to the greatest; none of others."""
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return ()
    if not len(values):
        return ()
    if pa.types.is_integer(values.type):
        return _steps(values.to_numpy())
    numbers = values.to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers) or numbers.max() / 2 - numbers.min() / 2 > _WIDEST / 2:
        return ()
    return tuple(np.histogram(numbers, BINS)[0].tolist())


def _steps(numbers: np.ndarray) -> tuple[int, ...]:
    """Return the same of whole numbers, each step as many of them as the next: else 12 months make a comb."""
    low, high = int(numbers.min()), int(numbers.max())
    width = -(-(high - low + 1) // BINS)
    places = (numbers.astype(np.uint64) - np.uint64(low % 2**64)) // np.uint64(width)  # wraps, so that none overflows
    return tuple(np.bincount(places.astype(np.int64), minlength=(high - low) // width + 1).tolist())


def _top(values: pa.ChunkedArray) -> tuple[tuple[str, int], ...]:
    """Return the most frequent values, those of the same frequency in the order of the rows."""
    if not len(values):
        return ()
    counted = pc.value_counts(values)
    order = np.argsort(-counted.field("counts").to_numpy(), kind="stable")[:TOP]
    chosen = counted.take(pa.array(order)).to_pylist()
    return tuple((_text(each["values"]), int(each["counts"])) for each in chosen)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
