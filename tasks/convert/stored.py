"""A part of a table as it lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"  # what readers of such folders take for null


@dataclass(frozen=True)
class StoredPart:
    """The file of a part, the values of the columns that its folder tells, and its name in the table."""

    path: Path
    folders: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def told(self, name: str) -> str | None:
        """Return the value that the folder tells of a column; None where it is null."""
        value = self.folders[name]
        return None if value == NULL_FOLDER else value
