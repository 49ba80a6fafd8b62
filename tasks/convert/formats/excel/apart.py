"""Workbooks that are no .xlsx, each read in a process of its own: what a damaged one claims may take all memory, or end the process."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from tasks.convert.formats.excel.by_calamine import Sheet, choose_sheet, fill_grid, holds_rows, open_workbook
from tasks.convert.formats.excel.cells import Grid
from tasks.core.errors import TableError
from tasks.core.isolation.client import each_isolated, leave_call_server, run_isolated
from tasks.core.outcome import Failed
from tasks.core.scratch import scratch

_MODULE = "tasks.convert.formats.excel.apart"
_EACH = f"{_MODULE}:write_sheets"
_MOST_MIB = 4096
_LIMITS: dict[str, Any] = {"time_s": math.inf, "memory_mb": _MOST_MIB, "preload": (_MODULE,)}
AHEAD_BYTES = 64 * 1024 * 1024  # of workbooks, and of their sheets, that are known before they are asked for
_MOST_ENDED = 3  # processes that did not come to their end: of other workbooks each has its own
_BOOK, _SHEET = "workbook", "sheet.arrow"
_STANDARD_ERROR = 2

_ahead: ContextVar[Mapping[tuple[bytes, str | int | None], Sheet]] = ContextVar("sheets", default=MappingProxyType({}))


def read_apart(data: bytes, chosen: str | int | None) -> Sheet:
    """Return a sheet of a workbook.

    Raises:
        TableError: it is none, has no such sheet, or would not fit in memory.

    """
    known = _ahead.get().get((data, chosen))
    if known is not None:
        return known
    with scratch("workbook") as folder:  # paths travel: what is sent is copied several times
        (folder / _BOOK).write_bytes(data)
        function = f"{_MODULE}:write_sheet"
        try:
            call = run_isolated(function, folder, chosen, **_LIMITS)
        finally:
            leave_call_server()
        if isinstance(call.outcome, Failed):
            ended = f"took more than {_MOST_MIB:,} MiB" if call.ended == "memory" else "was ended"
            raise TableError(
                f"is damaged, or would not fit in memory (its reader {ended}); save it anew as .xlsx, or its sheet as .csv"
            )
        if call.outcome is not None:
            raise TableError(call.outcome)
        return _take_sheet(folder)


@contextmanager
def read_ahead_apart(books: Sequence[bytes], chosen: str | int | None) -> Iterator[None]:
    """Have `read_apart` know a sheet of each of many small workbooks: they are read in one process, which takes longer to start than to read them.

    One that cannot be read, or with which the process ended, is read once more by itself, which tells why.
    """
    token = _ahead.set(dict(_read_each(books, chosen)))
    try:
        yield
    finally:
        _ahead.reset(token)


def _read_each(
    books: Sequence[bytes], chosen: str | int | None
) -> Iterator[tuple[tuple[bytes, str | int | None], Sheet]]:
    with scratch("workbooks") as folder:
        for number, book in enumerate(books):
            (folder / str(number)).mkdir()
            (folder / str(number) / _BOOK).write_bytes(book)
        place, left, ended = 0, AHEAD_BYTES, 0
        while place < len(books) and left > 0 and ended < _MOST_ENDED:
            try:
                for call in each_isolated(_EACH, folder, place, len(books), chosen, **_LIMITS):
                    if call.ended != "yielded" or left <= 0:
                        break
                    if call.outcome is None:
                        left -= (folder / str(place) / _SHEET).stat().st_size
                        yield (books[place], chosen), _take_sheet(folder / str(place))
                    place += 1
            finally:
                leave_call_server()
            place, ended = place + 1, ended + 1  # the one with which the process ended, if it did


def write_sheets(folder: Path, first: int, stop: int, chosen: str | int | None) -> Iterator[str | None]:
    """Write a sheet of each workbook from one to before another, and yield why it cannot be read."""
    for place in range(first, stop):
        yield write_sheet(folder / str(place), chosen)


def _take_sheet(folder: Path) -> Sheet:
    """Return the sheet that was written into a folder."""
    with pa.ipc.open_stream((folder / _SHEET).read_bytes()) as stream:
        table, told = stream.read_all(), json.loads(stream.schema.metadata[b"told"])
    width, columns = (table.num_columns - 1) // 2, table.columns
    grid = Grid(columns[0].to_numpy(), columns[1 : 1 + width], columns[1 + width :])
    return Sheet(told["name"], grid, told["others"])


def write_sheet(folder: Path, chosen: str | int | None) -> str | None:
    """Write a sheet of the workbook in a folder beside it, in a process that was forked for it; return why it cannot be read."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _STANDARD_ERROR)  # its reader says there what it could not allocate
    _settle_without_pandas()
    try:
        sheet = _read((folder / _BOOK).read_bytes(), chosen)
    except TableError as error:
        return str(error)
    grid = sheet.grid
    # As a table: the numbers of its rows, its columns, and what is text in them.
    columns = [pa.chunked_array([pa.array(grid.numbers)]), *grid.columns, *grid.written]
    told = json.dumps({"name": sheet.name, "others": sheet.others})
    table = pa.table(columns, list(map(str, range(len(columns))))).replace_schema_metadata({"told": told})
    with pa.OSFile(str(folder / _SHEET), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return None


class _NoPandas(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - its names
        """Say that pandas is not there."""
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def _settle_without_pandas() -> None:
    """Have Arrow find no pandas, which it asks for once: to import it takes longer than most sheets."""
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)


def _read(data: bytes, chosen: str | int | None) -> Sheet:
    try:
        names, visible, book = open_workbook(data)
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error
    name = choose_sheet(names, visible, chosen)
    grid, _ = fill_grid(book, name)
    return Sheet(name, grid, [other for other in visible if other != name and holds_rows(book, other)])
