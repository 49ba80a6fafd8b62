"""The cells of one sheet of a workbook, and what is told of it: read by calamine, or by openpyxl where that alone is right."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from tasks.convert.formats.workbook_cells import Grid, GridBuilder
from tasks.convert.formats.workbook_openpyxl import CarefulWorkbook
from tasks.convert.formats.workbook_parts import Archive
from tasks.core.errors import TableError

_PEEKED_ROWS = 1000

Choose = Callable[[Sequence[str], Sequence[str]], str]
"""Returns the name of a sheet, given those of all and those of the visible ones."""


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name and cells; `others` are the visible sheets beside it that hold a value.

    `unstored` is, by column from 0, how many formulas have no stored result.
    """

    name: str
    grid: Grid
    others: Sequence[str] = ()
    unstored: Mapping[int, int] = field(default_factory=dict)


def read_sheet(data: bytes, choose: Choose) -> Sheet:
    """Return the sheet that is chosen by the names.

    Raises:
        TableError: it is no Excel file, or would not fit in memory.

    """
    try:
        return _read_archive(data, choose) if data.startswith(b"PK") else _read_older(data, choose)
    except TableError:
        raise
    except MemoryError as error:
        raise TableError("does not fit in memory; save it as .csv, which is read block by block") from error
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error


def _read_archive(data: bytes, choose: Choose) -> Sheet:
    archive = Archive(data)
    if archive.is_odd:
        return _read_carefully(data, archive, choose)
    try:
        names, visible, book = _open(data)
        name = choose(names, visible)
        grid, is_doubtful = _fill(book, name)
    except TableError:
        raise
    except Exception:  # noqa: BLE001 - calamine refuses what openpyxl reads, as the errors of newer Excel
        return _read_carefully(data, archive, choose)
    if is_doubtful and archive.bears_out(name):
        return _read_carefully(data, archive, choose)
    return _sheet_of(name, grid, visible, archive)


def _read_carefully(data: bytes, archive: Archive, choose: Choose) -> Sheet:
    book = CarefulWorkbook(data)
    name = choose(book.names, book.visible)
    return _sheet_of(name, book.read(name), book.visible, archive)


def _sheet_of(name: str, grid: Grid, visible: Sequence[str], archive: Archive) -> Sheet:
    others = [other for other in visible if other != name and archive.holds_rows(other)]
    return Sheet(name, grid, others, archive.count_unstored(name))


def _read_older(data: bytes, choose: Choose) -> Sheet:
    """Return the same of a format whose sheets have 65,536 rows and 256 columns at most."""
    names, visible, book = _open(data)
    name = choose(names, visible)
    grid, _ = _fill(book, name)
    return Sheet(name, grid, [other for other in visible if other != name and _holds_rows(book, other)])


def _open(data: bytes) -> tuple[list[str], list[str], CalamineWorkbook]:
    """Return the names of the sheets of cells, those of the visible ones, and the workbook."""
    with _panics_raised():
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    return [sheet.name for sheet in sheets], visible, book


def _fill(book: CalamineWorkbook, name: str) -> tuple[Grid, bool]:
    """Return the cells of a sheet, and whether some may be others than are written."""
    builder = GridBuilder()
    with _panics_raised():
        sheet = book.get_sheet_by_name(name)  # without the interpreter's lock: the loop lives
    # Blank rows above its cells are rows of it, blank columns left of them are not.
    builder.add(sheet.iter_rows(), sheet.width, sheet.start[1] if sheet.start else 0)
    return builder.build(), builder.is_doubtful


def _holds_rows(book: CalamineWorkbook, name: str) -> bool:
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
