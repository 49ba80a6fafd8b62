"""A table written to one file for others to read: all of it, or nothing."""

from __future__ import annotations

import datetime as dt
import glob
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tasks.config import QueryLimits
from tasks.core.errors import ConfigError
from tasks.core.sql import explained, opened_tables
from tasks.core.storage import DataFolder, commit, is_leftover
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import quote_name, quote_text

_SHEET_ROWS = 1_048_575  # of a sheet, its header aside
_CELL_CHARACTERS = 32_767
_EXACT = 10**15  # a cell holds 15 digits
_BATCH = 10_000
_COPIES = {
    ".csv": "FORMAT csv, HEADER",
    ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    ".jsonl": "FORMAT json",
    ".jsonl.gz": "FORMAT json, COMPRESSION gzip",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}


def export_table(name: str, folder: DataFolder, file: Path) -> int:
    """Write a table to a file whose name says the format; return the number of rows.

    Raises:
        ConfigError: there is no such table or format, the file is there already, or does not hold the table.
        QueryError: the table cannot be read.

    """
    tables = folder.tables()
    if name not in tables:
        cure = did_you_mean(name, sorted(tables), "run its pipeline first") if tables else "run its pipeline first"
        raise ConfigError(f"{folder.root} has no table {name!r}; {cure}")
    write = _writer_of(file)
    if file.exists() or file.is_symlink():
        raise ConfigError(f"{file} is there already, and an export replaces nothing; remove it, or name another file")
    _remove_leftovers(file)
    views = {name: tables[name]}
    with commit(file) as part:
        spill = part.with_name(part.name.replace(file.name, f"{file.name}.spill"))
        try:
            with (
                opened_tables(views, spill, QueryLimits(), output=part.parent) as connection,
                explained(f"table {name}", views, "training.query_limits"),
            ):
                rows = int(connection.execute(f"SELECT count(*) FROM {quote_name(name)}").fetchall()[0][0])  # noqa: S608 - quoted
                write(connection, name, part)
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return rows


def _remove_leftovers(file: Path) -> None:
    """Remove what exports to this file that were killed have left beside it."""
    for part in file.parent.glob(f".{glob.escape(file.name)}.*part"):
        if is_leftover(part):
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def _writer_of(file: Path) -> Callable[[duckdb.DuckDBPyConnection, str, Path], None]:
    known = {
        **{suffix: _copy_as(options) for suffix, options in _COPIES.items()},
        ".duckdb": _attach,
        ".xlsx": _write_sheet,
    }
    for suffix, write in sorted(known.items(), key=lambda item: -len(item[0])):
        if file.name.lower().endswith(suffix) and len(file.name) > len(suffix):
            return write
    raise ConfigError(f"{file} does not say its format; end its name in one of {', '.join(known)}")


def _copy_as(options: str) -> Callable[[duckdb.DuckDBPyConnection, str, Path], None]:
    def write(connection: duckdb.DuckDBPyConnection, name: str, made: Path) -> None:
        connection.execute(f"COPY {quote_name(name)} TO {quote_text(str(made))} ({options})")

    return write


def _attach(connection: duckdb.DuckDBPyConnection, name: str, made: Path) -> None:
    """Write a database of DuckDB with the one table."""
    connection.execute(f"ATTACH {quote_text(str(made))} AS made")
    connection.execute(f"CREATE TABLE made.{quote_name(name)} AS FROM {quote_name(name)}")
    connection.execute("DETACH made")


def _write_sheet(connection: duckdb.DuckDBPyConnection, name: str, made: Path) -> None:
    """Write a workbook of one sheet; what no cell holds exactly is a text in it."""
    from openpyxl import Workbook  # noqa: PLC0415 - of Excel alone

    rows = connection.execute(f"SELECT count(*) FROM {quote_name(name)}").fetchall()[0][0]  # noqa: S608 - quoted
    if rows > _SHEET_ROWS:
        raise ConfigError(f"table {name} has {rows:,} rows, and a sheet holds {_SHEET_ROWS:,}; write .csv, or .parquet")
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name[:31])
    result = connection.execute(f"FROM {quote_name(name)}")
    sheet.append([column[0] for column in result.description or ()])
    while batch := result.fetchmany(_BATCH):
        for row in batch:
            sheet.append([_as_cell(value) for value in row])
    book.save(made)


def _as_cell(value: Any) -> Any:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.isoformat()
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and abs(Decimal(value)) >= _EXACT:
        return str(value)
    if isinstance(value, str) and len(value) > _CELL_CHARACTERS:
        raise ConfigError(
            f"a text of {len(value):,} characters is longer than a cell of Excel holds; write .csv, or .parquet"
        )
    return value
