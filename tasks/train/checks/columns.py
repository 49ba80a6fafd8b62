"""Columns that say nothing, and rows that are there more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.escaping import count
from tasks.train.data.features import Features, encode, find_infinite, find_missing, is_text_type, read_numbers
from tasks.train.data.split_file import Sides
from tasks.train.data.types import Array

MANY_DUPLICATES = 0.01  # of the rows: iris has 1 in 150, flights of one plan and weather 1 in 300
_SEEN_ROWS = 10_000
_ROOM = 100  # times as many possible rows as there are: else rows of few categories must coincide
_TELLS_APART = 0.9  # of the rows that differ, by one column
_NAMED = 5

_FLOAT_BITS = 53  # of a whole number, which float64 holds exactly
_NUMBER = r"^\s*[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"

_MIX = np.uint64(0x9E3779B97F4A7C15)  # an odd number without pattern: the golden ratio of 64 bits


def warn_of_columns(table: pa.Table, features: Features) -> list[str]:
    """Return warnings of features that are null, or one value, in all rows, and of infinite values."""
    empty = [name for name in features.names if _is_empty(table.column(name))]
    constant = [name for name in features.names if name not in empty and _is_constant(table.column(name))]
    infinite = {name: int(find_infinite(table.column(name)).sum()) for name in features.names}
    found = _warn_of_infinite({name: count for name, count in infinite.items() if count}, table.num_rows)
    if inexact := [name for name in features.numeric if _is_beyond_float(table.column(name))]:
        found.append(
            f"training.query: whole numbers beyond 2^53, which lose their last digits as a model sees them: "
            f"{_name(inexact)}; {_cure(inexact)} where they are ids"
        )
    if empty:
        found.append(f"training.query: null in all {table.num_rows} rows: {_name(empty)}; {_cure(empty)}")
    if constant:
        found.append(f"training.query: one value in all {table.num_rows} rows: {_name(constant)}; {_cure(constant)}")
    return found


def warn_of_number_texts(table: pa.Table, features: Features) -> list[str]:
    """Return a warning of texts that are a number in every row: to a model each is a category like any other.

    Codes with a leading zero, as 01, are texts.
    """
    found = [name for name in features.categorical if _is_number_text(table.column(name))]
    if not found:
        return []
    casts = ", ".join(f"CAST({name} AS DOUBLE) AS {name}" for name in found[:_NAMED])
    return [
        f"training.query: text that is a number in every row: {_name(found)}, so a model sees categories without order; "
        f"{casts} in the query, or declare type: float in the source's columns"
    ]


def _is_number_text(column: pa.ChunkedArray) -> bool:
    values = column.drop_null()
    for part in (values.slice(0, _SEEN_ROWS), values):  # most are seen not to be by their first
        if not len(part) or not pc.all(pc.match_substring_regex(part, _NUMBER)).as_py():
            return False
    return True


def warn_of_duplicate_rows(table: pa.Table, features: Features, target: str, sides: Sides) -> list[str]:
    """Return a warning where many rows are equal to others; where few values make them so, it says so."""
    columns = [*features.names, target]
    hashes = hash_rows(table, columns)
    _, firsts = np.unique(hashes, return_index=True)
    copies = table.num_rows - len(firsts)
    leaked = int(np.isin(hashes[sides.test], hashes[sides.train]).sum())
    if max(copies / table.num_rows, leaked / len(sides.test)) <= MANY_DUPLICATES:
        return []
    counted = f"training.query: {copies} of {table.num_rows} rows ({copies / table.num_rows:.1%})"
    if not _differ_by_themselves(table.select(columns), firsts):
        return [f"{counted} are equal to another, as rows of so few values may be; SELECT DISTINCT if they are copies"]
    return [
        f"{counted} are exact copies of another, and {leaked} of {len(sides.test)} held-out rows are copies of rows "
        "to train on, whose answers a model may know by heart; SELECT DISTINCT, or split by group"
    ]


def warn_of_duplicate_columns(table: pa.Table, features: Features) -> list[str]:
    """Return a warning of features that are the same as another in all rows."""
    first: dict[bytes, str] = {}
    duplicates = []
    for name in features.names:
        column = table.column(name)
        if not _is_constant(column) and not _is_empty(column):
            known = first.setdefault(sha256(hash_rows(table, [name]).data).digest(), name)
            duplicates += [f"{name!r} of {known!r}"] if known != name else []
    if not duplicates:
        return []
    more = f" and {len(duplicates) - _NAMED} more" if len(duplicates) > _NAMED else ""
    return [
        f"training.query: columns are copies of others: {', '.join(duplicates[:_NAMED])}{more}; leave one of each out"
    ]


def hash_rows(table: pa.Table, columns: Sequence[str]) -> Array:
    """Return a number for each row that is the same for equal rows, and for no others but by an accident of 2^-64."""
    found = np.zeros(table.num_rows, dtype=np.uint64)
    for name in columns:
        column = table.column(name)
        values = encode(column).astype(np.float64) if is_text_type(column.type) else read_numbers(column)
        bits = (values + 0.0).view(np.uint64)  # -0.0 is 0.0
        found = (found ^ bits) * _MIX
        found ^= found >> np.uint64(29)
    return found


def _differ_by_themselves(table: pa.Table, firsts: Array) -> bool:
    """Return whether rows of such values seldom coincide, by those that differ: `firsts` has one place of each.

    They do where one column, an amount say, tells them apart, or where the
    columns could make many more rows than there are.
    """
    seen = table.take(np.sort(firsts)[np.linspace(0, len(firsts) - 1, min(len(firsts), _SEEN_ROWS)).astype(int)])
    values = [float(pc.count_distinct(column, mode="all").as_py()) for column in seen.columns]
    return bool(max(values) >= seen.num_rows * _TELLS_APART or np.prod(values) >= table.num_rows * _ROOM)


def _is_empty(column: pa.ChunkedArray) -> bool:
    return column.null_count == len(column) or bool(find_missing(column).all())


def _is_constant(column: pa.ChunkedArray) -> bool:
    if column.null_count or find_missing(column).any():
        return False  # being there or not is a value
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] == ends["max"])


def _is_beyond_float(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(column.type) or column.type.bit_width <= _FLOAT_BITS:
        return False
    ends = pc.min_max(column).as_py()
    return ends["min"] is not None and bool(max(-ends["min"], ends["max"]) > 2**_FLOAT_BITS)


def _warn_of_infinite(counts: Mapping[str, int], rows: int) -> list[str]:
    if not counts:
        return []
    told = [f"{name!r} in {count}" for name, count in list(counts.items())[:_NAMED]]
    more = f" and {count(len(counts) - _NAMED, 'more column')}" if len(counts) > _NAMED else ""
    return [
        f"training.query: infinite values count as missing, in predictions too: {', '.join(told)}{more} of {rows} rows; "
        "correct the query where they should count otherwise"
    ]


def _name(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(repr(name) for name in names[:_NAMED]) + more


def _cure(names: Sequence[str]) -> str:
    return "leave it out" if len(names) == 1 else "leave them out"
