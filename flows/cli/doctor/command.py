"""The command `doctor`: what is wrong with the installation, the Prefect server and the data folder, each with its cure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flows.cli.console import make_console, print_line
from flows.cli.doctor.data_folder import look_at_folder
from flows.cli.doctor.diagnosis import Diagnosis
from flows.cli.doctor.packages import look_at_packages
from flows.cli.prefect_api import CLIENT_SETTINGS, client_settings
from tasks.core.escaping import count
from tasks.core.storage import list_leftovers, remove_stale_temp_files


def look_at_all(data: Path, *, mend: bool) -> int:
    """Print a line for each thing that was looked at; return 1 where one of them is wrong, else 0.

    With `mend`, runs that were killed are first set to Crashed, and what they left in the data folder is removed.
    """
    _prepare_client()
    console = make_console()
    wrong = 0
    for said in _mend(data) if mend else ():
        print_line(console, f"mended {said}")
    for diagnosis in _look(data):
        print_line(console, f"{diagnosis.level:<6} {diagnosis.message}")
        wrong += diagnosis.level == "wrong"
    return 1 if wrong else 0


def _look(data: Path) -> Iterator[Diagnosis]:
    from flows.cli.doctor.server import look_at_server  # noqa: PLC0415 - imports Prefect, which reads its settings

    yield from look_at_packages()
    yield from look_at_server()
    yield from look_at_folder(data)


def _mend(data: Path) -> Iterator[str]:
    from flows.cli.doctor.server import mark_killed_runs  # noqa: PLC0415 - as above

    yield from (f"run {name}: Crashed" for name in mark_killed_runs())
    left = list_leftovers(data)
    remove_stale_temp_files(data)
    if left:
        yield f"{data}: {count(len(left), 'unfinished file')} of killed runs removed"


def _prepare_client() -> None:
    """Have Prefect's client start no server, and say nothing of its own."""
    for name, value in {**CLIENT_SETTINGS, **client_settings(os.environ.get("PREFECT_API_URL", ""))}.items():
        os.environ.setdefault(name, value)
