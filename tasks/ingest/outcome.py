"""What became of a source's partitions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.ingest.landing.landed import Landed

_ADDRESS = re.compile(r"(GET|POST) \S+")  # what tells two failures of the same cause apart


@dataclass(frozen=True)
class Failure:
    """One partition that could not be landed, and why."""

    partition: str
    cause: str
    requests: int
    retries: int
    refused: int = 0


@dataclass(frozen=True)
class LandedSource:
    """What became of one source's partitions: those that are landed, and why the others are not."""

    source: str
    landed: tuple[Landed, ...]
    failures: tuple[Failure, ...]

    @property
    def sentences(self) -> list[str]:
        """Return one sentence for each cause of failure: its first partition, and how many others share it."""
        causes: dict[str, list[Failure]] = {}
        for failure in self.failures:
            causes.setdefault(_ADDRESS.sub(r"\1", failure.cause), []).append(failure)
        return [self._sentence(failures) for failures in causes.values()]

    def _sentence(self, failures: Sequence[Failure]) -> str:
        others = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
        return f"source {self.source}, partition {failures[0].partition}{others}: {failures[0].cause}"

    @property
    def resumed(self) -> int:
        """Return how many partitions went on from pages that a run before had landed."""
        return sum(landed.resumed_from > 0 for landed in self.landed)

    def total(self, count: str) -> int:
        """Return the sum of a count, e.g. `rows` or `requests`, over the partitions; what failed ones do not have is none."""
        return sum(getattr(outcome, count, 0) for outcome in (*self.landed, *self.failures))
