"""Formulas of an Excel sheet whose results are not stored, as programs write them that do not calculate."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Readers of values give null for such a cell. Where the result is an empty text, Excel says so: t="str".
_FORMULA = rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
_NO_VALUE = rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?"
_UNSTORED = re.compile(rb"<(?:\w+:)?c\b([^>]*)>\s*" + _FORMULA + rb"\s*" + _NO_VALUE + rb"\s*</(?:\w+:)?c>")
_COLUMN = re.compile(rb'\br="([A-Z]+)\d+"')
_TEXT = b't="str"'


@dataclass(frozen=True)
class Sheet:
    """A sheet's name, and its file within the workbook, empty where it has none, as in older formats.

    `others` are the visible sheets beside it that hold a value.
    """

    name: str
    path: str
    others: Sequence[str] = ()


def count_unstored(data: bytes, sheet: Sheet) -> Mapping[int, int]:
    """Return, by column from 0, how many formulas of a sheet have no stored result."""
    if not sheet.path:
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        cells = archive.read(sheet.path.lstrip("/"))
    if b"<f" not in cells and b":f" not in cells:
        return {}
    found = (match[1] for match in _UNSTORED.finditer(cells) if _TEXT not in match[1])
    return Counter(_place_of(column[1]) for each in found if (column := _COLUMN.search(each)))


def _place_of(letters: bytes) -> int:
    """Return the place of a column from 0: A is 0, AA is 26."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - ord("A") + 1
    return place - 1
