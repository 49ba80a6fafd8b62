"""Types of columns: their names, what Arrow calls them, and the one that holds the values of two."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from tasks.core.tables import is_decimal

# One of ARROW_TYPES, or decimal(p,s). A long is an int that a float would not hold exactly: beside floats it is a
# text, so that no digit is lost.
TypeName = str
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

# Texts that mean null where a number or a time is expected: those of pandas, R, Postgres and Excel. In a column of
# strings only the empty text is null: NA is a country, and None a surname.
NULL_TEXTS = (
    *("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"),
    *("<NA>", "NaT", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "\\N"),
    *("#N/A", "#NA", "#N/A N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"),
)
LEAST_INT, MOST_INT = -(2**63), 2**63 - 1  # that 64 bits hold
EXACT_IN_FLOAT = 2**53  # whole numbers beyond are not all floats
SURE_IN_FLOAT = 1e15  # a float beyond may have been a whole number with more digits than a float holds
BOOL_TEXTS = {True: ["true", "True", "TRUE"], False: ["false", "False", "FALSE"]}

_WIDENED: Mapping[frozenset[TypeName], TypeName] = {
    frozenset({"int", "long"}): "long",
    frozenset({"int", "float"}): "float",
    frozenset({"date", "timestamp"}): "timestamp",
}
_NAME = re.compile(r"decimal\((\d+),(\d+)\)")
_MOST_DIGITS = 38  # of a decimal128, which every reader of Parquet knows
_INT_DIGITS = 19


def name_decimal(kind: pa.DataType) -> str | None:
    """Return what a type of decimals is called; None where it has too many digits."""
    return f"decimal({kind.precision},{kind.scale})" if kind.precision <= _MOST_DIGITS else None


def arrow_type(name: TypeName) -> pa.DataType:
    """Return the type that a column has in Parquet."""
    return ARROW_TYPES[name] if name in ARROW_TYPES else pa.decimal128(*_measure(name))


def widen(one: TypeName, other: TypeName) -> TypeName:
    """Return the narrowest type that holds the values of both."""
    pair = frozenset({one, other} - {"null"})
    if len(pair) < 2:  # noqa: PLR2004 - one type, or none
        return next(iter(pair), "null")
    if any(map(is_decimal, pair)):
        return _widen_decimals(one, other)
    return _WIDENED.get(pair, "string")


def _widen_decimals(one: str, other: str) -> str:
    """Return the type that holds decimals and what is beside them: exactly, or all as texts."""
    measures = [_measure(name) for name in (one, other) if is_decimal(name) or name in ("int", "long")]
    if len(measures) == 1:
        return "string"
    scale = max(scale for _, scale in measures)
    digits = scale + max(digits - scale for digits, scale in measures)
    return f"decimal({digits},{scale})" if digits <= _MOST_DIGITS else "string"


def _measure(name: str) -> tuple[int, int]:
    """Return how many digits a type has, and how many of them stand after the point."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else (_INT_DIGITS, 0)


def is_exact(narrow: TypeName, wide: TypeName) -> bool:
    """Return whether values of one type are the same values in another, and need not be read again as texts.

    What was null beside nothing but nulls may have been the text NA.
    """
    return narrow == wide or (wide != "string" and widen(narrow, wide) == wide)


def widen_table(table: pa.Table, types: Types) -> pa.Table:
    """Return a table with the columns of `types`, which hold all of its values; one it lacks is null."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    return pa.table(
        {
            name: columns[name].cast(arrow_type(type_name), safe=False)
            if name in columns
            and columns[name].null_count < table.num_rows  # without a value there may be no cast either
            else pa.nulls(table.num_rows, arrow_type(type_name))
            for name, type_name in types.items()
        }
    )
