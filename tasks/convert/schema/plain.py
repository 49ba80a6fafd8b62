"""Texts as Arrow reads them: of numbers and times that are written as a column declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column

_DIGITS: Mapping[str, str] = {"Y": r"([1-9]\d{3})", **dict.fromkeys("mdHMS", r"(\d{2})")}


def as_plain(values: pa.ChunkedArray, declared: Column) -> pa.ChunkedArray:
    """Return texts as Arrow reads them: without separators of thousands, with a decimal point, dates in ISO 8601."""
    if declared.format is not None:
        return _as_iso(values, declared.format)
    if declared.decimal is not None and pc.any(pc.ends_with(values, "-")).as_py():  # as SAP writes numbers below zero
        values = pc.replace_substring_regex(values, r"^(\d|[^+-].*\d)-$", r"-\1")
    if declared.thousands is not None:
        # Only where they separate thousands: 1,5 is no 15, nor 0,125 a 125.
        separator = re.escape(declared.thousands)
        decimal = re.escape(declared.decimal or ".")
        grouped = pc.match_substring_regex(values, rf"^[+-]?[1-9]\d{{0,2}}({separator}\d{{3}})+({decimal}\d+)?$")
        values = pc.if_else(grouped, pc.replace_substring(values, declared.thousands, ""), values)
    if declared.decimal == ",":
        pointed = pc.match_substring(values, ".")  # 1.234 is no number where commas separate decimals
        values = pc.replace_substring(values, ",", ".", max_replacements=1)
        if pc.any(pointed).as_py():
            values = pc.if_else(pointed, "a point", values)
    return values


def _as_iso(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return the texts that are times in a strptime format in ISO 8601, and the others as they are."""
    rewriting = _rewriting(pattern)
    if rewriting is None:
        return _parse_each(values, pattern)
    is_fixed = pc.match_substring_regex(values, rewriting[0])
    written = pc.replace_substring_regex(pc.replace_substring_regex(values, *rewriting), "T00:00:00$", "")
    if pc.all(is_fixed).as_py():
        return written
    return pc.if_else(is_fixed, written, _parse_each(pc.if_else(is_fixed, None, values), pattern))


@cache
def _rewriting(pattern: str) -> tuple[str, str] | None:
    """Return what a time of a strptime format looks like with all of its digits, and the same in ISO 8601; None where it has more than numbers."""
    literals, directives = re.split("%(.)", pattern)[::2], re.split("%(.)", pattern)[1::2]
    if not {"Y", "m", "d"} <= set(directives) <= set(_DIGITS) or len(directives) > len(set(directives)):
        return None
    digits = [*(_DIGITS[each] for each in directives), ""]
    groups = {each: f"\\{number}" for number, each in enumerate(directives, start=1)}
    time = ":".join(groups.get(each, "00") for each in "HMS")
    day = "{Y}-{m}-{d}".format_map(groups)
    shape = "".join(f"{re.escape(literal)}{each}" for literal, each in zip(literals, digits, strict=True))
    return f"^{shape}$", f"{day}T{time}"


def _parse_each(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return the same by strptime, each text once."""
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
