"""Cells that calamine does not read as they are written: whole numbers of more digits than a float, and dates before 1900, which it tells as times of a day."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.excel.cells import Grid
from tasks.convert.formats.excel.parts import DOUBT, Archive, place_of
from tasks.core.imports import import_once

# A cell's column, row, attributes and value, which is one that may be in doubt.
_CELL = re.compile(
    rb'<c r="([A-Z]{1,3})(\d{1,7})"([^>]*)>\s*(?:<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*)?'
    rb"<v(?:\s[^>]*)?>([-+][^<]*|\d{16}[^<]*)</v>"
)
_PADDED = re.compile(rb"v(?:\s[^>]*)?>\s|\s</v>")  # which calamine takes for a text
_KIND, _STYLE = re.compile(rb'\bt="([^"]*)"'), re.compile(rb'\bs="(\d+)"')
_NUMBER, _WHOLE = re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"), re.compile(r"[-+]?[0-9]+")
_CLOCK = ":"  # has the text of a time of a day, and no number

_Cells = dict[int, list[tuple[int, str]]]


def settle_doubts(grid: Grid, archive: Archive, sheet: str, doubtful: Collection[int]) -> Grid | None:
    """Return the cells of a sheet with those of doubtful columns, from 0, that calamine changed as they are written; None where it is not sure which these are."""
    try:
        found = _find_cells(archive, sheet, doubtful)
        if not found:
            return grid
        columns = list(grid.columns)
        for column, cells in found.items():
            columns[column] = _settle(grid, columns[column], cells, is_1904=archive.is_1904)
    except (ValueError, OverflowError, IndexError):
        return None
    return Grid(grid.numbers, columns, grid.written)


def _find_cells(archive: Archive, sheet: str, doubtful: Collection[int]) -> _Cells:
    """Return the row, from 0, and the number of cells whose value may be in doubt, by their columns.

    Raises:
        ValueError: a value in doubt is written as few are.

    """
    found: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    places: dict[bytes, int] = {}
    days = _find_styles_of_days(archive)
    for piece in archive.rows_of(sheet):
        cells = _CELL.findall(piece)
        if len(cells) != len(DOUBT.findall(piece)) or _PADDED.search(piece):
            raise ValueError
        for letters, row, attributes, text in cells:
            if letters not in places:
                places[letters] = place_of(letters)
            kind = _KIND.search(attributes) if b't="' in attributes else None
            if places[letters] not in doubtful or (kind is not None and kind[1] == b"str"):
                continue  # a text is exact
            style = _STYLE.search(attributes)
            is_day = int(style[1] if style else 0) in days
            if (kind is not None and kind[1] != b"n") or (is_day and not text.startswith(b"-")):
                raise ValueError  # or a day beyond the last, which is an error
            found[places[letters]].append((int(row) - 1, text.decode()))
    return found


def _find_styles_of_days(archive: Archive) -> set[int]:
    """Return the numbers of the styles of cells in which a number is told as a time, as openpyxl judges them."""
    numbers = import_once("openpyxl.styles.numbers")
    codes, styles = dict[str, str](), list[str]()
    for element in archive.styles():
        if element.tag.endswith("}numFmt"):
            codes[element.get("numFmtId", "")] = element.get("formatCode", "")
        elif element.tag.endswith("}cellXfs"):
            styles = [each.get("numFmtId", "0") for each in element]
    found = (codes[each] if each in codes else numbers.builtin_format_code(int(each)) for each in styles)
    return {place for place, code in enumerate(found) if numbers.is_date_format(code)}


def _settle(grid: Grid, column: pa.ChunkedArray, cells: list[tuple[int, str]], *, is_1904: bool) -> pa.ChunkedArray:
    """Return a column with some cells as they are written.

    Raises:
        ValueError: one is not there, or was read as something else.
        OverflowError: one is a day that is none.

    """
    rows = np.array([row for row, _ in cells])
    places = np.searchsorted(grid.numbers, rows)
    if (np.diff(rows) <= 0).any() or (grid.numbers[places] != rows).any():
        raise ValueError
    read = column.take(pa.array(places)).to_pylist()
    texts = [_text_of(text, told, is_1904=is_1904) for (_, text), told in zip(cells, read, strict=True)]
    mask = np.zeros(len(column), bool)
    mask[places] = True
    return pa.chunked_array([pc.replace_with_mask(column.combine_chunks(), mask, pa.array(texts, pa.string()))])


def _text_of(text: str, read: str, *, is_1904: bool) -> str:
    """Return the text of a number as it is written, which calamine read as another."""
    if not _NUMBER.fullmatch(text):
        raise ValueError
    if _CLOCK in read:
        if is_1904 or not text.startswith("-"):
            raise ValueError
        moment = _from_serial()(float(text))
        if not isinstance(moment, datetime):
            raise ValueError
        return moment.isoformat().removesuffix("T00:00:00")
    if not _WHOLE.fullmatch(text):
        return read
    if float(read) != float(text):
        raise ValueError
    return str(int(text))


@cache
def _from_serial() -> Callable[[float], object]:
    from_serial: Callable[[float], object] = import_once("openpyxl.utils.datetime").from_excel
    return from_serial
