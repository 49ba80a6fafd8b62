"""Limits: of a run, how little of each source it takes and where files lie all the same; of a fit or query, time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

TimeLimit = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]
"""Seconds, at most a week."""
MemoryLimit = Annotated[int, Field(ge=64)] | None
"""MiB; None is what the machine has."""


@dataclass(frozen=True)
class Limit:
    """Each partition has its first `number` pages, each source of files its first files; relative paths begin at `root`."""

    number: int
    root: Path
