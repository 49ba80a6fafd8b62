"""Workbooks that are no .xlsx, read in a process of its own: what a damaged one claims may take all memory, or end the process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import suppress

import pyarrow as pa

from tasks.convert.formats.excel.by_calamine import Sheet, choose_sheet, fill_grid, holds_rows, open_workbook
from tasks.convert.formats.excel.cells import Grid
from tasks.core.child_process import exit_with_parent, start_child, stop_child
from tasks.core.errors import TableError

with suppress(ImportError):  # Windows has none
    import resource

_MODULE = "tasks.convert.formats.excel.apart"
_REFUSED = 3  # how the process ends that says why on its standard error
_MOST_BYTES = 4 * 1024**3


def read_apart(data: bytes, chosen: str | int | None) -> Sheet:
    """Return a sheet of a workbook.

    Raises:
        TableError: it is none, has no such sheet, or would not fit in memory.

    """
    with tempfile.TemporaryFile() as errors:
        child = start_child(_MODULE, json.dumps([chosen, len(data)]), stderr=errors)
        try:
            written, code = _exchange(child, data)
        finally:
            stop_child(child)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    if code == _REFUSED:
        raise TableError(said)
    if code:
        last = said.rpartition("\n")[2] or f"the reader ended with {code}"
        raise TableError(
            f"is damaged, or would not fit in memory ({last}); save it anew as .xlsx, or its sheet as .csv"
        )
    with pa.ipc.open_stream(written) as stream:
        table, told = stream.read_all(), json.loads(stream.schema.metadata[b"told"])
    width, columns = (table.num_columns - 1) // 2, table.columns
    return Sheet(
        told["name"], Grid(columns[0].to_numpy(), columns[1 : 1 + width], columns[1 + width :]), told["others"]
    )


def _exchange(child: subprocess.Popen[bytes], data: bytes) -> tuple[bytes, int]:
    """Give a child what it is to read; return what it writes, and how it ends. Its input stays open as long as this process lives."""
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):  # it has ended, and says why
        child.stdin.write(data)
        child.stdin.flush()
    return child.stdout.read(), child.wait()


def _limit_memory() -> None:
    """Have the system refuse more memory than sheets need, where it can."""
    with suppress(NameError, OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _read(data: bytes, chosen: str | int | None) -> Sheet:
    try:
        names, visible, book = open_workbook(data)
    except Exception as error:  # a damaged file fails anywhere within the reader
        raise TableError(f"is not an Excel file that can be read ({error}); save it anew as .xlsx") from error
    name = choose_sheet(names, visible, chosen)
    grid, _ = fill_grid(book, name)
    return Sheet(name, grid, [other for other in visible if other != name and holds_rows(book, other)])


def _write(sheet: Sheet) -> None:
    """Write a sheet to standard output, as a table: the numbers of its rows, its columns, and what is text in them."""
    grid = sheet.grid
    columns = [pa.chunked_array([pa.array(grid.numbers)]), *grid.columns, *grid.written]
    told = json.dumps({"name": sheet.name, "others": sheet.others})
    table = pa.table(columns, list(map(str, range(len(columns))))).replace_schema_metadata({"told": told})
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)


def main() -> None:
    """Read the workbook on standard input; the argument has the sheet that is chosen, and the size."""
    _limit_memory()
    chosen, size = json.loads(sys.argv[1])
    data = sys.stdin.buffer.read(size)
    exit_with_parent()
    try:
        _write(_read(data, chosen))
    except TableError as error:
        sys.stderr.write(str(error))
        sys.exit(_REFUSED)


if __name__ == "__main__":
    main()
