"""The profile of a table: nulls and extremes by its parts' statistics, the rest by a bounded sample of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.convert.parts.part import StoredPart
from tasks.convert.parts.sample import COLUMNS_SHOWN, ReadPart, Samples, draw, sample_rows

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
    """What a table holds; statistics are of `parts_read` of its parts, and `is_complete` tells that the sample is all rows."""

    rows: int
    sampled: int
    parts: int
    parts_read: int
    columns: tuple[ColumnProfile, ...]
    columns_left_out: int

    @property
    def is_complete(self) -> bool:
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

    def complete(self, values: pa.ChunkedArray) -> None:
        """Take what the parts did not tell from all values: a part tells nothing of a column with NaN."""
        if self.nulls is None:
            self.nulls = values.null_count
        if not self.bounded and pa.types.is_floating(values.type):
            extremes = pc.min_max(values).as_py()
            self.low, self.high, self.bounded = extremes["min"], extremes["max"], True

    def _widen(self, low: Any, high: Any) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


def profile_table(
    parts: Sequence[StoredPart], types: Mapping[str, str], rows: int, samples: Samples | None = None
) -> Profile:
    """Return the profile of a table of so many rows, in these parts, with columns of these types; `samples` are what was kept of parts just written."""
    names = list(types)[:COLUMNS_SHOWN]
    read = [ReadPart(part, pq.read_metadata(part.path)) for part in draw(parts, PARTS_READ, lambda part: part.name)]
    statistics = {name: _Statistics() for name in names}
    for each in read:
        _add_statistics(statistics, each)
    sample, sampled = sample_rows(read, names, samples)
    if sampled == rows and len(read) == len(parts):
        for name, values in sample.items():
            statistics[name].complete(values)
    columns = [_profile_column(name, types[name], statistics[name], sample.get(name)) for name in names]
    return Profile(rows, sampled, len(parts), len(read), tuple(columns), len(types) - len(names))


def _add_statistics(statistics: Mapping[str, _Statistics], read: ReadPart) -> None:
    for number in range(read.footer.num_row_groups):
        group = read.footer.row_group(number)
        for name, found in statistics.items():
            if name in read.places:
                found.add(group.num_rows, group.column(read.places[name]).statistics)
            else:
                found.nulls, found.bounded = None, False


def _profile_column(name: str, kind: str, statistics: _Statistics, values: pa.ChunkedArray | None) -> ColumnProfile:
    low, high = (statistics.low, statistics.high) if statistics.bounded else (None, None)
    if values is None:
        return ColumnProfile(name, kind, statistics.nulls, low, high)
    values = values.drop_null()
    distinct = pc.count_distinct(values).as_py()
    bins = _bins(values)
    return ColumnProfile(
        name, kind, statistics.nulls, low, high, len(values), distinct, bins, () if bins else _top(values)
    )


def _bins(values: pa.ChunkedArray) -> tuple[int, ...]:
    """Return how many numbers or times lie in each of equal steps from the least to the greatest; none of others."""
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    elif pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
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
    low, high = float(numbers.min()), float(numbers.max())
    room = (high - low) / np.spacing(max(abs(low), abs(high)))  # between 0.3 and the next number there is no other
    bins = BINS if low == high else max(1, int(min(BINS, room)))
    return tuple(np.histogram(numbers, bins)[0].tolist())


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
