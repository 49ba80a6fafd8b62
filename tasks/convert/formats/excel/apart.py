"""Workbooks that are no .xlsx, each read in a process of its own: what a damaged one claims may take all memory, or end the process."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pyarrow as pa

from tasks.convert.formats.excel.by_calamine import Sheet, choose_sheet, fill_grid, holds_rows, open_workbook
from tasks.convert.formats.excel.cells import Grid
from tasks.core.errors import TableError
from tasks.core.isolation.client import leave_call_server, run_isolated
from tasks.core.outcome import Failed
from tasks.core.scratch import scratch

_MODULE = "tasks.convert.formats.excel.apart"
_PRELOADED = ("pandas", _MODULE)  # the first array made of values imports pandas
_MOST_MIB = 4096
_BOOK, _SHEET = "workbook", "sheet.arrow"
_STANDARD_ERROR = 2


def read_apart(data: bytes, chosen: str | int | None) -> Sheet:
    """Return a sheet of a workbook.

    Raises:
        TableError: it is none, has no such sheet, or would not fit in memory.

    """
    with scratch("workbook") as folder:  # paths travel: what is sent is copied several times
        (folder / _BOOK).write_bytes(data)
        function = f"{_MODULE}:write_sheet"
        try:
            call = run_isolated(function, folder, chosen, time_s=math.inf, memory_mb=_MOST_MIB, preload=_PRELOADED)
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


def _take_sheet(folder: Path) -> Sheet:
    """Return the sheet that was written into a folder."""
    with pa.ipc.open_stream((folder / _SHEET).read_bytes()) as stream:
        table, told = stream.read_all(), json.loads(stream.schema.metadata[b"told"])
    width, columns = (table.num_columns - 1) // 2, table.columns
    grid = Grid(columns[0].to_numpy(), columns[1 : 1 + width], columns[1 + width :])
    return Sheet(told["name"], grid, told["others"])


def write_sheet(folder: Path, chosen: str | int | None) -> str | None:
    """Write a sheet of the workbook in a folder beside it, in a process that was forked for it; return why it cannot be read."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STANDARD_ERROR)  # its reader says there what it could not allocate
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


def _read(data: bytes, chosen: str | int | None) -> Sheet:
    try:
        names, visible, book = open_workbook(data)
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error
    name = choose_sheet(names, visible, chosen)
    grid, _ = fill_grid(book, name)
    return Sheet(name, grid, [other for other in visible if other != name and holds_rows(book, other)])
