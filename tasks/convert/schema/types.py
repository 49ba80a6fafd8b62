"""Types of columns: inferred from texts, widened over files, and cast with every rejection found."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.core.tables import is_decimal

_NAME = re.compile(r"decimal\((\d+),(\d+)\)")
_MOST_DIGITS = 38  # of a decimal128, which every reader of Parquet knows
_INT_DIGITS = 19


def name_decimal(kind: pa.DataType) -> str | None:
    """Return what a type of decimals is called; None where it has too many digits."""
    return f"decimal({kind.precision},{kind.scale})" if kind.precision <= _MOST_DIGITS else None


def arrow_decimal(name: str) -> pa.DataType:
    """Return the type of a name that `name_decimal` gave."""
    return pa.decimal128(*_measure(name))


def widen_decimals(one: str, other: str) -> str:
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


@cache
def _null_texts() -> pa.Array:
    return pa.array(NULL_TEXTS)  # when first needed: the first array made of Python's values imports pandas


def are_null_texts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which texts mean null."""
    return pc.is_in(texts, _null_texts())


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
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>0|[1-9]\d*)([.,](?P<decimals>\d+))?")
_GROUPED = 3  # digits after a comma may be thousands
_INFERRED: tuple[TypeName, ...] = ("bool", "int", "float", "date", "timestamp_utc", "timestamp")
_FIRST_VALUES = 100
EXACT_IN_FLOAT = 2**53  # whole numbers beyond are not all floats
SURE_IN_FLOAT = 1e15  # a float beyond may have been a whole number with more digits than a float holds
BOOL_TEXTS = {True: ["true", "True", "TRUE"], False: ["false", "False", "FALSE"]}

# Signs and zeros that say nothing: +5 and 5.0 are ints, and so many nanoseconds are none. By type, what is found and
# what stays of it.
_ZEROS: Mapping[TypeName, tuple[str, str]] = {
    "int": (r"^(?:\+|(-))?(\d+)(?:\.0*)?$", r"\1\2"),
    "long": (r"^(?:\+|(-))?(\d+)(?:\.0*)?$", r"\1\2"),
    "date": (r"^(\d{4}-\d{2}-\d{2})[T ]00:00(:00(\.0+)?)?Z?$", r"\1"),
    "timestamp": (r"(:\d{2}\.\d{6})0+$", r"\1"),
    "timestamp_utc": (r"(:\d{2}\.\d{6})0+(Z|[+-]\d{2}(:?\d{2})?)$", r"\1\2"),
}
_WHOLE_DIGITS = 19  # of the greatest int
_BEYOND_INT = re.compile("0[xX][89a-fA-F][0-9a-fA-F]{15}")  # which Arrow takes for a number below zero

# What Arrow casts without changing a value, or says so; of all others it changes some without a word: it cuts the time
# off a timestamp, takes 5 for true, and the seconds since 1970 for microseconds.
_EXACT_CASTS = (
    (pa.types.is_integer, ("int", "long", "float", "string")),
    (pa.types.is_floating, ("int", "long", "float", "string")),
    (pa.types.is_decimal, ("int", "long", "float")),
    (pa.types.is_boolean, ("bool", "string")),
    (pa.types.is_date, ("date", "timestamp")),
    (pa.types.is_null, tuple(ARROW_TYPES)),
)


def arrow_type(name: TypeName) -> pa.DataType:
    """Return the type that a column has in Parquet."""
    return arrow_decimal(name) if is_decimal(name) else ARROW_TYPES[name]


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
        return infer_type(take_out(texts, declared.nulls))
    if declared.type != "timestamp":
        return declared.type
    if declared.format is not None:
        return "timestamp_utc" if "%z" in declared.format else "timestamp"
    if pa.types.is_timestamp(texts.type):
        return "timestamp_utc" if texts.type.tz else "timestamp"
    if not pa.types.is_string(texts.type):
        return "timestamp"
    zoned = pc.any(pc.match_substring_regex(_without_nulls(texts), _HAS_ZONE)).as_py()
    return "timestamp_utc" if zoned else "timestamp"


def widen(one: TypeName, other: TypeName) -> TypeName:
    """Return the narrowest type that holds the values of both."""
    pair = frozenset({one, other} - {"null"})
    if len(pair) < 2:  # noqa: PLR2004 - one type, or none
        return next(iter(pair), "null")
    if any(map(is_decimal, pair)):
        return widen_decimals(one, other)
    return _WIDENED.get(pair, "string")


def is_exact(narrow: TypeName, wide: TypeName) -> bool:
    """Return whether values of one type are the same values in another, and need not be read again as texts.

    What was null beside nothing but nulls may have been the text NA.
    """
    return narrow == wide or (wide != "string" and widen(narrow, wide) == wide)


def widen_table(table: pa.Table, types: Types) -> pa.Table:
    """Return a table with the columns of `types`, which hold all of its values; one it lacks is null."""
    return pa.table(
        {
            name: table[name].cast(arrow_type(type_name), safe=False)
            if name in table.column_names and table.num_rows  # where there is no value, there may be no cast either
            else pa.nulls(table.num_rows, arrow_type(type_name))
            for name, type_name in types.items()
        }
    )


def cast_texts(texts: pa.ChunkedArray, name: TypeName, declared: Column | None = None) -> Cast:
    """Return a column as values of a type, with the indices of those that are none.

    What is declared tells further texts that mean null, separators of thousands, and
    how dates are written. A column that is typed already is cast.
    """
    if declared is not None:
        texts = take_out(texts, declared.nulls)
    if not pa.types.is_string(texts.type):
        return _cast_typed(texts, name, declared)
    if name == "string":
        return Cast(texts, ())
    values = _without_nulls(texts)
    if name == "null":
        return Cast(pa.nulls(len(texts)), pc.indices_nonzero(values.is_valid()).to_pylist())
    if declared is not None:
        values = _as_plain(values, declared)
    return _cast_strings(values, name)


def take_out(values: pa.ChunkedArray, nulls: Collection[str]) -> pa.ChunkedArray:
    """Return values without those that are declared to mean null, blanks around them or not: of a number, however it is written."""
    if not nulls:
        return values
    texts = pc.utf8_trim_whitespace(values if pa.types.is_string(values.type) else pc.cast(values, pa.string()))
    is_null = pc.is_in(texts, pa.array(nulls, pa.string()))
    if numbers := [pattern for text in nulls if (pattern := _pattern_of(text))]:
        is_null = pc.or_(is_null, pc.match_substring_regex(texts, f"^({'|'.join(numbers)})$"))
    return pc.if_else(is_null, None, values)


def _pattern_of(text: str) -> str:
    """Return what matches a number as formats write it, with more zeros or fewer; nothing where a text is no number."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return ""
    sign, whole = ("-" if match["sign"] == "-" else ""), match["whole"]
    digits = (match["decimals"] or "").rstrip("0")
    separator = "[.,]" if len(digits) < _GROUPED else r"\."
    short = repr(float(f"{sign}{whole}.{digits or 0}"))  # of great numbers with an exponent
    written = [re.escape(short)] if Decimal(short) == Decimal(f"{sign}{whole}.{digits or 0}") else []
    plain = f"{whole}{separator}{digits}0*" if digits else rf"{whole}(\.0*|,0{{1,2}})?"
    return "|".join([f"{sign}{plain}", *written])


def _cast_strings(values: pa.ChunkedArray, name: TypeName) -> Cast:
    """Return texts as values: at once where all fit, else without zeros that say nothing, else each by itself."""
    kind = arrow_type(name)
    for texts in (values, _without_zeros(values, name)):
        if texts is None:
            break
        try:
            cast = pc.cast(texts, kind)
        except pa.ArrowInvalid:
            values = texts
            continue
        if name not in ("int", "long") or not _may_be_beyond(texts, cast):
            return Cast(cast, ())
    if name in ("int", "long"):
        values = _as_whole(values)
    unfit = pa.array([text for text in pc.unique(values).to_pylist() if not _is_one(text, kind)], pa.string())
    bad = pc.is_in(values, unfit)
    return Cast(pc.cast(pc.if_else(bad, None, values), kind), pc.indices_nonzero(bad).to_pylist())


def _may_be_beyond(texts: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Return whether a number below zero may have been written as a greater one than 64 bits hold."""
    return (pc.min(numbers).as_py() or 0) < 0 and bool(pc.any(pc.starts_with(texts, "0x", ignore_case=True)).as_py())


def _without_zeros(values: pa.ChunkedArray, name: TypeName) -> pa.ChunkedArray | None:
    """Return texts without the zeros that say nothing; None where the type knows of none."""
    return pc.replace_substring_regex(values, *_ZEROS[name]) if name in _ZEROS else None


def _as_whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts with the whole numbers among them that have an exponent, as R writes 1e+05, as digits."""
    powers = pc.match_substring_regex(values, r"^[+-]?\d*\.?\d+[eE][+-]?\d+$")
    written = {text: _digits_of(text) for text in pc.unique(pc.filter(values, powers)).to_pylist() if text is not None}
    if not written:
        return values
    places = pc.index_in(values, pa.array(list(written), pa.string()))
    return pc.coalesce(pc.take(pa.array(list(written.values()), pa.string()), places), values)


def _digits_of(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or not number:
        return text if number else "0"
    whole = number.adjusted() < _WHOLE_DIGITS and number == number.to_integral_value()
    return str(int(number)) if whole else text


def _cast_typed(values: pa.ChunkedArray, name: TypeName, declared: Column | None) -> Cast:
    """Return values that are typed already in another type; where some would be changed, all go by way of texts."""
    if values.type.equals(arrow_type(name)):
        return Cast(values, ())
    if any(is_kind(values.type) and name in names for is_kind, names in _EXACT_CASTS) or is_decimal(name):
        try:
            return Cast(pc.cast(values, arrow_type(name)), ())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    plain = None if declared is None else Column(type=declared.type)  # typed values are not written in a way
    return cast_texts(pc.cast(values, pa.string()), name, plain)


def _as_plain(values: pa.ChunkedArray, declared: Column) -> pa.ChunkedArray:
    """Return texts as Arrow reads them: without separators of thousands, with a decimal point, dates in ISO 8601."""
    if declared.format is not None:
        return _as_iso(values, declared.format)
    if declared.decimal is not None:  # as SAP writes numbers below zero
        values = pc.replace_substring_regex(values, r"^(\d|[^+-].*\d)-$", r"-\1")
    if declared.thousands is not None:
        # Only where they separate thousands: 1,5 is no 15, nor 0,125 a 125.
        separator = re.escape(declared.thousands)
        decimal = re.escape(declared.decimal or ".")
        grouped = pc.match_substring_regex(values, rf"^[+-]?[1-9]\d{{0,2}}({separator}\d{{3}})+({decimal}\d+)?$")
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
    return pc.if_else(are_null_texts(trimmed), None, trimmed)


def _fits(values: pa.ChunkedArray, name: TypeName) -> bool:
    if name == "bool":
        return bool(pc.all(pc.is_in(values.drop_null(), pa.array([*BOOL_TEXTS[True], *BOOL_TEXTS[False]]))).as_py())
    try:
        pc.cast(values, ARROW_TYPES[name])
    except pa.ArrowInvalid:
        return False
    return True


def _is_one(text: str | None, arrow_type: pa.DataType) -> bool:
    if pa.types.is_integer(arrow_type) and _BEYOND_INT.fullmatch(text or ""):
        return False
    try:
        pc.cast(pa.array([text], pa.string()), arrow_type)
    except pa.ArrowInvalid:
        return False
    return True
