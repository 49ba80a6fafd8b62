"""The values of a column: each of them cast to its type, or found not to fit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.grammar import pattern_of
from tasks.convert.schema.misfits import show
from tasks.convert.schema.plain import as_plain
from tasks.convert.schema.types import ARROW_TYPES, NULL_TEXTS, TypeName, arrow_type
from tasks.convert.schema.utf8 import bytes_of
from tasks.convert.schema.written import cast_to_texts
from tasks.core.tables import is_decimal

LONG = 16  # digits, which are more than a float tells
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>0|[1-9]\d*)([.,](?P<decimals>\d+))?")
_GROUPED = 3  # digits after a comma may be thousands
FIRST_VALUES = 100  # of a column, tried before all of them: a cast that fails costs as much as all that do not
_FEW_REASONS = 1_000  # are told once each, to the file of rejects: a dictionary of many is large in each slice
_TELLING_VALUES, _ALIKE = 4_000, 2  # of so many values, where more than one in two differ all are tried as they stand

# Signs and zeros that say nothing: +5 and 5.0 are ints, and so many nanoseconds are none. By type, what is found and
# what stays of it.
_ZEROS: Mapping[TypeName, tuple[str, str]] = {
    "int": (r"^(?:\+|(-))?(\d+)(?:\.0*)?$", r"\1\2"),
    "long": (r"^(?:\+|(-))?(\d+)(?:\.0*)?$", r"\1\2"),
    "date": (r"^(\d{4}-\d{2}-\d{2})[T ]00:00(:00(\.0+)?)?Z?$", r"\1"),
    "timestamp": (r"(:\d{2}\.\d{6})0+$", r"\1"),
    "timestamp_utc": (r"(:\d{2}\.\d{6})0+(Z|[+-]\d{2}(:?\d{2})?)$", r"\1\2"),
}
# Of decimals all but what would be no number without it.
_DECIMAL_ZEROS = ((r"^([+-]?)\.(\d)", r"\10.\2"), (r"\.0+$|(\.\d*[1-9])0+$", r"\1"))
_POWER = r"^[+-]?\d*\.?\d+[eE][+-]?\d+$"
_FIRST_PRINTED, _LAST_PRINTED = np.frombuffer(b"!~", np.uint8)  # of ASCII
_MOST_PLACES = 40  # more than a number of any type has, on either side of its point

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

_SAID: Mapping[TypeName, str] = {"int": "an int", "long": "an int", "timestamp_utc": "a timestamp"}
_BLANK = r"[\t-\r\x1c- \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"  # to Python
_FINER = rf":\p{{Nd}}{{2}}\.\p{{Nd}}{{6}}0*[1-9]\p{{Nd}}*{_BLANK}*(Z|[+-]\p{{Nd}}{{2}}(:?\p{{Nd}}{{2}})?)?{_BLANK}*$"
_NOWHERE = np.empty(0, np.int64)
_NOT_OF_NUMBERS = ~np.isin(np.arange(256), list(b"+-.0123456789"))  # what begins no whole number, however it is written


@dataclass(frozen=True)
class Cast:
    """A column in its type; the rows at `misfits` did not fit, and are null in it."""

    values: pa.Array | pa.ChunkedArray
    misfits: np.ndarray


def cast_texts(texts: pa.ChunkedArray, name: TypeName, declared: Column | None = None) -> Cast:
    """Return a column as values of a type, with the indices of those that are none.

    What is declared tells separators of thousands, and how dates are written. A
    column that is typed already is cast.
    """
    kind = arrow_type(name)
    if not pa.types.is_string(texts.type):
        return _cast_typed(texts, name, kind, declared)
    if name == "string":
        return Cast(texts, _NOWHERE)
    values = without_nulls(texts)
    if name == "null":
        return Cast(pa.nulls(len(texts)), _places(values.is_valid()))
    if declared is not None:
        values = as_plain(values, declared)
    return _cast_strings(values, name, kind)


def cast_whole(texts: pa.ChunkedArray, name: TypeName) -> pa.ChunkedArray | None:
    """Return a column of texts as values of a type; None where one may be none: that a cast fails costs as much as all that do not."""
    values = without_nulls(texts)
    kind = arrow_type(name)
    return None if _cast_whole(values[:FIRST_VALUES], name, kind) is None else _cast_whole(values, name, kind)


def tell_unfit(values: pa.ChunkedArray, kind: TypeName) -> pa.Array:
    """Return why values are none of a type."""
    texts = (values if pa.types.is_string(values.type) else cast_to_texts(values)).combine_chunks()
    if len(texts) > FIRST_VALUES and _are_alike(texts):  # each different one is told once
        encoded = texts.dictionary_encode()
        told = tell_unfit(pa.chunked_array([encoded.dictionary]), kind)
        are_few = len(told) <= _FEW_REASONS
        return pa.DictionaryArray.from_arrays(encoded.indices, told) if are_few else told.take(encoded.indices)
    usual = f" is not {_SAID.get(kind, f'a {kind}')}"
    if not kind.startswith("timestamp"):
        return show(texts, usual)
    said = pa.repeat(usual, len(texts))
    if kind == "timestamp_utc":
        is_one = np.ones(len(texts), dtype=bool)
        is_one[cast_texts(values, "timestamp").misfits] = False
        said = pc.if_else(pa.array(is_one), " has no time zone, as others have", said)
    said = pc.if_else(
        pc.match_substring_regex(texts, _FINER),
        " is finer than a microsecond, the least that a timestamp tells",
        said,
    )
    return pc.binary_join_element_wise(show(texts), said, "")


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


def _cast_strings(values: pa.ChunkedArray, name: TypeName, kind: pa.DataType) -> Cast:
    """Return texts as values: at once where all fit, else each different text once, if many are alike."""
    for texts in (values[:FIRST_VALUES], values):  # that one fails costs as much as all that do
        cast = _cast_whole(texts, name, kind)
        if cast is None:
            break
    else:
        return Cast(cast, _NOWHERE)
    texts = values.combine_chunks()
    if name not in ("int", "long"):
        return _cast_alike(texts, name, kind)
    # Digits alone are told in a tenth of the time of a pattern.
    is_plain = pc.and_(pc.ascii_is_decimal(texts), pc.less(pc.binary_length(texts), LONG)).fill_null(False)
    is_word = _are_begun(texts, _NOT_OF_NUMBERS) & texts.is_valid().to_numpy(zero_copy_only=False)
    others = pc.and_not(pc.invert(is_plain), pa.array(is_word))
    cast, numbers = _cast_alike(texts.filter(others), name, kind), pc.cast(pc.if_else(is_plain, texts, None), kind)
    misfits = np.concatenate([np.flatnonzero(is_word), _places(others)[cast.misfits]])
    return Cast(pc.replace_with_mask(numbers, others, cast.values), np.sort(misfits))


def _are_begun(texts: pa.Array, letters: np.ndarray) -> np.ndarray:
    """Return whether each text begins with one of some letters of one byte."""
    places, data = bytes_of(texts)
    if not len(data):
        return np.zeros(len(texts), dtype=bool)
    first = np.minimum(places[:-1], len(data) - 1)  # of an empty text at the end there is none
    begun: np.ndarray = letters[data[first]] & (np.diff(places) > 0)
    return begun


def _are_alike(texts: pa.Array) -> bool:
    """Return whether many of the texts are alike, to judge by the first."""
    first = texts[:_TELLING_VALUES]
    return len(first.unique()) * _ALIKE <= len(first)


def _cast_alike(texts: pa.Array, name: TypeName, kind: pa.DataType) -> Cast:
    """Return texts of which not all fit as values: each different one once, if many are alike."""
    if not _are_alike(texts):
        return _cast_different(texts, name, kind)
    encoded = texts.dictionary_encode()
    each = _cast_different(encoded.dictionary, name, kind)
    bad = pc.is_in(encoded.indices, pa.array(each.misfits, encoded.indices.type))
    return Cast(each.values.take(encoded.indices), _places(bad))


def _cast_whole(
    texts: pa.Array | pa.ChunkedArray, name: TypeName, kind: pa.DataType
) -> pa.Array | pa.ChunkedArray | None:
    """Return texts as values; None where one does not fit, or may be another number than Arrow takes it for."""
    if is_decimal(name) and not pc.all(pc.match_substring_regex(texts, pattern_of(name))).as_py():
        return None
    try:
        cast = pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return None
    return None if name in ("int", "long") and _may_be_beyond(texts, cast) else cast


def _cast_different(texts: pa.Array, name: TypeName, kind: pa.DataType) -> Cast:
    """Return texts, of which most differ, as values, without zeros that say nothing; what does not fit is told by how it is written."""
    fits = pc.match_substring_regex(texts, pattern_of(name))
    unfit = _places(pc.invert(fits))
    if (rewritten := _pattern_of_rewritten(name)) is not None:
        found = pc.match_substring_regex(texts.take(pa.array(unfit)), rewritten).to_numpy(zero_copy_only=False)
        if found.any():
            odd = np.zeros(len(texts), dtype=bool)
            odd[unfit[found]] = True
            usual = _as_usual(texts.filter(pa.array(odd)), name)
            texts = pc.replace_with_mask(texts, pa.array(odd), usual)
            fits = pc.replace_with_mask(fits, pa.array(odd), pc.match_substring_regex(usual, pattern_of(name)))
            unfit = _places(pc.invert(fits))
    return Cast(pc.cast(pc.if_else(fits, texts, None), kind), unfit)


def _pattern_of_rewritten(name: TypeName) -> str | None:
    """Return what matches each text that is of a type once it is written as usual, and maybe others; None where none is written another way."""
    if is_decimal(name):
        return rf"{_POWER}|^[+-]?\d*\.?\d*$"
    zeros = _ZEROS[name][0] if name in _ZEROS else None
    return f"{_POWER}|{zeros}" if name in ("int", "long") else zeros


def _as_usual(texts: pa.Array, name: TypeName) -> pa.Array:
    """Return texts without exponents, and without zeros that say nothing."""
    if name in ("int", "long") or is_decimal(name):
        texts = _as_digits(texts)
    for zeros in _DECIMAL_ZEROS if is_decimal(name) else [_ZEROS[name]]:
        texts = pc.replace_substring_regex(texts, *zeros)
    return texts


def _places(found: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return the places of what is true."""
    places: np.ndarray = pc.indices_nonzero(found).to_numpy().astype(np.int64)
    return places


def _may_be_beyond(texts: pa.Array | pa.ChunkedArray, numbers: pa.Array | pa.ChunkedArray) -> bool:
    """Return whether a number below zero may have been written as a greater one than 64 bits hold."""
    return (pc.min(numbers).as_py() or 0) < 0 and bool(pc.any(pc.starts_with(texts, "0x", ignore_case=True)).as_py())


def _as_digits(values: pa.Array) -> pa.Array:
    """Return texts with the numbers among them that have an exponent, as R writes 1e+05, as digits."""
    powers = pc.match_substring_regex(values, _POWER)
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
    return f"{number:f}" if abs(number.adjusted()) < _MOST_PLACES else text


def _cast_typed(values: pa.ChunkedArray, name: TypeName, kind: pa.DataType, declared: Column | None) -> Cast:
    """Return values that are typed already in another type; where some would be changed, all go by way of texts."""
    if values.type.equals(kind):
        return Cast(values, _NOWHERE)
    if any(is_so(values.type) and name in names for is_so, names in _EXACT_CASTS) or pa.types.is_decimal(kind):
        try:
            return Cast(pc.cast(values, kind), _NOWHERE)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    plain = None if declared is None else Column(type=declared.type)  # typed values are not written in a way
    return cast_texts(cast_to_texts(values), name, plain)


@cache
def null_texts() -> pa.Array:
    """Return the texts that mean null in each column."""
    return pa.array(NULL_TEXTS)  # when first needed: the first array made of Python's values imports pandas


def without_nulls(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts without the blanks around them, and none where they mean null."""
    trimmed = pc.utf8_trim_whitespace(texts) if any(map(_may_have_blanks, texts.chunks)) else texts
    return pc.if_else(pc.is_in(trimmed, null_texts()), None, trimmed)


def _may_have_blanks(texts: pa.StringArray) -> bool:
    """Return whether a text may begin or end with what is trimmed: a tenth of what it costs to trim them."""
    places, data = bytes_of(texts)
    return bool((data[places[0] : places[-1]] - _FIRST_PRINTED > _LAST_PRINTED - _FIRST_PRINTED).any())
