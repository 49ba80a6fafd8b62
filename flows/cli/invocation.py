"""How this command line is called here, as what is said to be typed next has it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def beside_python(name: str) -> str:
    """Return a command of this Python's environment, as it is typed here."""
    command = Path(sys.executable).with_name(name)
    return os.path.relpath(command) if command.is_relative_to(Path.cwd()) else str(command)


def own_command() -> str:
    """Return what the command line was called by: tidemill, or this Python with -m flows."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{beside_python(Path(sys.executable).name)} -m flows"
    return called.name
