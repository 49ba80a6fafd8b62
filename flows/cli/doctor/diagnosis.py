"""One line of what `doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at, and how it is: right, worth knowing, or wrong; `message` has the cure of what is wrong."""

    level: Literal["ok", "note", "wrong"]
    message: str


def listed(names: list[str], most: int = 5) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
