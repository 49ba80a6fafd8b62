"""What of a pipeline a run does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["ingest", "convert", "train"]


@dataclass(frozen=True)
class Choice:
    """The one stage that is run, what is done again, and which partitions are fetched; by default all, none, all."""

    only: Stage | None = None
    fresh: bool = False
    partitions: str | None = None

    def runs(self, stage: Stage) -> bool:
        """Return whether a stage is run."""
        return self.only in (None, stage)
