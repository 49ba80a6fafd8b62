"""What the command `clean` does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from rich.console import Console

from flows.cli.console import make_console, print_line, print_table
from flows.cli.prefect_api import prefect_api
from tasks.clean.item import Place, survey
from tasks.clean.objects import Objects
from tasks.clean.survey import Line, find_places, moment_before, summarize
from tasks.core.errors import ConfigError
from tasks.core.escaping import count
from tasks.core.scratch import sweep_scratch
from tasks.core.storage import DataFolder

_MB = 1_000_000


def clean_folder(data: Path, older_than: str, *, raw: bool, dry_run: bool, verbose: bool) -> int:
    """Print what goes of a data folder and of its runs in Prefect, and what stays; then remove it. Return the exit code.

    Raises:
        ConfigError: the age is none, or there is no such folder.

    """
    before = moment_before(older_than)
    if not data.is_dir():
        raise ConfigError(f"--data: {data} is no folder; name the one that the runs write to")
    folder, console = DataFolder.at(data), make_console()
    objects = Objects.find(folder, before)
    places = find_places(folder, before, raw=raw)
    lines = [*summarize(survey(places)), *objects.lines]
    with prefect_api(verbose=verbose) as api:
        api.wait_until_ready()
        asyncio.run(_clean(console, folder, before, (places, lines, objects), dry_run=dry_run))
        is_temporary = api.server is not None
    if is_temporary and not dry_run:
        _shrink_database(console)
    return 0


async def _clean(
    console: Console,
    folder: DataFolder,
    before: datetime,
    found: tuple[list[Place], list[Line], Objects],
    *,
    dry_run: bool,
) -> None:
    from prefect import get_client  # noqa: PLC0415 - reads its settings when it is imported

    from flows.history import find_history, remove_history  # noqa: PLC0415 - the same

    places, lines, objects = found
    async with get_client() as client:
        history = await find_history(client, folder, before)
        _print_lines(console, [*lines, history.line], dry_run=dry_run)
        if dry_run:
            return
        await asyncio.to_thread(sweep_scratch)
        removed = await asyncio.to_thread(objects.remove, places)
        await remove_history(client, history)
    freed = sum(item.bytes for item in removed) / _MB
    print_line(console, f"removed: {freed:,.1f} MB of {folder.shown}, {count(len(history.goes), 'run')} in Prefect")


def _print_lines(console: Console, lines: Sequence[Line], *, dry_run: bool) -> None:
    heads = ("what", "would go" if dry_run else "goes", "MB", "stays", "MB", "because")
    rows = [
        (
            line.kind,
            f"{line.goes:,}",
            f"{line.goes_bytes / _MB:,.1f}",
            f"{line.stays:,}",
            f"{line.stays_bytes / _MB:,.1f}",
            line.because,
        )
        for line in lines
    ]
    print_table(console, "What nothing needs, and what stays", heads, rows)


def _shrink_database(console: Console) -> None:
    """Give the disk back what the temporary server's database no longer needs; where another server has it open, that is left."""
    from prefect.settings import get_current_settings  # noqa: PLC0415 - as above

    database = get_current_settings().home / "prefect.db"
    if not database.is_file():
        return
    size = database.stat().st_size
    with suppress(sqlite3.Error), closing(sqlite3.connect(database, timeout=0)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print_line(console, f"Prefect's database: {size / _MB:,.1f} MB before, {database.stat().st_size / _MB:,.1f} MB now")
