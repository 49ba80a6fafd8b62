"""How far a stage has come, in the Prefect UI while it runs and as it ended."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from prefect import flow
from prefect.client.base import PrefectHttpxSyncClient

from tasks.core.progress import ProgressEvent, emit
from tasks.reports import progress
from tasks.reports.progress import StageProgress, measure_candidates, measure_tables

TABLES = [ProgressEvent("convert", "users", 5, 5, value=50), ProgressEvent("convert", "iris", 1, 4, value=150)]


def test_tables_count_alike_whatever_their_files() -> None:
    """Of three tables one is done, one by a quarter, and nothing was told of the third; other stages' events are none."""
    events = [*TABLES, ProgressEvent("ingest", "users", 1, 5)]

    percent, said = measure_tables("convert", 3, events)
    assert (round(percent, 2), said) == (41.67, "1 of 3 done, 6 files, 200 rows")
    assert measure_tables("convert", 0, []) == (100.0, "0 of 0 done, 0 files")


def test_candidates_are_tried_and_finalists_judged() -> None:
    """The best so far is told by name and score, one that failed counts as tried, and the hold-out is the second half."""
    trained = [
        ProgressEvent("train", "forest", 1, 4, value=0.9),
        ProgressEvent("train", "svc", 2, 4, value=0.95),
        ProgressEvent("train", "broken", 3, 4),
    ]
    judged = [ProgressEvent("judge", "svc", 1, 2)]

    assert measure_candidates(4, []) == (0.0, "0 of 4 done")
    assert measure_candidates(4, trained) == (37.5, "3 of 4 done, best so far svc with 0.9500")
    percent, said = measure_candidates(4, [*trained, *judged])
    assert percent == pytest.approx(66.67, abs=0.01)
    assert said == "3 of 4 done, best so far svc with 0.9500, 1 of 2 finalists judged on the hold-out"


@pytest.mark.flow
async def test_a_stage_is_shown_as_it_ended(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its whole, by what is not there where a part failed, or how far it came; what was over at once is not shown."""
    monkeypatch.setattr(progress, "SHOWN_EVERY_S", 0.05)

    @flow
    async def stage(name: str, failed: int, error: type[BaseException] | None, seconds: float) -> None:
        async with StageProgress(name, "convert", "tables", partial(measure_tables, "convert", 2)) as shown:
            for event in TABLES:
                emit(event)
            await asyncio.sleep(seconds)
            shown.failed = failed
            if error is not None:
                raise error

    await stage("whole", 0, None, 0.5)
    await stage("partly", 1, None, 0.5)
    for name, error in (("broken", ValueError), ("ended", asyncio.CancelledError)):
        with pytest.raises(error):
            await stage(name, 0, error, 0.5)
    await stage("quick", 0, None, 0)

    with PrefectHttpxSyncClient(base_url=prefect_server) as http:
        query = {"artifacts": {"key": {"like_": "-convert-tables"}, "type": {"any_": ["progress"]}}}
        found: list[dict[str, Any]] = http.post("/artifacts/filter", json=query).json()
    names = {"whole", "partly", "broken", "ended", "quick"}
    shown = {each["key"].split("-")[0]: (each["data"], each["description"]) for each in found}
    said = "tables: 1 of 2 done, 6 files, 200 rows"
    assert {name: value for name, value in shown.items() if name in names} == {
        "whole": (100, said),
        "partly": (62.5, f"{said}, 1 failed"),
        "broken": (62.5, f"{said}, and no further: it failed"),
        "ended": (62.5, f"{said}, and no further: it was cancelled"),
    }
