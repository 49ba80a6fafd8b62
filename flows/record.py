"""What a run came to, gathered stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.convert.table import CommittedTable
from tasks.ingest.tasks import LandedSource
from tasks.summary import RunSummary, SourceSummary
from tasks.train.leaderboard import Leaderboard


@dataclass
class Record:
    """The results of a run's stages so far."""

    pipeline: str
    flow_run_id: str | None = None
    landed: Sequence[LandedSource] = ()
    tables: Sequence[CommittedTable] = ()
    leaderboard: Leaderboard | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the seconds of a stage, also when it fails."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = round(time.monotonic() - start, 2)

    def summary(self, error: BaseException | None) -> RunSummary:
        """Return the summary of what has come so far; `error` is what ended the run, if anything did."""
        sources: dict[str, dict[str, Any]] = {}
        for landed in self.landed:
            counts = {name: landed.total(name) for name in ("requests", "retries")}
            sources[landed.source] = {"rows_received": landed.total("rows"), **counts}
        for table in self.tables:
            counts = {name: getattr(table, name) for name in _TABLE_COUNTS}
            sources[table.source] = sources.get(table.source, {}) | counts
        board = self.leaderboard
        return RunSummary(
            pipeline=self.pipeline,
            status="failed" if error else "completed",
            error=(str(error) or type(error).__name__) if error else None,
            sources={name: SourceSummary(**counts) for name, counts in sources.items()},
            leaderboard=board.as_data()["candidates"] if board else [],
            metric=board.metric if board else None,
            champion=asdict(board.champion) if board and board.champion else None,
            seconds=self.seconds,
            flow_run_id=self.flow_run_id,
        )


_TABLE_COUNTS = ("rows_received", "rows_table", "rows_rejected", "rows_duplicate")
