"""How Arrow reads a text as a number or a time: what texts of a type look like, so that many are told at once.

Arrow is asked for the values alone: a cast that fails costs ten times one that succeeds, and tells of one text only. Of
decimals it takes some with more digits than fit for other numbers, without a word, so that these are not given to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from tasks.convert.schema.types import LEAST_INT, MOST_INT, TypeName, arrow_type

_LEAP = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    r"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    rf"|02-(?:0[1-9]|1\d|2[0-8]))|{_LEAP}-02-29)"
)
_HOUR, _MINUTE = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_TIME = rf"[ T]{_HOUR}(?::{_MINUTE}(?::{_MINUTE}(?:\.\d{{1,6}})?)?)?"
_ZONE = rf"(?:Z|[+-]{_HOUR}(?::?{_MINUTE})?)"
_HEX = r"0[xX](?:[0-9a-fA-F]{1,15}|[0-7][0-9a-fA-F]{15})"  # Arrow takes greater ones for numbers below zero
_EXPONENT = r"[eE][+-]?\d+"


def _up_to(most: int) -> str:
    """Return what matches whole numbers from 0 to one of many digits."""
    digits = str(most)
    less = [
        rf"{digits[:place]}[0-{int(digit) - 1}]\d{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "0"
    ]
    return rf"0*(?:\d{{1,{len(digits) - 1}}}|{'|'.join([*less, digits])})"


_INT = rf"{_up_to(MOST_INT)}|-{_up_to(-LEAST_INT)}|{_HEX}"
_PATTERNS: Mapping[TypeName, str] = {
    "bool": "(?i)true|false|0|1",
    "int": _INT,
    "long": _INT,
    "float": rf"(?i)[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:{_EXPONENT})?|nan(?:\(\w*\))?|inf|infinity)",
    "date": _DAY,
    "timestamp": f"{_DAY}(?:{_TIME})?",
    "timestamp_utc": f"{_DAY}{_TIME}{_ZONE}",
}


@cache
def pattern_of(name: TypeName) -> str:
    """Return what matches each text that is of a type, and no other; a decimal has no exponent, and ends in no needless zero."""
    if name in _PATTERNS:
        return f"^(?:{_PATTERNS[name]})$"
    kind: pa.Decimal128Type = arrow_type(name)
    whole, decimals = kind.precision - kind.scale, kind.scale
    before = rf"0*\d{{1,{whole}}}" if whole else "0+"
    return rf"^[+-]?{before}(?:\.\d{{0,{decimals}}})?$"
