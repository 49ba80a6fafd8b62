"""What came of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.train.data.drift import Drift


@dataclass(frozen=True)
class Prediction:
    """What was predicted, and how far its rows have moved from those learnt from."""

    path: Path
    rows: int
    """How many were predicted."""
    source: str
    version: str
    candidate: str
    target: str
    drift: tuple[Drift, ...]
    rejected: int = 0
    """How many rows of a file were none that could be predicted, as their values are not of the features' kinds."""
    reason: str = ""
    rejects: Path | None = None
    doubts: tuple[str, ...] = ()
    """Sentences on how a file was read, where that is in doubt."""

    @property
    def received(self) -> int:
        """Return how many rows the input has."""
        return self.rows + self.rejected

    @property
    def warning(self) -> str:
        """Return what is to be told of rejects; empty where there are none."""
        if not self.rejected:
            return ""
        return (
            f"{self.rejected:,} of {self.received:,} rows of {self.source} are rejects and not predicted, most often "
            f"because {self.reason}; correct them, they lie in {self.rejects}"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return all that is to be told of the rows."""
        return (*([self.warning] if self.warning else []), *self.doubts)

    @property
    def drifted(self) -> list[str]:
        """Return the features that have moved."""
        return [drift.feature for drift in self.drift if drift.drifted]
