"""What the command `export` does."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from flows.cli.console import make_console, print_line
from tasks.config import Export
from tasks.config.base import trust
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.storage import DataFolder
from tasks.export.job import ExportJob, export_table


def export_to_target(table: str, target: str, data: Path, *, name: str | None, overwrite: bool) -> int:
    """Write a table to a file or a database and tell how many rows it has; return the exit code.

    Raises:
        ConfigError: there is no such table or kind of target, or something is there already.
        TidemillError: the table cannot be read, or not written there.

    """
    trust("target", target)
    try:
        export = Export(to=target, table=name, overwrite=overwrite)
    except ValidationError as error:
        raise ConfigError([each["msg"].removeprefix("Value error, ") for each in error.errors()]) from None
    made = export_table(ExportJob(table, export, DataFolder.at(data), Path.cwd(), is_known=False))
    console = make_console()
    print_line(console, f"{count(made.rows, 'row')} of {table} to {made.to}")
    for note in made.notes:
        print_line(console, note)
    return 0
