"""Texts of times in a strptime format: in ISO 8601 by kernels, many at once, and by strptime itself where these cannot tell."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

# What strptime takes for each directive, of texts in ASCII, in its order, and which part of a time that is.
_NUMBERS: Mapping[str, tuple[str, str]] = {
    "Y": ("year", "[0-9]{4}"),
    "y": ("year", "[0-9]{2}"),
    "m": ("month", "1[0-2]|0[1-9]|[1-9]"),
    "d": ("day", "3[01]|[12][0-9]|0[1-9]|[1-9]| [1-9]"),
    "H": ("hour", "2[0-3]|[01][0-9]|[0-9]"),
    "I": ("hour", "1[0-2]|0[1-9]|[1-9]"),
    "M": ("minute", "[0-5][0-9]|[0-9]"),
    "S": ("second", "6[01]|[0-5][0-9]|[0-9]"),
    "f": ("fraction", "[0-9]{1,6}"),
    "z": ("zone", r"[+-][0-9]{2}:?[0-5][0-9](?::?[0-5][0-9](?:\.[0-9]{1,6})?)?|(?-i:Z)"),
}
_NAMES: Mapping[str, str] = {"b": "month", "B": "month", "a": "weekday", "A": "weekday", "p": "half"}
_BLANKS = r"[\t-\r\x1c-\x20]+"  # those of ASCII that Python takes for any others
_PLAIN_ZONE = r"^(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])$"
_ENDS = ("0001", "9999")  # years, of which a zone may lead to none
_NO_TIME = "no time"
_LEAST_OF_1900 = "69"  # of years of two digits
_WIDTH, _FRACTION, _HALF_DAY = 2, 6, 12


@dataclass(frozen=True)
class _Shape:
    """What a time of a format looks like: a pattern with its parts, the directive of each, and the names there are of it, in lower case.

    Of texts that match `certain`, which have no character beyond ASCII but those of the format, strptime takes no others for times.
    """

    pattern: str
    certain: str
    directives: Mapping[str, str]
    names: Mapping[str, Sequence[str]]


def as_iso(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return the texts that are times in a strptime format in ISO 8601, and all others as texts that are no times."""
    shape = _shape_of(pattern)
    if shape is None:
        return _parse_each(values, pattern)
    texts = values.combine_chunks()
    found = pc.extract_regex(texts, shape.pattern)
    parts = {name: pc.struct_field(found, name) for name in [*shape.directives, "rest"]}
    is_shaped = pc.and_(found.is_valid(), pc.fill_null(pc.equal(parts["rest"], ""), fill_value=False))
    is_clear = pc.fill_null(pc.match_substring_regex(texts, shape.certain), fill_value=True)
    if "zone" in parts:
        is_plain = pc.match_substring_regex(parts["zone"], _PLAIN_ZONE)
        is_plain = pc.and_not(is_plain, pc.is_in(parts["year"], pa.array(_ENDS)))
        is_clear = pc.and_(is_clear, pc.fill_null(is_plain, fill_value=True))
    told = pc.if_else(is_shaped, _write(parts, shape), pc.if_else(texts.is_valid(), _NO_TIME, None))
    if pc.all(is_clear).as_py():
        return pa.chunked_array([told])
    return pc.if_else(is_clear, told, _parse_each(pc.if_else(is_clear, None, values), pattern))


@cache
def _shape_of(pattern: str) -> _Shape | None:
    """Return what a time of a strptime format looks like; None where it has a directive of which only strptime knows, or two for one part."""
    literals, directives = re.split("%(.)", pattern)[::2], re.split("%(.)", pattern)[1::2]
    names = {each: _names_of(each) for each in directives if each in _NAMES}
    shown, parts = "", dict[str, str]()
    for literal, directive in zip(literals, [*directives, ""], strict=True):
        shown += _BLANKS.join(map(_literal, re.split(r"\s+", literal)))
        if directive in names:
            part, choice = _NAMES[directive], "|".join(map(re.escape, sorted(names[directive], key=len, reverse=True)))
        elif directive in _NUMBERS:
            part, choice = _NUMBERS[directive]
        elif directive in ("", "%"):
            shown += directive
            continue
        else:
            return None
        if part in parts or not choice.isascii():
            return None
        parts[part] = directive
        shown += f"(?P<{part}>{choice})"
    beyond = {each for literal in literals for each in literal if not each.isascii()}
    folded = {each.casefold() for each in beyond}
    if len(folded) < len(beyond) or any(each.isascii() or each.isdecimal() or each.isspace() for each in folded):
        return None  # of one letter there are two, or it may be one of ASCII, a digit or a blank
    if "%" in "".join(literals) or not all(names.values()) or "year" not in parts:
        return None
    if (parts.get("hour") == "I") != ("half" in parts):
        return None
    certain = f"^[\\x00-\\x7f{re.escape(''.join(sorted(beyond)))}]*$"
    named = {_NAMES[directive]: each for directive, each in names.items()}
    return _Shape(f"(?is)^{shown}(?P<rest>.*)$", certain, parts, named)


def _literal(text: str) -> str:
    return re.escape(text) if text.isascii() else f"(?-i:{re.escape(text)})"


def _names_of(directive: str) -> Sequence[str]:
    """Return the names of months, weekdays or halves of a day, in lower case as strptime compares them, from the first; none where one is empty."""
    known: Mapping[str, Sequence[str]] = {
        "a": list(calendar.day_abbr),
        "A": list(calendar.day_name),
        "b": list(calendar.month_abbr)[1:],
        "B": list(calendar.month_name)[1:],
        "p": [time(hour).strftime("%p") for hour in (0, _HALF_DAY)],
    }
    found = [each.lower() for each in known[directive]]
    return found if all(found) else ()


def _write(parts: Mapping[str, pa.Array], shape: _Shape) -> pa.Array:
    """Return the parts of times in ISO 8601, those of midnight as days where there is no zone, of which what is not told is the least."""

    def padded(name: str, unless: str) -> pa.Array | str:
        if name not in parts:
            return unless
        digits = pc.utf8_trim_whitespace(parts[name]) if name == "day" else parts[name]
        return pc.utf8_lpad(digits, _WIDTH, "0")

    year = pc.if_else(pc.equal(parts["year"], "0000"), _NO_TIME, parts["year"])
    if shape.directives["year"] == "y":
        year = _join(pc.if_else(pc.less(year, _LEAST_OF_1900), "20", "19"), year, "")
    month = _number_of(parts["month"], shape.names["month"], 1) if "month" in shape.names else padded("month", "01")
    day = _join(year, month, padded("day", "01"), "-")
    clock = {"hour", "minute", "second", "fraction", "zone"} & parts.keys()
    if not clock:
        return day
    hour = padded("hour", "00")
    if shape.directives.get("hour") == "I":
        hour = _hour_of(parts["hour"], pc.equal(pc.utf8_lower(parts["half"]), shape.names["half"][1]))
    written = _join(hour, padded("minute", "00"), padded("second", "00"), ":")
    midnight = "00:00:00"
    if "fraction" in parts:
        written = _join(written, pc.utf8_rpad(parts["fraction"], _FRACTION, "0"), ".")
        midnight = "00:00:00.000000"
    if "zone" in parts:
        return _join(day, "T", written, pc.if_else(pc.equal(parts["zone"], "Z"), "+00:00", parts["zone"]), "")
    return pc.if_else(pc.equal(written, midnight), day, _join(day, written, "T"))


def _join(*texts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*texts)


def _number_of(names: pa.Array, known: Sequence[str], first: int) -> pa.Array:
    """Return the numbers of names, of two digits, from that of the first."""
    numbers = pa.array([f"{number:02}" for number, _ in enumerate(known, start=first)])
    return numbers.take(pc.index_in(pc.utf8_lower(names), pa.array(known)))


def _hour_of(hours: pa.Array, is_second: pa.Array) -> pa.Array:
    """Return the hours of 24 that those of the first or the second half of a day are."""
    numbers = pc.cast(hours, pa.int64())
    numbers = pc.if_else(pc.equal(numbers, _HALF_DAY), 0, numbers)
    numbers = pc.add(numbers, pc.if_else(is_second, _HALF_DAY, 0))
    return pc.utf8_lpad(pc.cast(numbers, pa.string()), _WIDTH, "0")


def _parse_each(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return the same by strptime, each text once."""
    written = {text: _iso_of(text, pattern) for text in pc.unique(values).to_pylist() if text is not None}
    keys = pa.array(list(written), pa.string())
    return pc.take(pa.array(list(written.values()), pa.string()), pc.index_in(values, keys))


def _iso_of(text: str, pattern: str) -> str:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - with a zone where the format has one
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC it would be of the year 0 or 10000
        return _NO_TIME
    is_day = moment.tzinfo is None and moment.time() == time.min
    return moment.date().isoformat() if is_day else moment.isoformat()
