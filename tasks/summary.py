"""The summary of a run: what the command line prints at the end, and `summary.json` holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SourceSummary:
    """What became of one source; None where its stage did not run or did not come so far."""

    rows_received: int | None = None
    rows_table: int | None = None
    rows_rejected: int | None = None
    rows_duplicate: int | None = None
    requests: int = 0
    retries: int = 0


@dataclass(frozen=True)
class RunSummary:
    """What became of a run; `status` is completed or failed, and `error` says why.

    `seconds` are wall-clock by stage; `leaderboard` is that of the train stage, as data.
    """

    pipeline: str
    status: str
    error: str | None
    sources: dict[str, SourceSummary]
    leaderboard: list[dict[str, Any]]
    metric: str | None
    champion: dict[str, Any] | None
    seconds: dict[str, float]
    flow_run_id: str | None

    def as_data(self) -> dict[str, Any]:
        """Return the summary as plain JSON-able data."""
        return asdict(self)
