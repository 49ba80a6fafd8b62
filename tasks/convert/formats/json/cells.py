"""The values of rows by their columns: where rows have few of the names, sorted by these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
import pyarrow as pa

_FEW = 2  # with less than one in so many of the names, rows have few


def gather(
    rows: Sequence[dict[str, Any]], names: Sequence[str]
) -> Iterator[tuple[list[Any] | np.ndarray, np.ndarray | None]]:
    """Yield of each column the values, and the rows that have them; None where a value is given for each row, null where it has none.

    Where rows have few of the names, what they have is sorted by name: to ask each row for each name took most of the time.
    """
    cells = sum(map(len, rows))
    if _FEW * cells > len(names) * len(rows):
        yield from (([row.get(name) for row in rows], None) for name in names)
        return
    numbers = {name: number for number, name in enumerate(names)}
    kind = np.min_scalar_type(len(names))  # of two bytes they are sorted in a fifth of the time
    columns = np.fromiter(map(numbers.get, chain.from_iterable(rows), repeat(len(names))), kind, cells)
    order = np.argsort(columns, kind="stable")
    values = _cells_of(rows, cells)[order]
    places = np.repeat(np.arange(len(rows)), np.fromiter(map(len, rows), np.int64, len(rows)))[order]
    for start, stop in pairwise(np.searchsorted(columns[order], np.arange(len(names) + 1)).tolist()):
        yield values[start:stop], places[start:stop]


def _cells_of(rows: Sequence[dict[str, Any]], count: int) -> np.ndarray:
    """Return all values of rows, as whole numbers of 64 bits where they are these."""
    cells = np.fromiter(chain.from_iterable(map(dict.values, rows)), object, count)
    with suppress(OverflowError):
        return cells.astype(np.int64) if set(map(type, cells)) == {int} else cells
    return cells


def whole_of(values: list[Any] | np.ndarray, places: np.ndarray | None, rows: int) -> pa.Array | None:
    """Return whole numbers that some rows have, and null for all others; None where some are none, or not of 64 bits."""
    if places is None or isinstance(values, list):
        return None
    if values.dtype == object and set(map(type, values)) != {int}:
        return None
    with suppress(OverflowError):
        return spread(pa.array(values.astype(np.int64, copy=False)), places, rows)
    return None


def spread(values: pa.Array, places: np.ndarray, rows: int) -> pa.Array:
    """Return the values of some rows, and null for all others."""
    is_laid_out = pa.types.is_string(values.type) or pa.types.is_boolean(values.type) or _is_fixed(values.type)
    if not len(values) or values.null_count or not is_laid_out:
        taken = np.full(rows, len(values))
        taken[places] = np.arange(len(values))
        return values.take(pa.array(taken, mask=taken == len(values)))
    is_known = np.zeros(rows, bool)
    is_known[places] = True
    known = pa.py_buffer(np.packbits(is_known, bitorder="little"))
    nothing = rows - len(values)
    if pa.types.is_boolean(values.type):
        is_known[places] = values.to_numpy(zero_copy_only=False)
        bits = np.packbits(is_known, bitorder="little")
        return pa.Array.from_buffers(values.type, rows, [known, pa.py_buffer(bits)], nothing)
    if _is_fixed(values.type):
        kind = np.dtype(f"i{values.type.bit_width // 8}")
        spaced = np.zeros(rows, kind)
        spaced[places] = np.frombuffer(values.buffers()[1], kind, len(values), values.offset * kind.itemsize)
        return pa.Array.from_buffers(values.type, rows, [known, pa.py_buffer(spaced)], nothing)
    _, ends, data = values.buffers()
    offsets = np.frombuffer(ends, np.int32, len(values) + 1, values.offset * 4)
    spaced = np.zeros(rows + 1, np.int32)
    spaced[places + 1] = np.diff(offsets)
    spaced[0] = offsets[0]
    np.cumsum(spaced, dtype=np.int32, out=spaced)
    return pa.Array.from_buffers(values.type, rows, [known, pa.py_buffer(spaced), data], nothing)


def _is_fixed(kind: pa.DataType) -> bool:
    """Return whether each value of a type has as many bytes."""
    return any(is_so(kind) for is_so in (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal))
