"""A limit of a run: how little of each source it takes, and where files lie all the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limit:
    """Each partition has its first `number` pages, each source of files its first files; relative paths begin at `root`."""

    number: int
    root: Path
