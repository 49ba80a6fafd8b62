"""The ingest flow on a real Prefect server: what is landed, skipped, retried and reported."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task_engine
from prefect.client.base import PrefectHttpxAsyncClient
from prefect.utilities.engine import resolve_to_final_result

from flows.ingest import ingest
from flows.pipeline import pipeline as run_pipeline
from tasks.config import Pipeline
from tasks.core.errors import StageError
from tasks.ingest import progress
from tasks.ingest.landing.plan import Landed
from tasks.ingest.results import MOST, FailedPartition, LandedSource
from tasks.ingest.tasks import land_partitions
from tasks.reports.artifacts import ROWS_SHOWN, report_ingest
from tests.ingest.sources import api, list_files, pages, read_rows
from tests.site.items import ITEMS
from tests.site.server import Site

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

ONCE = {"attempts": 1}
SINGLE = {"pagination": {"kind": "single"}}
TRAINING = {"query": "SELECT * FROM things", "target": "name", "candidates": {"one": {"estimator": "sklearn.svm.SVC"}}}


def pipeline(name: str = "test", **sources: Any) -> Pipeline:
    """Return a pipeline of sources."""
    return Pipeline(name=name, sources=sources)


def partly(site: Site) -> dict[str, Any]:
    """Return a source of which one partition of three is refused."""
    return {"things": api(site, "/{part}", partitions={"part": ["items", "404", "busy"]})}


async def test_every_source_is_landed_and_then_skipped(site: Site, tmp_path: Path) -> None:
    """All partitions of all sources are landed; a second run finds them, and asks nothing, until told to."""
    config = pipeline(
        items=api(site, "/items", partitions={"part": ["x", "y"], "month": {"range": [1, 2]}}),
        letters=pages(site, "/page-1"),
    )

    first = await ingest(config, tmp_path)
    asked = len(site.seen)
    second = await ingest(config, tmp_path)
    asked_again = len(site.seen)
    fresh = await ingest(config, tmp_path, fresh=True)

    assert [(s.source, len(s.landed), s.total("rows"), s.total("requests"), s.failures) for s in first] == [
        ("items", 4, 28, 12, ()),
        ("letters", 1, 5, 3, ()),
    ]
    assert [landed.partition for landed in first[0].landed] == [
        "part=x,month=1",
        "part=x,month=2",
        "part=y,month=1",
        "part=y,month=2",
    ]
    assert [(s.total("rows"), s.total("requests"), s.total("reused")) for s in second] == [(28, 0, 4), (5, 0, 1)]
    assert (asked, asked_again, len(site.seen)) == (15, 15, 30)
    assert [(s.total("rows"), s.total("requests"), s.total("reused")) for s in fresh] == [(28, 12, 0), (5, 3, 0)]


async def test_a_partition_that_fails_does_not_stop_the_others(site: Site, tmp_path: Path) -> None:
    """One partition is refused: the others are landed, it is asked once, and the stage names it with the cause."""
    with pytest.raises(
        StageError,
        match=r"source things, partition part=404: GET http://.*/404\?page=1 was refused with 404 .*; correct",
    ):
        await ingest(pipeline(**partly(site)), tmp_path)

    assert list_files(tmp_path / "raw" / "things") == [
        "part=busy.json",
        "part=busy.jsonl.zst",
        "part=items.json",
        "part=items.jsonl.zst",
    ]
    assert site.paths.count("/404?page=1") == 1


async def test_partial_data_may_be_allowed(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With allow_partial the stage goes on, and says what is not there."""
    config = pipeline(**partly(site)).model_copy(update={"allow_partial": True})

    (landed,) = await ingest(config, tmp_path)

    assert [of_one.partition for of_one in landed.landed] == ["part=items", "part=busy"]
    assert [(failure.partition, "404 Not Found" in failure.message) for failure in landed.failures] == [
        ("part=404", True)
    ]
    assert warnings(caplog) == [
        landed.failed[0].message,
        "ingest goes on with partial data, as allow_partial says",
    ]


async def test_a_partition_that_may_pass_is_tried_once_more(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails beyond the client's attempts is retried by Prefect: it comes, or fails for good; the third attempt is warned of."""
    monkeypatch.setattr(land_partitions, "retry_delay_seconds", 0.1)  # not 3
    config = pipeline(
        comes=api(site, "/503-once", requests=ONCE, pagination={"kind": "single"}),
        stays=api(site, "/500-always", requests={"attempts": 4, "backoff_first_s": 0.01}),
    ).model_copy(update={"allow_partial": True})

    comes, stays = await ingest(config, tmp_path)

    assert (read_rows(comes.landed[0].path), comes.failures) == (ITEMS[:3], ())
    assert [failure.message.split("; ")[0] for failure in stays.failures] == [
        f"GET {site.url}/500-always?page=1 failed 4 times, at last with: 500 Internal Server Error"
    ]
    assert sorted(site.paths) == ["/500-always?page=1"] * 8 + ["/503-once"] * 2
    said = (
        f"source stays: GET {site.url}/500-always?page=1: 500 Internal Server Error; attempt 3 of 4, the next in 0.0 s"
    )
    again = f"ingest stays: {stays.failures[0].message}; tried once more in 3 s"
    assert [warnings(caplog).count(each) for each in (said, again)] == [1, 1]
    assert stays.causes == [("500 Internal Server Error", 6)]
    made_again = "6 requests made again (6 times 500 Internal Server Error); 1 partition could not be fetched"
    assert any(record.getMessage().endswith(made_again) for record in caplog.records)


async def test_prefect_looks_through_none_of_the_other_partitions(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In what a task is given Prefect looks for the states of other runs: for each partition in one value."""
    looked_at: list[Any] = []

    def look(value: Any, context: dict[str, Any]) -> Any:
        looked_at.extend([value] if context["parameter_name"] == "batch" else [])
        return resolve_to_final_result(value, context)

    monkeypatch.setattr(task_engine, "resolve_to_final_result", look)

    await ingest(pipeline(items=api(site, "/items", partitions={"part": list(range(9))})), tmp_path)

    assert len(looked_at) == 9


async def test_a_missing_token_stops_its_source_only(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source without its token is one failure; the others are landed, and what it has landed needs no token."""
    source = api(
        site, "/items", auth={"kind": "bearer", "token": {"env": "TIDEMILL_TEST_TOKEN"}}, partitions={"part": ["x"]}
    )
    more = source.model_copy(update={"partitions": {"part": ("x", "y")}})
    monkeypatch.setenv("TIDEMILL_TEST_TOKEN", "sesame")
    await ingest(pipeline(closed=source), tmp_path)

    monkeypatch.delenv("TIDEMILL_TEST_TOKEN")
    again = await ingest(pipeline(closed=source), tmp_path)
    with pytest.raises(StageError, match=r"^source closed, partition part=y: auth.token: .* is not set; set it$"):
        await ingest(pipeline(closed=more, open=pages(site, "/page-3")), tmp_path)

    assert [of_one.total("reused") for of_one in again] == [1]
    assert list_files(tmp_path / "raw" / "open") == ["all.json", "all.jsonl.zst"]


async def test_nothing_runs_after_a_stage_that_failed(prefect_server: str, site: Site, tmp_path: Path) -> None:
    """One partition is refused: the run fails with its name and cause, no table is made, and the summary says it."""
    config = Pipeline.model_validate({**dict(pipeline(**partly(site))), "training": TRAINING})

    with pytest.raises(StageError) as error:
        await run_pipeline(config, tmp_path)

    summary = json.loads((tmp_path / "summary.json").read_text())
    (sentence,) = summary["failures"]
    assert sentence.startswith(f"source things, partition part=404: GET {site.url}/404?page=1 was refused with 404 Not")
    assert (summary["status"], summary["error"], str(error.value)) == ("failed", sentence, sentence)
    assert (list(summary["seconds"]), summary["leaderboard"]) == (["ingest"], [])
    nothing = ("rows_table", "rows_rejected", "rows_duplicate", "rows_new", "rows_before", "rejects_before")
    assert summary["sources"]["things"] | {"bytes_received": 0} == {
        **dict.fromkeys((*nothing, "records_empty", "guesses")),
        "error": sentence,
        "columns_changed": [],
        "why_again": [],
        **dict.fromkeys(("retries", "refused", "bytes_received", "partitions_reused", "partitions_resumed"), 0),
        "elements_skipped": 0,
        "partitions_ignored": [],
        "rows_received": 19,
        "requests": 16,
        "pages": 15,
        "partitions_failed": 1,
    }
    assert [(tmp_path / name).exists() for name in ("raw", "tables", "models")] == [True, False, False]
    assert await subflows(prefect_server, summary["flow_run_id"]) == [("ingest", "FAILED")]


async def test_a_run_of_partial_data_says_what_is_missing(prefect_server: str, site: Site, tmp_path: Path) -> None:
    """With allow_partial the run completes, the table has what came, and the summary has the failure."""
    config = pipeline(**partly(site)).model_copy(update={"allow_partial": True})

    summary = await run_pipeline(config, tmp_path)

    assert (summary.status, summary.error, list(summary.seconds)) == ("partial", None, ["ingest", "convert"])
    assert [sentence.split(": ")[0] for sentence in summary.failures] == ["source things, partition part=404"]
    things = summary.sources["things"]
    assert (things.rows_received, things.rows_table, things.partitions_failed) == (19, 19, 1)
    assert await subflows(prefect_server, str(summary.flow_run_id)) == [
        ("convert", "COMPLETED"),
        ("ingest", "COMPLETED"),
    ]


async def test_a_slow_source_is_shown_while_it_is_fetched(
    prefect_server: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its progress artifact changes and ends at 100 percent, also after somebody has deleted one."""
    monkeypatch.setattr(progress, "SHOWN_EVERY_S", 0.1)
    parts = {"part": {"range": [1, 12]}}
    slowly = api(site, "/items", partitions=parts, requests={"requests_per_s": 1}, **SINGLE)
    seen: dict[str, list[tuple[float, str]]] = {}

    running = asyncio.create_task(ingest(pipeline("slow", things=slowly), tmp_path))
    async with PrefectHttpxAsyncClient(base_url=prefect_server) as prefect:
        is_over = False
        while not is_over:
            is_over = running.done()
            for artifact in await artifacts(prefect, "slow-ingest-things"):
                if not seen:
                    await prefect.delete(f"/artifacts/{artifact['id']}")
                seen.setdefault(artifact["id"], []).append((artifact["data"], artifact["description"]))
            await asyncio.sleep(0.05)

    _deleted, shown = seen.values()
    percents = [percent for percent, _ in shown]
    assert percents == sorted(percents)
    assert len(set(percents)) > 2
    assert percents[-1] == 100
    assert re.fullmatch(r"things: 36 rows, 12 pages at [\d,]+/s", shown[-1][1])


async def test_what_was_fetched_is_a_table(prefect_server: str) -> None:
    """The slowest partitions stand first, at most a hundred of them; those that failed have a table of their own."""
    landed = [
        Landed(f"n={n}", Path("raw"), 3, 2, 9, reused=n == 0, requests=4, retries=1, seconds=n) for n in range(102)
    ]
    resumed = Landed("late", Path("raw"), 3, 9, 9, False, 5, 1, 2, 700, 999.456, resumed_from=6)
    failed = FailedPartition("GET http://x/ was refused", "bad", requests=3, retries=2, refused=1)

    await flow(report_ingest)("shown", [LandedSource("news", (*landed, resumed), (failed,))])

    async with PrefectHttpxAsyncClient(base_url=prefect_server) as prefect:
        (fetched,) = await artifacts(prefect, "shown-ingest")
        (missing,) = await artifacts(prefect, "shown-not-fetched")
    rows = json.loads(fetched["data"])
    assert fetched["description"] == (
        "What was fetched, the slowest first; 1 of 103 partitions were landed before. Not shown: 2 further rows."
    )
    assert rows[0] == {
        "source": "news",
        "partition": "late",
        "rows": 3,
        "pages": 9,
        "requests": 5,
        "retries": 1,
        "429s": 2,
        "bytes": 700,
        "seconds": 999.46,
        "resumed from page": 6,
    }
    assert [row["partition"] for row in rows[1:]] == [f"n={n}" for n in range(101, 102 - ROWS_SHOWN, -1)]
    assert json.loads(missing["data"]) == [
        {
            "source": "news",
            "partition": "bad",
            "requests": 3,
            "retries": 2,
            "429s": 1,
            "failure": "`GET http://x/ was refused`",
        }
    ]


async def test_a_source_that_always_fails_does_not_fill_the_log(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests that fail again and again are warned of, with their cause and what comes next, until they are too many."""
    gone = {"url": "http://127.0.0.1:1/{part}", "requests": {"attempts": 4, "backoff_first_s": 0.01}}
    config = pipeline(things=api(site, "/", partitions={"part": {"range": [1, 30]}}, **SINGLE | gone))

    with pytest.raises(
        StageError, match=r"^source things, partition part=1 and 29 more: GET http://127.0.0.1:1/1 failed 4"
    ):
        await ingest(config, tmp_path)

    warned = warnings(caplog)
    assert len(warned) == MOST + 1
    assert re.fullmatch(
        r"source things: GET http://127.0.0.1:1/\d+: the host 127.0.0.1:1 cannot be reached \(.*\); "
        r"attempt 3 of 4, the next in 0.0 s",
        warned[0],
    )
    assert warned[-1] == "source things: not shown: 10 more warnings like these"


async def test_a_fault_that_passes_at_once_is_no_warning(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is warned of where the second attempt succeeds."""
    await ingest(pipeline(busy=api(site, "/503-once"), cut=api(site, "/drop-once")), tmp_path)

    assert warnings(caplog) == []


async def artifacts(prefect: PrefectHttpxAsyncClient, key: str) -> list[dict[str, Any]]:
    """Return the artifacts of a key."""
    answer = await prefect.post("/artifacts/filter", json={"artifacts": {"key": {"any_": [key]}}})
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


async def subflows(prefect_server: str, flow_run_id: str) -> list[tuple[str, str]]:
    """Return the flows that a flow run ran, and how they ended."""
    query = {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run_id]}}}
    async with PrefectHttpxAsyncClient(base_url=prefect_server) as prefect:
        runs = (await prefect.post("/flow_runs/filter", json=query)).raise_for_status().json()
        names = {run["flow_id"]: (await prefect.get(f"/flows/{run['flow_id']}")).json()["name"] for run in runs}
    return sorted((names[run["flow_id"]], run["state_type"]) for run in runs)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what flows have warned of."""
    flows = [record for record in caplog.records if record.name == "prefect.flow_runs"]
    return [record.getMessage() for record in flows if record.levelno == logging.WARNING]
