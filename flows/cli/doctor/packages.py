"""The installed packages against what Tidemill needs and was tested with."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from flows.cli.doctor.diagnosis import Diagnosis, listed
from tasks.core.escaping import count
from tasks.runners.environment import declared_packages

CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>\S+)", re.MULTILINE)
_CURE = "pip install -c constraints.txt -e . in the project's folder"


def look_at_packages(constraints: Path = CONSTRAINTS) -> Iterator[Diagnosis]:
    """Yield what is wrong with the installed packages, or that nothing is."""
    here = list(declared_packages())
    unmet = list(judge_requirements(here))
    yield from unmet
    if not unmet:
        python = ".".join(map(str, sys.version_info[:3]))
        yield Diagnosis("ok", f"Python {python}, {count(len(here), 'package')} as pyproject.toml needs them")
    yield from compare_with_pins(read_pins(constraints))


def judge_requirements(needed: list[Requirement]) -> Iterator[Diagnosis]:
    """Yield each requirement that nothing installed meets."""
    for need in needed:
        found = _version_of(need.name)
        if found is None:
            yield Diagnosis("wrong", f"{need.name} is not installed, and Tidemill needs it; {_CURE}")
        elif not need.specifier.contains(found, prereleases=True):
            yield Diagnosis("wrong", f"{need.name} {found} is installed, and {need.specifier} is needed; {_CURE}")


def compare_with_pins(pins: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Yield which of the installed packages are not of the versions that are tested together."""
    if not pins:
        return
    found = {name: installed for name in pins if (installed := _version_of(name)) is not None}
    other = [f"{name} {found[name]} for {pins[name]}" for name in found if found[name] != pins[name]]
    if other:
        yield Diagnosis("note", f"{count(len(other), 'package')} other than tested: {listed(other)}; {_CURE}")
    else:
        yield Diagnosis("ok", f"{count(len(found), 'package')} of the versions in constraints.txt")


def read_pins(constraints: Path) -> dict[str, str]:
    """Return the version that each package is pinned to; none where the file does not come with the installation."""
    try:
        text = constraints.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return {match["name"]: match["version"] for match in _PIN.finditer(text)}


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
