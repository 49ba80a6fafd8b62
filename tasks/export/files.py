"""A table as one file, whose ending says the format."""

from __future__ import annotations

import datetime as dt
import glob
import math
import shutil
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tasks.core.checksums import Checksum, is_as_written, take_checksum
from tasks.core.errors import ConfigError
from tasks.core.storage import commit, is_leftover
from tasks.core.tables import quote_name, quote_text
from tasks.export.rows import BATCH_ROWS, TableRows, TableSource, Written

_SHEET_ROWS = 1_048_575  # of a sheet, its header aside
_CELL_CHARACTERS = 32_767
_FOREIGN = "another file"
_EXACT_DIGITS = 15  # of a cell


class FileTarget:
    """A file; its state is its checksum, which of those in `known` is looked for: a copy has another time, and the same bytes."""

    def __init__(self, file: Path, known: Sequence[str] = ()) -> None:
        self._file, self._known = file, known

    @property
    def place(self) -> str:
        """Return what the target is called."""
        return str(self._file)

    def state(self) -> str | None:
        """Return the state of the file; None where none is there."""
        if not self._file.exists() and not self._file.is_symlink():
            return None
        newest_first = reversed(self._known)  # those before may have had the same bytes
        return next((known for known in newest_first if is_as_written(self._file, _read_state(known))), _FOREIGN)

    def write(self, source: TableSource, promise: Callable[[str], None]) -> Written:
        """Write the rows beside the file and rename them into place; `promise` is told the state before that.

        Raises:
            ConfigError: the format does not hold the table.
            QueryError: the table cannot be read.

        """
        remove_leftovers(self._file)
        with commit(self._file) as part:
            with source.opened(part.parent) as rows:
                _writer_of(self._file)(rows, part)
            checksum = take_checksum(part)
            promise(f"{checksum.size} {checksum.mtime_ns} {checksum.digest}")
        return Written(rows.number)


def remove_leftovers(path: Path) -> None:
    """Remove what exports to this file or folder that were killed have left beside it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part*"):
        if is_leftover(part):
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def _read_state(state: str) -> Checksum:
    size, mtime_ns, digest = state.split()
    return Checksum(int(size), int(mtime_ns), digest)


def _copy_as(options: str) -> Callable[[TableRows, Path], None]:
    def write(rows: TableRows, made: Path) -> None:
        rows.connection.execute(f"COPY {quote_name(rows.name)} TO {quote_text(str(made))} ({options})")

    return write


def _attach(rows: TableRows, made: Path) -> None:
    """Write a database of DuckDB with the one table."""
    name = quote_name(rows.name)
    made.with_name(f"{made.name}.wal").unlink(missing_ok=True)  # DuckDB would take it for the new one's
    rows.connection.execute(f"ATTACH {quote_text(str(made))} AS made")
    rows.connection.execute(f"CREATE TABLE made.{name} AS FROM {name}")
    rows.connection.execute("DETACH made")


def _write_sheet(rows: TableRows, made: Path) -> None:
    """Write a workbook of one sheet; what no cell holds exactly is a text in it."""
    from openpyxl import Workbook  # noqa: PLC0415 - of Excel alone
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE  # noqa: PLC0415

    if rows.number > _SHEET_ROWS:
        raise ConfigError(
            f"table {rows.name} has {rows.number:,} rows, and a sheet holds {_SHEET_ROWS:,}; write .csv, or .parquet"
        )

    def cell_of(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if ILLEGAL_CHARACTERS_RE.search(value):
            raise ConfigError(f"{value!r:.60} has a character that no cell of Excel holds; write .csv, or .parquet")
        if not value.startswith(("=", "#")):
            return value
        cell = WriteOnlyCell(sheet, value)
        cell.data_type = "s"  # no formula, and no error
        return cell

    book = Workbook(write_only=True)
    sheet = book.create_sheet(rows.name[:31])
    result = rows.connection.execute(f"FROM {quote_name(rows.name)}")
    sheet.append([column[0] for column in result.description or ()])
    try:
        while batch := result.fetchmany(BATCH_ROWS):
            for row in batch:
                sheet.append([cell_of(_as_cell(value)) for value in row])
    except BaseException:
        sheet.close()  # its file, which is left open else
        raise
    book.save(made)


def _as_cell(value: Any) -> Any:
    """Return what a cell holds: a number as one where it stays as it is, else its text."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        exact = Decimal(value).normalize()
        return (
            str(value) if len(exact.as_tuple().digits) > _EXACT_DIGITS or exact.adjusted() >= _EXACT_DIGITS else value
        )
    if isinstance(value, str) and len(value) > _CELL_CHARACTERS:
        raise ConfigError(
            f"a text of {len(value):,} characters is longer than a cell of Excel holds; write .csv, or .parquet"
        )
    return value


_WRITERS: dict[str, Callable[[TableRows, Path], None]] = {
    ".csv": _copy_as("FORMAT csv, HEADER"),
    ".csv.gz": _copy_as("FORMAT csv, HEADER, COMPRESSION gzip"),
    ".jsonl": _copy_as("FORMAT json"),
    ".jsonl.gz": _copy_as("FORMAT json, COMPRESSION gzip"),
    ".parquet": _copy_as("FORMAT parquet, COMPRESSION zstd"),
    ".xlsx": _write_sheet,
    ".duckdb": _attach,
}


def _writer_of(file: Path) -> Callable[[TableRows, Path], None]:
    return next(write for ending, write in _WRITERS.items() if file.name.lower().endswith(ending))
