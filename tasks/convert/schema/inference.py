"""The type that the values of a column have of their own."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.types import ARROW_TYPES, BOOL_TEXTS, NULL_TEXTS, TypeName
from tasks.convert.schema.values import FIRST_VALUES, LONG, null_texts, take_out, without_nulls

# 007, 0x10 and +4930123456 are names that look like numbers: as such they would not come back as they were.
_NOT_A_NUMBER = r"^(\+?0[0-9xX]|\+\d+$)"
_LONG_NUMBER = r"^[+-]?\d{16,}$"  # as a float it would not come back either
_INFINITE = r"(?i)^[+-]?inf"
_HAS_ZONE = r"(Z|\d{2}:\d{2}.*[+-]\d{2}(:?\d{2})?)$"
_POINT_NUMBER = r"^\s*[+-]?\d*\.\d+\s*$"
_COMMA_NUMBER = r"^\s*[+-]?\d*(,\d+)?([eE][+-]?\d+)?\s*$"
_PLAIN_INT = r"^-?(0|[1-9]\d{0,17})$"
_PLAIN_NUMBER = r"^-?(0|[1-9]\d{0,14}|(0|[1-9]\d{0,6})\.\d{1,7})$"
_INFERRED: tuple[TypeName, ...] = ("bool", "int", "float", "date", "timestamp_utc", "timestamp")
_FEW_VALUES, _FIRST_TEXTS = 8, 20
_WORDS = "|".join(map(re.escape, ["true", "false", *NULL_TEXTS]))


def pattern_of_typed(points: str) -> str:
    """Return the pattern of how every number, time, truth or null begins, with one of these `points`: one text that does not is proof of a column of texts."""
    return rf"(?i)^\s*([+-]?[\d{points}]|[+-]?(inf|nan)|({_WORDS})\s*$)"


# Where blanks are given back, each of many is a place to begin at once more.
MAY_BE_TYPED = re.compile(pattern_of_typed(".").replace(r"\s*", r"\s*+"))


def infer_column(texts: pa.ChunkedArray, decimal: str) -> tuple[pa.ChunkedArray, TypeName]:
    """Return a column's texts, with decimal points where these are numbers with commas, and the narrowest type that each of them has."""
    if decimal != ",":
        return texts, infer_type(texts)
    if pc.any(pc.match_substring_regex(texts, _POINT_NUMBER)).as_py():  # 1.234 is no number beside commas
        return texts, "string"
    numbers = pc.all(
        pc.match_substring_regex(pc.if_else(pc.is_in(texts, null_texts()), None, texts), _COMMA_NUMBER)
    ).as_py()
    points = pc.replace_substring(texts, ",", ".") if numbers else texts
    return points, infer_type(points)


def infer_columns(table: pa.Table, decimal: str) -> dict[str, TypeName]:
    """Return the narrowest type of each column of texts: of numbers written plainly, as most are, told of all columns at once, which are of few rows."""
    told: dict[str, TypeName] = {}
    if decimal == "." and table.num_rows:
        texts = pa.concat_arrays([chunk for column in table.columns for chunk in column.chunks])
        found = [pc.match_substring_regex(texts, pattern).fill_null(True) for pattern in (_PLAIN_NUMBER, _PLAIN_INT)]
        shape = (table.num_columns, table.num_rows)
        numbers, ints = (each.to_numpy(zero_copy_only=False).reshape(shape).all(axis=1) for each in found)
        for name, column, is_number, is_int in zip(table.column_names, table.columns, numbers, ints, strict=True):
            if (is_number or is_int) and column.null_count < len(column):
                told[name] = "int" if is_int else "float"
    return {name: told.get(name) or infer_column(table[name], decimal)[1] for name in table.column_names}


def infer_type(texts: pa.ChunkedArray) -> TypeName:
    """Return the narrowest type that every text of a column has; `null` where all are null."""
    if _are_words(texts):
        return "string"
    values = without_nulls(texts)
    if values.null_count == len(values):
        return "null"
    if _has_padded(values):
        return "string"
    # A cast that fails costs ten times one that succeeds, for each value: the first few rule out most types cheaply.
    first = values.slice(0, FIRST_VALUES)
    tried = [first.drop_null().slice(0, _FEW_VALUES), first, values]
    name: TypeName = next((name for name in _INFERRED if all(_fits(some, name) for some in tried)), "string")
    return "string" if name == "float" and _loses_digits(values) else name


def _are_words(texts: pa.ChunkedArray) -> bool:
    """Return whether one of the first texts of a column is none of another type."""
    first = texts.slice(0, _FIRST_TEXTS).to_pylist()
    return any(text is not None and not MAY_BE_TYPED.match(text) for text in first)


def _has_padded(values: pa.ChunkedArray) -> bool:
    """Return whether a text is a number with a zero, or a plus, before its digits."""
    padded = pc.or_(pc.starts_with(values, "0"), pc.starts_with(values, "+"))  # a tenth of what a pattern costs
    if not pc.any(padded).as_py():
        return False
    return bool(pc.any(pc.match_substring_regex(values.filter(padded), _NOT_A_NUMBER)).as_py())


def _loses_digits(values: pa.ChunkedArray) -> bool:
    """Return whether a text that a float would hold has more digits, or is greater, than a float can tell."""
    long = pc.greater_equal(pc.binary_length(values), LONG)
    if pc.any(long).as_py() and pc.any(pc.match_substring_regex(values.filter(long), _LONG_NUMBER)).as_py():
        return True
    infinite = pc.is_inf(pc.cast(values, pa.float64()))
    if not pc.any(infinite).as_py():
        return False
    return not pc.all(pc.match_substring_regex(values.filter(infinite), _INFINITE)).as_py()


def declared_type(texts: pa.ChunkedArray, declared: Column) -> TypeName:
    """Return the type that a declared column has in a file: a timestamp is in UTC where its texts tell a zone."""
    if declared.type is None:
        return infer_type(take_out(texts, declared.nulls))
    if declared.type != "timestamp":
        return declared.type
    if declared.format is not None:
        return "timestamp_utc" if "%z" in declared.format else "timestamp"
    if pa.types.is_timestamp(texts.type):
        return "timestamp_utc" if texts.type.tz else "timestamp"
    if not pa.types.is_string(texts.type):
        return "timestamp"
    zoned = pc.any(pc.match_substring_regex(without_nulls(texts), _HAS_ZONE)).as_py()
    return "timestamp_utc" if zoned else "timestamp"


def _fits(values: pa.ChunkedArray, name: TypeName) -> bool:
    if name == "bool":
        known = pc.is_in(values.drop_null(), pa.array([*BOOL_TEXTS[True], *BOOL_TEXTS[False]]))
        return bool(pc.all(known, min_count=0).as_py())  # nulls alone rule no type out
    try:
        pc.cast(values, ARROW_TYPES[name])
    except pa.ArrowInvalid:
        return False
    return True
