"""A part of a table as it lies on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StoredPart:
    """The file of a part, and its name in the table."""

    path: Path
    name: str = ""
