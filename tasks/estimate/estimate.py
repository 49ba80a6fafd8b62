"""What a part of a pipeline would read and take: figures where they are known, or can be told from what is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Stage = Literal["ingest", "convert", "tables", "train", "export"]

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


@dataclass(frozen=True)
class Held:
    """What a file that is read as a whole holds in memory until its rows are written."""

    name: str
    memory_bytes: int


@dataclass(frozen=True)
class Estimate:
    """A part of a stage; None is what cannot be told before it runs.

    `read_bytes` are those that lie on the disk or in a store and are read, and
    `unpacked_bytes` the same decompressed. `memory_bytes` is what the part takes at its
    most, beside what its process has imported. `disk_bytes` is what it leaves in the data folder.
    """

    stage: Stage
    part: str
    inputs: str
    read_bytes: int | None = None
    unpacked_bytes: int | None = None
    rows: int | None = None
    memory_bytes: int | None = None
    task_runs: int | None = None
    disk_bytes: int | None = None
    held: tuple[Held, ...] = ()
    """The largest of its files that are read as a whole, as many as are read at once."""
    spill: Path | None = None
    """The folder for what of a query is beyond its limit."""
    spill_bytes: int = 0
    """How much that may be."""
    cure: str = "run it where there is more"
    """What to do where its memory is not there."""
    doubts: tuple[str, ...] = ()
    """What will not fit whatever the machine has free, with its cure."""


def write_bytes(size: float) -> str:
    """Return a number of bytes in words, of two digits or three.

    >>> write_bytes(100_000_000_000), write_bytes(2_340_000), write_bytes(12)
    ('100 GB', '2.3 MB', '12 B')

    """
    for unit in _UNITS[:-1]:
        if size < _STEP - 0.5:
            return _write(size, unit)
        size /= _STEP
    return _write(size, _UNITS[-1])


def _write(size: float, unit: str) -> str:
    few = unit != "B" and size < 9.95  # noqa: PLR2004 - the last that is written with a tenth
    return f"{size:.1f} {unit}" if few else f"{size:,.0f} {unit}"
