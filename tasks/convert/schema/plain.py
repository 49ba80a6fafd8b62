"""Texts as Arrow reads them: of numbers and times that are written as a column declares."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.time_formats import as_iso


def as_plain(values: pa.ChunkedArray, declared: Column) -> pa.ChunkedArray:
    """Return texts as Arrow reads them: without separators of thousands, with a decimal point, dates in ISO 8601."""
    if declared.format is not None:
        return as_iso(values, declared.format)
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
