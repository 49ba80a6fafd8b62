"""Workbooks as calamine reads them."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from tasks.convert.formats.excel.cells import Grid, GridBuilder
from tasks.core.errors import TableError

_PEEKED_ROWS = 1000


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name and cells; `others` are the visible sheets beside it that hold a value.

    `unstored` is, by column from 0, how many formulas have no stored result.
    """

    name: str
    grid: Grid
    others: Sequence[str] = ()
    unstored: Mapping[int, int] = field(default_factory=dict)


def choose_sheet(names: Sequence[str], visible: Sequence[str], chosen: str | int | None) -> str:
    """Return the name of the sheet that is chosen by name or number, else of the first that is visible.

    Raises:
        TableError: there is none such.

    """
    if chosen is None:
        return next(iter([*visible, *names]))
    if isinstance(chosen, int) and chosen < len(names):
        return names[chosen]
    if chosen in names:
        return str(chosen)
    raise TableError(f"has no sheet {chosen!r}; its sheets are {', '.join(names)}: correct read.sheet")


def open_workbook(data: bytes) -> tuple[list[str], list[str], CalamineWorkbook]:
    """Return the names of the sheets of cells, those of the visible ones, and the workbook."""
    with _panics_raised():
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    return [sheet.name for sheet in sheets], visible, book


def fill_grid(book: CalamineWorkbook, name: str) -> tuple[Grid, Collection[int]]:
    """Return the cells of a sheet, and the columns, from 0, in which some may be others than are written."""
    builder = GridBuilder()
    with _panics_raised():
        sheet = book.get_sheet_by_name(name)  # without the interpreter's lock: the loop lives
    # Blank rows above its cells are rows of it, blank columns left of them are not.
    builder.add(sheet.iter_rows(), sheet.width, sheet.start[1] if sheet.start else 0, sheet.total_height)
    return builder.build(), builder.doubtful


def holds_rows(book: CalamineWorkbook, name: str) -> bool:
    """Return whether one of a sheet's first rows has a value."""
    with _panics_raised():
        rows = islice(book.get_sheet_by_name(name).iter_rows(), _PEEKED_ROWS)
    return any(value != "" for row in rows for value in row)


@contextmanager
def _panics_raised() -> Iterator[None]:
    """Raise ValueError where calamine panics over a damaged file, which is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise ValueError(str(error)) from error
