"""What a run's summary is made of."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Failed
from rich.console import Console

from flows.cli.console import print_summary
from flows.recorder import RunRecorder
from flows.summary import ChampionSummary, RunSummary, SourceSummary, keep_summary, read_summary
from tasks.core.errors import StageError
from tasks.core.storage import DataFolder, read_json
from tasks.ingest.landing.plan import Landed
from tasks.ingest.results import FailedPartition, LandedSource
from tests.convert.conftest import files_source, make_table, write_files
from tests.flows.conftest import ended_with
from tests.train.conftest import LOGISTIC
from tests.train.test_versions import STUMP, trained

RAW = Path("raw.jsonl.zst")
LANDED = (
    Landed("a", RAW, rows=3, pages=2, file_bytes=9, reused=False, requests=3, retries=1, refused=1, body_bytes=70),
    Landed("b", RAW, rows=2, pages=1, file_bytes=9, reused=True),
    Landed("c", RAW, rows=1, pages=5, file_bytes=9, reused=False, requests=1, body_bytes=7, resumed_from=4),
)
FAILURES = (
    FailedPartition("GET http://x/d was refused", "d", requests=1),
    FailedPartition("GET http://x/e was refused", "e", requests=2, retries=1, refused=2, body_bytes=5),
)
SOURCE = LandedSource("users", LANDED, FAILURES)
TOLD = "source users, partition d and 1 more: GET http://x/d was refused"


async def _failure(outcome: object, **_: object) -> State[Any]:
    return Failed(data=StageError("no", outcome))


async def test_a_run_with_failed_parts_is_partial(tmp_path: Path) -> None:
    """Failed partitions count their requests, and those of one cause are one sentence."""
    record = RunRecorder("p", tmp_path)

    await record.add("ingest", ended_with, [SOURCE])

    summary = record.summary(None)
    assert (summary.status, summary.error, summary.failures) == ("partial", None, [TOLD])
    assert summary.sources == {
        "users": SourceSummary(
            rows_received=6,
            requests=7,
            retries=2,
            refused=3,
            pages=8,
            bytes_received=82,
            partitions_reused=1,
            partitions_resumed=1,
            partitions_failed=2,
            error=TOLD,
        )
    }


def test_what_was_guessed_of_files_is_in_the_summary(tmp_path: Path) -> None:
    """How they were read, as plain data that comes back from summary.json as it was."""
    write_files(tmp_path, a_csv="Report\nid;name;n\n1;x;2,5\n2;y;3,5\n")
    record = RunRecorder("p", tmp_path, "run")
    asyncio.run(record.add("convert", ended_with, [make_table(tmp_path, files_source())]))

    summary = record.summary(None)
    keep_summary(DataFolder.at(tmp_path), summary)

    guesses = summary.sources["rows"].guesses
    assert guesses is not None
    (read,) = guesses["read"]
    assert (read["file"], read["delimiter"], read["decimal"], read["skipped"]) == ("inbox/a.csv", ";", ",", 1)
    assert [warning for warning in summary.warnings if "lines above the header that were skipped" in warning]
    assert read_summary(DataFolder.at(tmp_path), "run") == summary


async def test_a_failed_stage_keeps_what_it_came_to(tmp_path: Path) -> None:
    """The outcome that a StageError carries stands in the summary of the failed run."""
    record = RunRecorder("p", tmp_path)

    with pytest.raises(StageError) as error:
        await record.add("ingest", _failure, [SOURCE])

    summary = record.summary(error.value)
    assert (summary.status, summary.error, list(summary.seconds)) == ("failed", "no", ["ingest"])
    assert summary.sources["users"].rows_received == 6


def test_what_serves_is_told_beside_the_best_of_the_run(tmp_path: Path) -> None:
    """A best candidate that does not beat the champion is not taken for it, in the data and in the terminal."""
    first = trained(tmp_path, LOGISTIC).decide()
    second = trained(tmp_path, STUMP)
    decision = second.decide()
    record = RunRecorder("toy", second.models, "run")
    console = Console(record=True, width=400, file=io.StringIO())

    asyncio.run(record.add("train", ended_with, second.leaderboard))
    summary = record.summary(None)
    keep_summary(DataFolder.at(tmp_path), summary)
    print_summary(console, summary, tmp_path, "http://ui")

    assert read_summary(DataFolder.at(tmp_path), "run") == summary
    assert summary.best == second.leaderboard.lines[0].kept
    assert summary.champion is not None
    assert (summary.champion.version, summary.champion.candidate) == (first.version, "only")
    assert summary.champion.decision == decision.sentence
    assert tmp_path / summary.champion.model == second.models / first.version / "model.skops"
    told = console.export_text()
    assert f"{tmp_path / summary.champion.model} (only)" in told
    assert f"{decision.version} does not beat {first.version}" in told


def test_each_run_has_its_own_summary(tmp_path: Path) -> None:
    """The next one takes nothing away, and links tell the last one of each pipeline and of all, also where the folder is moved."""
    sources = {"users": SourceSummary(rows_received=3)}
    champion = ChampionSummary("v0001-0123abcd", "forest", "models/p/model.skops", "accuracy", 0.9, "2026", "")
    folder = DataFolder.at(tmp_path / "data")
    runs = [
        RunSummary(name, "completed", None, [], [], sources, [], None, None, champion, {"ingest": 0.1}, run)
        for name, run in (("p", "run-1"), ("p", "run-2"), ("q", "run-3"))
    ]

    for each in runs:
        keep_summary(folder, each)

    assert [read_summary(folder, str(each.flow_run_id)) for each in runs] == runs
    assert read_summary(folder, "run-4") is None
    folder.root.rename(tmp_path / "moved")
    moved = DataFolder.at(tmp_path / "moved")
    last = [
        read_json(path)["flow_run_id"] for path in (moved.summary, moved.last_summary("p"), moved.last_summary("q"))
    ]
    assert last == ["run-3", "run-2", "run-3"]
