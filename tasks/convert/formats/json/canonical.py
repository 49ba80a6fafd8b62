"""Which JSON values stand in a file as Python writes them: told of many at once by their bytes, so that none is made an object of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.json.rows import DEEPEST

_QUOTE, _OPENING, _CLOSING, _COMMA, _BLANK, _MINUS, _POINT, _ZERO, _POWER = b'"[], -.0e'
_END = "\n"
_IS_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_IS_PLAIN = np.isin(np.arange(256), list(b'0123456789-.,[] "truefalsn' + _END.encode()))  # no object, no other blank
_MOST_DIGITS, _MOST_OF_FLOAT = 18, 15  # which a float holds, and repr gives back
_LEAST = 4  # zeros behind the point: of more repr writes an exponent


def are_canonical(values: pa.StringArray) -> np.ndarray:
    """Return which values, numbers and lists without escapes, Python writes with the same bytes; of one in doubt that it does not, as of objects."""
    are_so = np.ones(len(values), dtype=bool)
    if not len(values):
        return are_so
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(values)], values), _END)[0]
    data = np.frombuffer(f"{_END}{joined}{_END * (_LEAST + 1)}".encode(), np.uint8)
    is_outside = ~np.bitwise_xor.accumulate(data == _QUOTE)
    if _depth(data, is_outside) > DEEPEST // 2:
        return ~are_so
    is_odd = is_outside & ~_IS_PLAIN[data]
    is_odd[:-1] |= is_outside[:-1] & (data[:-1] == _COMMA) & (data[1:] != _BLANK)
    is_odd[1:] |= is_outside[1:] & (data[1:] == _BLANK) & (data[:-1] != _COMMA)
    is_odd[1:] |= is_outside[1:] & (data[1:] == _POWER) & _IS_DIGIT[data[:-1]]
    is_odd[:-2] |= is_outside[:-2] & (data[:-2] == _MINUS) & (data[1:-1] == _ZERO) & (data[2:] != _POINT)
    odd = np.concatenate([np.flatnonzero(is_odd), _find_odd_numbers(data, is_outside)])
    ends = np.flatnonzero(data == ord(_END))[1 : len(values) + 1]
    are_so[np.searchsorted(ends, odd)] = False
    return are_so


def _depth(data: np.ndarray, is_outside: np.ndarray) -> int:
    """Return how deep the deepest list is."""
    levels = np.zeros(len(data), np.int8)
    levels[is_outside & (data == _OPENING)] = 1
    levels[is_outside & (data == _CLOSING)] = -1
    return int(np.cumsum(levels, dtype=np.int32).max())


def _find_odd_numbers(data: np.ndarray, is_outside: np.ndarray) -> np.ndarray:
    """Return places in numbers that are too long, or whose decimals are not as Python writes them."""
    others = np.flatnonzero(~_IS_DIGIT[data])
    long = others[1:][np.diff(others) > _MOST_DIGITS + 1] - 1
    points = np.flatnonzero(is_outside[others] & (data[others] == _POINT))
    places, starts, stops = others[points], others[points - 1] + 1, others[points + 1]
    are_odd = stops - starts - 1 > _MOST_OF_FLOAT
    are_odd |= (data[stops - 1] == _ZERO) & (stops - places > len(".0"))
    is_small = (data[starts] == _ZERO) & (stops - places > _LEAST + 1)
    for step in range(1, _LEAST + 1):
        is_small &= data[places + step] == _ZERO
    odd: np.ndarray = np.concatenate([long, places[are_odd | is_small]])
    return odd
