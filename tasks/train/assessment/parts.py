"""The parts of the hold-out that a column makes: its values, or spans of its numbers and times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.train.assessment.slices import FEWEST_ROWS
from tasks.train.data.features import is_text_type, read_numbers
from tasks.train.data.types import Array

MOST_VALUES = 20
BINS = 4
"""Of a column of numbers or times, where the pipeline says nothing."""
OTHERS = "all others"
NULL = "null"


def read_parts(column: pa.ChunkedArray, bins: int | None = None) -> Array:
    """Return of each row the text of the part that it is in.

    Texts and truths are parts by value, and so are up to twenty whole numbers
    where no bins are asked for; values of few rows beside others of more are
    one part together. Other numbers and times are cut where equally many rows
    are.
    """
    is_number = not is_text_type(column.type) and not pa.types.is_boolean(column.type)
    by_value = not is_number or (
        bins is None and pa.types.is_integer(column.type) and pc.count_distinct(column).as_py() <= MOST_VALUES
    )
    return _put_rare_together(_write_values(column)) if by_value else _cut(column, bins or BINS)


def _put_rare_together(texts: Array) -> Array:
    values, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    if counts.max() >= FEWEST_ROWS:
        kept = kept[counts[kept] >= FEWEST_ROWS]
    rare = np.setdiff1d(np.arange(len(values)), kept)
    return np.where(np.isin(codes, rare), OTHERS, texts) if len(rare) > 1 else texts


def _write_values(column: pa.ChunkedArray) -> Array:
    if pa.types.is_boolean(column.type):
        column = pc.if_else(column, "true", "false")
    return np.array(pc.fill_null(pc.cast(column, pa.string()), NULL).to_pylist(), dtype=str)


def _cut(column: pa.ChunkedArray, bins: int) -> Array:
    """Return the bin of each row, between quantiles of all."""
    values = read_numbers(column)
    known = values[~np.isnan(values)]
    texts = np.full(len(values), NULL, dtype=object)
    if not len(known):
        return texts.astype(str)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    edges = edges[edges < known.max()]
    is_time = pa.types.is_temporal(column.type)
    names = list(_name_bins([_write_moment(edge) if is_time else f"{edge:.6g}" for edge in edges]))
    places = np.searchsorted(edges, values, side="left")
    for number, name in enumerate(names):
        texts[(places == number) & ~np.isnan(values)] = name
    return texts.astype(str)


def _name_bins(edges: Sequence[str]) -> Iterator[str]:
    if not edges:
        yield "all"
        return
    yield f"up to {edges[0]}"
    for low, high in pairwise(edges):
        yield f"above {low}, up to {high}"
    yield f"above {edges[-1]}"


def _write_moment(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))
