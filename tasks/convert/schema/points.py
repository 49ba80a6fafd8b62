"""Points that may separate decimals or thousands, as that of 1.234: looked for where nothing in the head of a file tells which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MAY_BE_GROUPED = r"^\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*$"
_GROUP = 1_000
_NEARLY = 1e-6


def may_be_grouped(values: pa.ChunkedArray) -> bool:
    """Return whether each number that was read as a decimal may be a whole one with a separator of thousands; in doubt it may."""
    numbers = values.drop_null().to_numpy()
    parts = numbers[np.floor(numbers) != numbers]
    thousandfold = parts * _GROUP
    is_so = (np.abs(parts) > 1) & (np.abs(parts) < _GROUP) & (np.abs(thousandfold - np.rint(thousandfold)) < _NEARLY)
    return bool(is_so.all())


def find_points(column: pa.ChunkedArray) -> str | None:
    """Return a number of a column of decimals with a point that may separate thousands; none where a value tells that it does not, None where there is no point."""
    if not pa.types.is_string(column.type):  # numbers that may not have been grouped
        return ""
    pointed = column.filter(pc.fill_null(pc.match_substring(column, "."), fill_value=False))
    if not len(pointed):
        return None
    return pointed[0].as_py().strip() if pc.all(pc.match_substring_regex(pointed, _MAY_BE_GROUPED)).as_py() else ""


def add_points(each: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return by column a number that may be one of thousands, blocks together; nothing where any of them tells that points separate decimals."""
    found: dict[str, str] = {}
    for points in each:
        if "" in points.values():
            return {}
        found = {**points, **found}
    return found
