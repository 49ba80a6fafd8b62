"""Cells that calamine does not read as they are written: whole numbers of more digits than a float, and dates before 1900, which it tells as times of a day."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cache, partial

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
_NUMBER, _WHOLE = r"^[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?$", r"^[-+]?[0-9]+$"
_SHORT = r"^-?[0-9]{1,18}$"  # fits 64 bits
_CLOCK = ":"  # has the text of a time of a day, and no number
_FIRST = np.datetime64("1899-12-30", "ms")  # from which Excel counts days
_LEAST_DAY = -693_593  # the first of January of the year 1
_DAY_S, _MS = 86_400, 1000

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
    judge = cache(partial(_judge, days=_find_styles_of_days(archive)))  # many cells have the same attributes
    for piece in archive.rows_of(sheet):
        cells = _CELL.findall(piece)
        if len(cells) != len(DOUBT.findall(piece)) or _PADDED.search(piece):
            raise ValueError
        for letters, row, attributes, text in cells:
            if letters not in places:
                places[letters] = place_of(letters)
            is_text, is_number, is_day = judge(attributes)
            if is_text or places[letters] not in doubtful:
                continue  # a text is exact
            if not is_number or (is_day and not text.startswith(b"-")):
                raise ValueError  # or a day beyond the last, which is an error
            found[places[letters]].append((int(row) - 1, text.decode()))
    return found


def _judge(attributes: bytes, days: Collection[int]) -> tuple[bool, bool, bool]:
    """Return of a cell's attributes whether its value is a text, whether it is a number, and whether that is told as a time."""
    kind, style = _KIND.search(attributes), _STYLE.search(attributes)
    name = kind[1] if kind else b"n"
    return name == b"str", name == b"n", int(style[1] if style else 0) in days


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
    read = column.take(pa.array(places)).combine_chunks()
    texts = _texts_of(pa.array([text for _, text in cells], pa.string()), read, is_1904=is_1904)
    mask = np.zeros(len(column), bool)
    mask[places] = True
    return pa.chunked_array([pc.replace_with_mask(column.combine_chunks(), mask, texts)])


def _texts_of(texts: pa.StringArray, read: pa.StringArray, *, is_1904: bool) -> pa.StringArray:
    """Return the texts of numbers as they are written, which calamine read as others.

    Raises:
        ValueError: one is no number, or another.
        OverflowError: one is a day that is none.

    """
    if read.null_count or not pc.all(pc.match_substring_regex(texts, _NUMBER)).as_py():
        raise ValueError
    is_day = pc.match_substring(read, _CLOCK)
    days = texts.filter(is_day)
    if len(days) and (is_1904 or not pc.all(pc.starts_with(days, "-")).as_py()):
        raise ValueError
    is_whole = pc.and_not(pc.match_substring_regex(texts, _WHOLE), is_day)
    found = pc.replace_with_mask(read, is_day, tell_days(_floats_of(days)))
    whole = texts.filter(is_whole)
    if (_floats_of(read.filter(is_whole)) != _floats_of(whole)).any():
        raise ValueError
    return pc.replace_with_mask(found, is_whole, _plain_digits_of(whole))


def _plain_digits_of(texts: pa.StringArray) -> pa.StringArray:
    """Return whole numbers without a plus and zeros that say nothing."""
    if pc.all(pc.match_substring_regex(texts, _SHORT)).as_py():
        return texts.cast(pa.int64()).cast(pa.string())
    return pa.array([str(int(each)) for each in texts.to_pylist()], pa.string())


def _floats_of(texts: pa.StringArray) -> np.ndarray:
    return np.array(list(map(float, texts.to_pylist())), float)


def tell_days(serials: Sequence[float] | np.ndarray) -> pa.StringArray:
    """Return Excel's numbers of days before 1900, which are below zero, as openpyxl's `from_excel` tells them, in ISO 8601.

    Raises:
        ValueError: one is not below zero.
        OverflowError: one is before the year 1.

    """
    numbers = np.asarray(serials, float)
    if not (numbers < 0).all():
        raise ValueError
    if not (numbers >= _LEAST_DAY).all():
        raise OverflowError
    days, fractions = np.divmod(numbers, 1)
    moments = _FIRST + (days.astype(np.int64) * _DAY_S * _MS + np.rint(fractions * _DAY_S * _MS).astype(np.int64))
    texts = pa.array(moments.astype("datetime64[us]")).cast(pa.string())
    # As isoformat: no fraction of a second that is none, and no time at midnight.
    texts = pc.binary_replace_slice(texts, 10, 11, "T")
    return pc.replace_substring_regex(texts, r"(?:T00:00:00)?\.000000$", "")
