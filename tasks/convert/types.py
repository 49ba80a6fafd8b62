"""Types of columns: inferred from texts, widened over files, and cast with every misfit found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from tasks.spec.columns import ColumnType

TypeName = Literal["null", "bool", "int", "float", "date", "timestamp", "timestamp_utc", "string"]

ARROW_TYPES: Mapping[TypeName, pa.DataType] = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp_utc": pa.timestamp("us", "UTC"),
    "string": pa.string(),
}

# Texts that mean null where a number or a time is expected. In a column of strings only the
# empty text is null: NA is a country, and None a surname.
NULL_TEXTS = pa.array(["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"])

# 007, 0x10 and +4930123456 are names that look like numbers: as such they would not come back as they were.
_NOT_A_NUMBER = r"^([+-]?0[0-9xX]|\+\d+$)"
_LONG_NUMBER = r"^[+-]?\d{19,}$"  # as a float it would not come back either
_HAS_ZONE = r"(Z|\d{2}:\d{2}.*[+-]\d{2}(:?\d{2})?)$"
_INFERRED: tuple[TypeName, ...] = ("bool", "int", "float", "date", "timestamp_utc", "timestamp")
_FIRST_VALUES = 100
_BOOL_TEXTS = pa.array(["true", "false", "True", "False", "TRUE", "FALSE"])


@dataclass(frozen=True)
class Cast:
    """A column in its type; the rows at `misfits` did not fit, and are null in it."""

    values: pa.Array | pa.ChunkedArray
    misfits: Sequence[int]


def infer_type(texts: pa.ChunkedArray) -> TypeName:
    """Return the narrowest type that every text of a column has; `null` where all are null."""
    values = _without_nulls(texts)
    if values.null_count == len(values):
        return "null"
    if pc.any(pc.match_substring_regex(values, _NOT_A_NUMBER)).as_py():
        return "string"
    # A cast that fails costs ten times one that succeeds: the first values rule out most types cheaply.
    first = values.slice(0, _FIRST_VALUES)
    name: TypeName = next((name for name in _INFERRED if _fits(first, name) and _fits(values, name)), "string")
    if name == "float" and pc.any(pc.match_substring_regex(values, _LONG_NUMBER)).as_py():
        return "string"
    return name


def declared_type(texts: pa.ChunkedArray, declared: ColumnType) -> TypeName:
    """Return the type that a declared column has in a file: a timestamp is in UTC where its texts tell a zone."""
    if declared != "timestamp":
        return declared
    zoned = pc.any(pc.match_substring_regex(_without_nulls(texts), _HAS_ZONE)).as_py()
    return "timestamp_utc" if zoned else "timestamp"


def widen(one: TypeName, other: TypeName) -> TypeName:
    """Return the narrowest type that holds the values of both."""
    pair = {one, other} - {"null"}
    if len(pair) < 2:  # noqa: PLR2004 - one type, or none
        return next(iter(pair), "null")
    if pair == {"int", "float"}:
        return "float"
    if pair == {"date", "timestamp"}:
        return "timestamp"
    return "string"


def widen_table(table: pa.Table, types: Mapping[str, TypeName]) -> pa.Table:
    """Return a table with the columns of `types`, which hold all of its values; one it lacks is null."""
    return pa.table(
        {
            name: table[name].cast(ARROW_TYPES[type_name], safe=False)
            if name in table.column_names
            else pa.nulls(table.num_rows, ARROW_TYPES[type_name])
            for name, type_name in types.items()
        }
    )


def cast_texts(texts: pa.ChunkedArray, name: TypeName) -> Cast:
    """Return a column of texts as values of a type, with the indices of the texts that are none."""
    if name == "string":
        return Cast(texts, ())
    values = _without_nulls(texts)
    if name == "null":
        return Cast(pa.nulls(len(texts)), pc.indices_nonzero(values.is_valid()).to_pylist())
    arrow_type = ARROW_TYPES[name]
    try:
        return Cast(pc.cast(values, arrow_type), ())
    except pa.ArrowInvalid:
        unfit = pa.array([text for text in pc.unique(values).to_pylist() if not _is_one(text, arrow_type)], pa.string())
        bad = pc.is_in(values, unfit)
        return Cast(pc.cast(pc.if_else(bad, None, values), arrow_type), pc.indices_nonzero(bad).to_pylist())


def _without_nulls(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(trimmed, NULL_TEXTS), None, trimmed)


def _fits(values: pa.ChunkedArray, name: TypeName) -> bool:
    if name == "bool":
        return bool(pc.all(pc.is_in(values.drop_null(), _BOOL_TEXTS)).as_py())
    try:
        pc.cast(values, ARROW_TYPES[name])
    except pa.ArrowInvalid:
        return False
    return True


def _is_one(text: str | None, arrow_type: pa.DataType) -> bool:
    try:
        pc.cast(pa.array([text], pa.string()), arrow_type)
    except pa.ArrowInvalid:
        return False
    return True
