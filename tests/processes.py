"""Processes of this machine, as a test looks at them: one that ends meanwhile is simply gone."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil


def descendants(process: int) -> set[int]:
    """Return the processes that a process has started, and those that they have, and so on."""
    with suppress(psutil.NoSuchProcess):
        return {each.pid for each in psutil.Process(process).children(recursive=True)}
    return set()


def children(process: int) -> set[int]:
    """Return the processes that a process has started itself."""
    with suppress(psutil.NoSuchProcess):
        return {each.pid for each in psutil.Process(process).children()}
    return set()


def command_of(process: int) -> str:
    """Return the command line of a process; nothing where it is gone."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(psutil.Process(process).cmdline())
    return ""


def is_fit(process: int) -> bool:
    """Tell whether a process is a call that its server has forked, as fits are: each leads a group of its own."""
    with suppress(ProcessLookupError):
        return "isolation.server" in command_of(process) and os.getpgid(process) == process
    return False


def name_of(process: int) -> str:
    """Return the name of a process; nothing where it is gone."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process).name()
    return ""


def is_running(process: int) -> bool:
    """Tell whether a process runs; one that ended and waits to be reaped does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False
