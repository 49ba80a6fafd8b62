"""The table that a benchmark prints, and the machine that it was measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Line:
    """One line of the table; what has no limit neither holds nor fails."""

    what: str
    measured: str
    limit: str = ""
    holds: bool | None = None

    def __str__(self) -> str:
        held = {None: "", True: "yes", False: "no"}[self.holds]
        return f"| {self.what} | {self.measured} | {self.limit} | {held} |"


def draw_table(lines: Iterable[Line]) -> str:
    """Return the lines as a table in Markdown."""
    return "\n".join(["| what | measured | limit | holds |", "|---|---|---|---|", *map(str, lines)])


def describe_machine(packages: Iterable[str]) -> str:
    """Return what a measurement runs on: cores and how busy they are, Python, and the versions of `packages`."""
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores (load {load:.1f} before), {platform.system()}, Python {platform.python_version()}; {versions}."


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed: pip install -e '.[bench]')"
