"""The cells of one sheet of a workbook, and what is told of it, by the reader that is right for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from tasks.convert.formats.excel.apart import AHEAD_BYTES, read_ahead_apart, read_apart
from tasks.convert.formats.excel.by_calamine import Sheet, choose_sheet, fill_grid, open_workbook
from tasks.convert.formats.excel.by_openpyxl import CarefulWorkbook
from tasks.convert.formats.excel.cells import Grid
from tasks.convert.formats.excel.doubts import settle_doubts
from tasks.convert.formats.excel.parts import Archive
from tasks.core.errors import TableError

_OLDER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how .xls begins


def read_sheet(data: bytes, chosen: str | int | None) -> Sheet:
    """Return the sheet that is chosen by name or number, or the first.

    Raises:
        TableError: it is no Excel file, has no such sheet, or would not fit in memory.

    """
    try:
        archive = None if data.startswith(_OLDER) else Archive(data)
        if archive is not None and not archive.is_apart:
            return _read_archive(data, archive, chosen)
    except TableError:
        raise
    except MemoryError as error:
        raise TableError("does not fit in memory; save it as .csv, which is read block by block") from error
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error
    return read_apart(data, chosen)


def read_sheets_ahead(books: Iterable[bytes], chosen: str | int | None) -> AbstractContextManager[None]:
    """Have `read_sheet` know the sheets of those workbooks that are read in a process of their own, as far as all are in memory together."""
    apart, left = list[bytes](), AHEAD_BYTES
    for data in books:
        left -= len(data)
        if left < 0:
            break
        if _is_apart(data):
            apart.append(data)
    return read_ahead_apart(apart, chosen) if len(apart) > 1 else nullcontext()


def _is_apart(data: bytes) -> bool:
    try:
        return data.startswith(_OLDER) or Archive(data).is_apart
    except Exception:  # noqa: BLE001 - a damaged file fails anywhere, which is told where it is read
        return False


def _read_archive(data: bytes, archive: Archive, chosen: str | int | None) -> Sheet:
    """Return the same of an .xlsx."""
    if archive.is_odd:
        return _read_carefully(data, archive, chosen)
    try:
        names, visible, book = open_workbook(data)
        name = choose_sheet(names, visible, chosen)
        grid, doubtful = fill_grid(book, name)
    except TableError:
        raise
    except Exception:  # noqa: BLE001 - calamine refuses what openpyxl reads, as the errors of newer Excel
        return _read_carefully(data, archive, chosen)
    if archive.bears_out(name, doubtful):
        settled = settle_doubts(grid, archive, name, doubtful) if name in archive.paths else None
        if settled is None:
            return _read_carefully(data, archive, chosen)
        grid = settled
    return _sheet_of(name, grid, visible, archive)


def _read_carefully(data: bytes, archive: Archive, chosen: str | int | None) -> Sheet:
    book = CarefulWorkbook(data)
    name = choose_sheet(book.names, book.visible, chosen)
    return _sheet_of(name, book.read(name), book.visible, archive)


def _sheet_of(name: str, grid: Grid, visible: Sequence[str], archive: Archive) -> Sheet:
    others = [other for other in visible if other != name and archive.holds_rows(other)]
    return Sheet(name, grid, others, archive.count_unstored(name))
