"""Decimals: numbers of so many digits, kept exactly as Parquet has them; their type is called decimal(p,s)."""

from __future__ import annotations

import re

import pyarrow as pa

_NAME = re.compile(r"decimal\((\d+),(\d+)\)")
_MOST_DIGITS = 38  # of a decimal128, which every reader of Parquet knows
_INT_DIGITS = 19


def is_decimal(name: str) -> bool:
    """Return whether a type is that of decimals."""
    return name.startswith("decimal(")


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
