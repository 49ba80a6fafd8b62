"""Numbers that are times: what they count since 1970, and the days of Excel."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.types import NULL_TEXTS

_PER_UNIT: Mapping[str, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
"""Microseconds."""
_PER_MICROSECOND = 1_000  # ns
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # microseconds since 1970 of the years 1 to 9999
_INT = r"(?:\d{1,18}|[1-8]\d{18}|9[01]\d{17})"  # in 64 bits
_NUMBER = rf"^[+-]?{_INT}(?:\.\d{{0,9}}0*)?$"
_SERIAL = r"^\+?(\d{1,7}(\.\d*)?|\d(\.\d+)?[eE][+-]?\d{1,2})$"
_DIGITS, _BILLION = 9, 10**9
_MOST_DIGITS = 28  # of a number of 64 bits with so many decimals
_DAY_MS = 86_400_000
_LEAP_DAY = 60  # of 1900 to Excel, a day that never was
_DAYS: Mapping[int, tuple[int, int, int]] = {1900: (1, 2_958_466, -25_569), 1904: (0, 2_957_004, -24_107)}
"""First serial, the one after the last, of 9999-12-31, and the day since 1970 of 0; by the origin."""


def as_moments(values: pa.ChunkedArray, declared: Column) -> tuple[pa.ChunkedArray, list[int]]:
    """Return numbers as the times that they count, and the rows with another value; what is a time already stays."""
    if pa.types.is_temporal(values.type):
        return values, []
    texts = pc.utf8_trim_whitespace(_texts_of(values)).combine_chunks()
    texts = pc.if_else(pc.is_in(texts, pa.array(NULL_TEXTS)), None, texts)
    if declared.decimal == ",":
        texts = pc.replace_substring(pc.replace_substring(texts, ".", "?"), ",", ".")
    found = _of_epochs(texts, declared.unit) if declared.unit is not None else _of_serials(texts, declared)
    misfits = pc.indices_nonzero(pc.and_(pc.is_valid(texts), pc.is_null(found))).to_pylist()
    return pa.chunked_array([found]), misfits


def tell_no_moment(declared: Column) -> str:
    """Return why a value is no time."""
    if declared.unit is not None:
        return f"is no number of {declared.unit} since 1970 that is a whole microsecond of the years 1 to 9999"
    return f"is no {declared.type} as Excel counts days since {declared.origin}"


def _texts_of(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as texts, floats without an exponent."""
    if pa.types.is_floating(values.type):
        values = pc.cast(values, pa.decimal128(38, 9), safe=False)
    return pc.cast(values, pa.string())


def _of_epochs(texts: pa.StringArray, unit: str) -> pa.TimestampArray:
    """Return exact times; null where there is none."""
    whole = _as_whole(texts)
    if whole is None and (moments := _of_decimals(texts, unit)) is not None:
        return moments
    if whole is None:
        texts = pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, None)
        whole = _as_whole(texts)
    if whole is not None:
        numbers, rest = _filled(whole), np.zeros(len(texts), np.int64)
    else:
        numbers, rest = _split(pc.fill_null(texts, "0"))
    if unit == "ns":
        is_exact = (numbers % _PER_MICROSECOND == 0) & (rest == 0)
        microseconds = numbers // _PER_MICROSECOND
        is_told = (microseconds >= _FIRST) & (microseconds <= _LAST)
    else:
        factor = _PER_UNIT[unit]
        is_exact = rest * factor % _BILLION == 0
        is_told = (numbers >= _FIRST // factor) & (numbers <= _LAST // factor)
        microseconds = np.where(is_told, numbers, 0) * factor + rest * factor // _BILLION
    fits = pc.is_valid(texts).to_numpy(zero_copy_only=False) & is_exact & is_told
    return pa.array(microseconds, pa.int64(), mask=~fits).cast(pa.timestamp("us", "UTC"))


def _as_whole(texts: pa.StringArray) -> pa.Array | None:
    """Return texts as the whole numbers that they are; None where one is none. A cast costs a third of the pattern, and takes 0x10 for 16."""
    if any(pc.any(pc.match_substring(texts, each)).as_py() for each in (".", "x", "X")):
        return None
    try:
        return pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        return None


def _of_decimals(texts: pa.StringArray, unit: str) -> pa.TimestampArray | None:
    """Return the times of texts at once; None where one is no plain decimal, or no whole microsecond of a year that is told."""
    if unit == "ns" or any(pc.any(pc.match_substring(texts, each)).as_py() for each in ("e", "E")):
        return None
    if any(pc.any(pc.starts_with(texts, each)).as_py() for each in (".", "-.", "+.")):
        return None
    try:
        decimals = pc.cast(texts, pa.decimal128(_MOST_DIGITS, _DIGITS))
        microseconds = pc.cast(pc.multiply(decimals, pa.scalar(Decimal(_PER_UNIT[unit]))), pa.int64())
    except pa.ArrowInvalid:
        return None
    extremes = pc.min_max(microseconds)
    if extremes["min"].as_py() < _FIRST or extremes["max"].as_py() > _LAST:
        return None
    return microseconds.cast(pa.timestamp("us", "UTC"))


def _split(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the whole number below each decimal, and the billionths that it is more."""
    whole = _filled(pc.cast(pc.replace_substring_regex(texts, r"^[+-]?(\d+).*$", r"\1"), pa.int64()))
    digits = pc.replace_substring_regex(texts, r"^[+-]?\d+\.?(\d{0,9})0*$", r"\1")
    parts = _filled(pc.cast(pc.utf8_rpad(digits, _DIGITS, "0"), pa.int64()))
    is_below = pc.starts_with(texts, "-").to_numpy(zero_copy_only=False)
    numbers = np.where(is_below, -whole - (parts > 0), whole)
    return numbers, np.where(is_below & (parts > 0), _BILLION - parts, parts)


def _of_serials(texts: pa.StringArray, declared: Column) -> pa.Array:
    """Return the days that serials mean, with the time of day to the millisecond, as Excel has it; null where there is none."""
    assert declared.origin is not None
    first, end, day_zero = _DAYS[declared.origin]
    is_number = pc.fill_null(pc.match_substring_regex(texts, _SERIAL), fill_value=False)
    serials = pc.fill_null(pc.cast(pc.if_else(is_number, texts, None), pa.float64()), -1.0).to_numpy()
    milliseconds = np.rint(serials * _DAY_MS).astype(np.int64)
    days, rest = np.divmod(milliseconds, _DAY_MS)
    fits = is_number.to_numpy(zero_copy_only=False) & (days >= first) & (days < end)
    since = days + day_zero
    if declared.origin == 1900:  # noqa: PLR2004 - as Excel has it
        fits &= days != _LEAP_DAY
        since += days < _LEAP_DAY
    if declared.type == "date":
        return pa.array(since.astype(np.int32), pa.int32(), mask=~(fits & (rest == 0))).cast(pa.date32())
    return pa.array((since * _DAY_MS + rest) * 1_000, pa.int64(), mask=~fits).cast(pa.timestamp("us"))


def _filled(numbers: pa.Array) -> np.ndarray:
    filled: np.ndarray = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False)
    return filled
