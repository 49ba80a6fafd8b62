"""How to open a run in the Prefect UI."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LOCAL_UI = "http://127.0.0.1:4200"  # where `prefect server start` serves unless told otherwise


def link_to_run(flow_run_id: str, *, temporary: bool) -> str:
    """Return what to do and open to see a flow run; the temporary server's runs outlive it in its database."""
    path = f"/runs/flow-run/{flow_run_id}"
    if temporary:
        return f"{prefect_command()} server start, then open {_LOCAL_UI}{path}"
    from prefect.settings import get_current_settings  # noqa: PLC0415 - heavy

    ui = get_current_settings().ui_url or str(get_current_settings().api.url).removesuffix("/api")
    return f"{ui}{path}"


def prefect_command() -> str:
    """Return the `prefect` command of this Python's environment, as it is typed here."""
    command = Path(sys.executable).with_name("prefect")
    return os.path.relpath(command) if command.is_relative_to(Path.cwd()) else str(command)
