"""Types of columns: inferred from texts, widened over files, and cast with every misfit found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from tasks.spec import Column

# A long is an int that a float would not hold exactly: beside floats it is a text, so that no digit is lost.
TypeName = Literal["null", "bool", "int", "long", "float", "date", "timestamp", "timestamp_utc", "string"]
Types = Mapping[str, TypeName]

ARROW_TYPES: Mapping[TypeName, pa.DataType] = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
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
_NOT_A_NUMBER = r"^(\+?0[0-9xX]|\+\d+$)"
_LONG_NUMBER = r"^[+-]?\d{16,}$"  # as a float it would not come back either
_INFINITE = r"(?i)^[+-]?inf"
_HAS_ZONE = r"(Z|\d{2}:\d{2}.*[+-]\d{2}(:?\d{2})?)$"
_WIDENED: Mapping[frozenset[TypeName], TypeName] = {
    frozenset({"int", "long"}): "long",
    frozenset({"int", "float"}): "float",
    frozenset({"date", "timestamp"}): "timestamp",
}
_INFERRED: tuple[TypeName, ...] = ("bool", "int", "float", "date", "timestamp_utc", "timestamp")
_FIRST_VALUES = 100
EXACT_IN_FLOAT = 2**53  # whole numbers beyond are not all floats
BOOL_TEXTS = {True: ["true", "True", "TRUE"], False: ["false", "False", "FALSE"]}


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
    return "string" if name == "float" and _loses_digits(values) else name


def _loses_digits(values: pa.ChunkedArray) -> bool:
    """Return whether a text that a float would hold has more digits, or is greater, than a float can tell."""
    if pc.any(pc.match_substring_regex(values, _LONG_NUMBER)).as_py():
        return True
    finite = pc.if_else(pc.match_substring_regex(values, _INFINITE), None, values)
    return bool(pc.any(pc.is_inf(pc.cast(finite, pa.float64()))).as_py())


def declared_type(texts: pa.ChunkedArray, declared: Column) -> TypeName:
    """Return the type that a declared column has in a file: a timestamp is in UTC where its texts tell a zone."""
    if declared.type is None:
        return infer_type(texts)
    if declared.type != "timestamp":
        return declared.type
    if declared.format is not None:
        return "timestamp_utc" if "%z" in declared.format else "timestamp"
    zoned = pc.any(pc.match_substring_regex(_without_nulls(texts), _HAS_ZONE)).as_py()
    return "timestamp_utc" if zoned else "timestamp"


def widen(one: TypeName, other: TypeName) -> TypeName:
    """Return the narrowest type that holds the values of both."""
    pair = frozenset({one, other} - {"null"})
    if len(pair) < 2:  # noqa: PLR2004 - one type, or none
        return next(iter(pair), "null")
    return _WIDENED.get(pair, "string")


def is_exact(narrow: TypeName, wide: TypeName) -> bool:
    """Return whether values of one type are the same values in another, and need not be read again as texts.

    What was null beside nothing but nulls may have been the text NA.
    """
    return narrow == wide or (narrow == "null" and wide != "string") or _WIDENED.get(frozenset({narrow, wide})) == wide


def widen_table(table: pa.Table, types: Types) -> pa.Table:
    """Return a table with the columns of `types`, which hold all of its values; one it lacks is null."""
    return pa.table(
        {
            name: table[name].cast(ARROW_TYPES[type_name], safe=False)
            if name in table.column_names
            else pa.nulls(table.num_rows, ARROW_TYPES[type_name])
            for name, type_name in types.items()
        }
    )


def cast_texts(texts: pa.ChunkedArray, name: TypeName, declared: Column | None = None) -> Cast:
    """Return a column as values of a type, with the indices of those that are none.

    What is declared tells further texts that mean null, separators of thousands, and
    how dates are written. A column that is typed already is cast.
    """
    if not pa.types.is_string(texts.type):
        return _cast_typed(texts, name)
    if declared is not None and declared.nulls:
        texts = pc.if_else(pc.is_in(texts, pa.array(declared.nulls, pa.string())), None, texts)
    if name == "string":
        return Cast(texts, ())
    values = _without_nulls(texts)
    if name == "null":
        return Cast(pa.nulls(len(texts)), pc.indices_nonzero(values.is_valid()).to_pylist())
    if declared is not None:
        values = _as_plain(values, declared)
    return _cast_strings(values, name)


def _cast_strings(values: pa.ChunkedArray, name: TypeName) -> Cast:
    arrow_type = ARROW_TYPES[name]
    try:
        return Cast(pc.cast(values, arrow_type), ())
    except pa.ArrowInvalid:
        unfit = pa.array([text for text in pc.unique(values).to_pylist() if not _is_one(text, arrow_type)], pa.string())
        bad = pc.is_in(values, unfit)
        return Cast(pc.cast(pc.if_else(bad, None, values), arrow_type), pc.indices_nonzero(bad).to_pylist())


def _cast_typed(values: pa.ChunkedArray, name: TypeName) -> Cast:
    """Return values that are typed already in another type; where some would be changed, all go by way of texts."""
    try:
        return Cast(pc.cast(values, ARROW_TYPES[name]), ())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return cast_texts(pc.cast(values, pa.string()), name)


def _as_plain(values: pa.ChunkedArray, declared: Column) -> pa.ChunkedArray:
    """Return texts as Arrow reads them: without separators of thousands, with a decimal point, dates in ISO 8601."""
    if declared.format is not None:
        return _as_iso(values, declared.format)
    if declared.thousands is not None:
        # Only where they separate thousands: 1,5 is no 15.
        separator = re.escape(declared.thousands)
        decimal = re.escape(declared.decimal or ".")
        grouped = pc.match_substring_regex(values, rf"^[+-]?\d{{1,3}}({separator}\d{{3}})+({decimal}\d+)?$")
        values = pc.if_else(grouped, pc.replace_substring(values, declared.thousands, ""), values)
    if declared.decimal == ",":
        pointed = pc.match_substring(values, ".")  # 1.234 is no number where commas separate decimals
        values = pc.if_else(pointed, None, pc.replace_substring(values, ",", ".", max_replacements=1)).combine_chunks()
        values = pc.if_else(pc.and_(pointed, pc.is_valid(pointed)), "a point", values)
    return values


def _as_iso(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return the texts that are times in a strptime format in ISO 8601, and the others as they are."""
    written = {text: _iso_of(text, pattern) for text in pc.unique(values).to_pylist() if text is not None}
    keys = pa.array(list(written), pa.string())
    return pc.take(pa.array(list(written.values()), pa.string()), pc.index_in(values, keys))


def _iso_of(text: str, pattern: str) -> str:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - with a zone where the format has one
    except ValueError:
        return f"not {pattern}: {text}"
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).isoformat()
    return moment.isoformat() if moment.time() != time.min else moment.date().isoformat()


def _without_nulls(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(trimmed, NULL_TEXTS), None, trimmed)


def _fits(values: pa.ChunkedArray, name: TypeName) -> bool:
    if name == "bool":
        return bool(pc.all(pc.is_in(values.drop_null(), pa.array([*BOOL_TEXTS[True], *BOOL_TEXTS[False]]))).as_py())
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
