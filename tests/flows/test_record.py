"""What a run's summary is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.record import Record
from tasks.errors import StageError
from tasks.ingest.landing import Landed
from tasks.ingest.tasks import Failure, LandedSource
from tasks.store import commit_json
from tasks.summary import RunSummary, SourceSummary, read_summary

LANDED = Landed("a", Path("a.jsonl.zst"), rows=3, pages=1, requests=2, retries=1, reused=False)
FAILURES = (Failure("b", "GET http://x/b was refused", 1, 0), Failure("c", "GET http://x/c was refused", 1, 0))
SOURCE = LandedSource("users", (LANDED,), FAILURES)
TOLD = "source users, partition b and 1 more: GET http://x/b was refused"


async def _outcome(value: object) -> object:
    return value


async def _failure(outcome: object) -> object:
    raise StageError("no", outcome)


async def test_a_run_with_failed_parts_is_partial() -> None:
    """Failed partitions count their requests, and those of one cause are one sentence."""
    record = Record("p")

    await record.add("ingest", _outcome([SOURCE]))

    summary = record.summary(None)
    assert (summary.status, summary.error, summary.failures) == ("partial", None, [TOLD])
    assert summary.sources == {"users": SourceSummary(3, None, None, None, requests=4, retries=1, partitions_failed=2)}


async def test_a_failed_stage_keeps_what_it_came_to() -> None:
    """The outcome that a StageError carries stands in the summary of the failed run."""
    record = Record("p")

    with pytest.raises(StageError) as error:
        await record.add("ingest", _failure([SOURCE]))

    summary = record.summary(error.value)
    assert (summary.status, summary.error, list(summary.seconds)) == ("failed", "no", ["ingest"])
    assert summary.sources["users"].rows_received == 3


def test_a_summary_is_read_back_for_its_own_run_only(tmp_path: Path) -> None:
    """What another run left is not taken for this one's."""
    sources = {"users": SourceSummary(rows_received=3)}
    summary = RunSummary("p", "completed", None, [], [], sources, [], None, None, {"ingest": 0.1}, "run-1")
    commit_json(tmp_path / "summary.json", summary.as_data())

    assert read_summary(tmp_path / "summary.json", "run-1") == summary
    assert read_summary(tmp_path / "summary.json", "run-2") is None
