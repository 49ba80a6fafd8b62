"""What the command `export` does."""

from __future__ import annotations

from pathlib import Path

from flows.cli.console import make_console, print_line
from tasks.core.storage import DataFolder
from tasks.tables.export import export_table


def export_to_file(table: str, file: Path, data: Path) -> int:
    """Write a table to a file and tell how many rows it has; return the exit code.

    Raises:
        ConfigError: there is no such table or format, or the file is there already.
        TidemillError: the table cannot be read.

    """
    rows = export_table(table, DataFolder.at(data), file)
    print_line(make_console(), f"{rows:,} rows of {table} to {file}")
    return 0
