"""Dates as partitions: what is asked for each, which are asked for again, and that faults and kills cost no row."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.ingest import ingest
from flows.pipeline import pipeline as run_pipeline
from tasks.config import ApiSource, Pipeline
from tasks.core.errors import ConfigError, StageError
from tasks.ingest.landing.plan import find_landed
from tasks.raw.files import commit_manifest, raw_path, read_manifest
from tasks.raw.partitions import list_partitions, request_fingerprint
from tests.ingest.sources import api, job_of, land_one, read_rows
from tests.site.partitioned import partitioned_at, report_rows
from tests.site.server import Site


def reports(site: Site, dates: dict[str, Any], **keys: Any) -> ApiSource:
    """Return a source of a report for each day."""
    day = {"from": "2024-01-30", "to": "2024-02-01", "every": "1d"} | dates
    return api(site, "/reports", pagination={"kind": "single"}, partitions={"day": day}, **keys)


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({}, "/reports?day=2024-01-30"),
        ({"url": "{site}/reports?day={day}&until={day_end}"}, "/reports?day=2024-01-30&until=2024-01-31"),
        ({"params": {"day": "{day}", "until": "{day_last}T24"}}, "/reports?day=2024-01-30&until=2024-01-30T24"),
        ({"method": "POST", "body": {"day": "{day}", "range": ["{day}", "{day_end}"]}}, "/reports"),
    ],
)
async def test_a_date_stands_where_it_is_named(site: Site, tmp_path: Path, keys: dict[str, Any], path: str) -> None:
    """Its begin, the begin of the next one and its last second stand in addresses, parameters and bodies."""
    if "url" in keys:
        keys = {"url": keys["url"].replace("{site}", site.url)}
    landed = await land_one(reports(site, {}, **keys), tmp_path)
    rows = read_rows(landed.path)

    assert site.paths == [path]
    assert [(row["day"], row["line"]) for row in rows] == [("2024-01-30", line) for line in range(3)]
    if "body" in keys:
        assert rows[0]["range"] == ["2024-01-30", "2024-01-31"]


def test_an_end_that_is_sent_decides_what_is_asked_for(site: Site) -> None:
    """Where a request has the end of its date, another length of it is another request; where it has not, it is the same."""
    plain, ended = dict[str, Any](), {"params": {"until": "{day_end}"}}
    prints = {
        (number, every): request_fingerprint(source, list_partitions(source)[0])
        for number, keys in enumerate((plain, ended))
        for every in ("1d", "2d")
        for source in [reports(site, {"every": every}, **keys)]
    }

    assert prints[0, "1d"] == prints[0, "2d"]
    assert prints[1, "1d"] != prints[1, "2d"]


@pytest.mark.parametrize(
    ("began", "lookback", "found"),
    [
        ("2024-01-30T23:59:59+00:00", "0s", False),
        ("2024-01-31T00:00:00+00:00", "0s", True),
        ("2024-02-01T23:59:59+00:00", "2d", False),
        ("2024-02-02T00:00:00+00:00", "2d", True),
    ],
)
async def test_a_date_is_asked_for_until_it_was_landed_after_its_lookback(
    site: Site, tmp_path: Path, began: str, lookback: str, found: bool
) -> None:
    """What was asked while it could change is asked again, whenever the next run is; what was asked later never is."""
    source = reports(site, {"lookback": lookback})
    landed = await land_one(source, tmp_path)
    manifest = await asyncio.to_thread(read_manifest, landed.path)
    assert manifest is not None
    await asyncio.to_thread(commit_manifest, landed.path, replace(manifest, began_at=began))

    again = await asyncio.to_thread(lambda: find_landed(job_of(source, tmp_path), fresh=False))

    assert (again is not None) == found


async def test_the_time_of_the_first_request_counts(site: Site, tmp_path: Path) -> None:
    """A date that ends while it is fetched is asked for again: what came before its end may lack rows."""
    partitioned_at(site).late_s = 2.2
    now = datetime.now(UTC)
    end = now.replace(microsecond=0) + timedelta(seconds=2)
    source = reports(site, {"from": (end - timedelta(hours=1)).isoformat(), "to": "now", "every": "1h"})
    landed = await land_one(source, tmp_path)

    assert datetime.now(UTC) > end
    assert await asyncio.to_thread(lambda: find_landed(job_of(source, tmp_path), fresh=False)) is None
    assert (landed.rows, raw_path(tmp_path, landed.partition).exists()) == (3, True)


def landed_rows(folder: Path) -> dict[str, list[Any]]:
    """Return the rows of each day that is landed."""
    return {raw.name.removesuffix(".jsonl.zst"): read_rows(raw) for raw in sorted(folder.glob("[!.]*.jsonl.zst"))}


def days(*found: str) -> dict[str, list[Any]]:
    """Return the rows of some days of 2024, as they are to be landed."""
    return {f"day=2024-{day}": report_rows(f"2024-{day}") for day in found}


def asked(site: Site) -> list[str]:
    """Return the days that were asked for, and forget them."""
    found = sorted(path.partition("day=")[2] for path in site.paths)
    site.seen.clear()
    return found


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_fault_of_a_day_costs_no_row(site: Site, tmp_path: Path) -> None:
    """What passes is asked for again; a day that is refused, or never ends, fails alone, and the next run asks for it alone."""
    faults = ["429-once-retry-after-seconds", "500-once", "drop-once", "truncated-once", "html", "huge", "none"]
    all_days = ["01-30", "01-31", *(f"02-{day:02}" for day in range(1, 6))]
    partitioned_at(site).faults = {f"2024-{day}": fault for day, fault in zip(all_days, faults, strict=True)}
    requests = {"attempts": 3, "backoff_first_s": 0.02, "max_body_bytes": "1MiB"}
    config = Pipeline(name="faults", sources={"sales": reports(site, {"to": "2024-02-05"}, requests=requests)})

    with pytest.raises(StageError, match=r"(?s)partition day=2024-02-03: .*partition day=2024-02-04: .*max_body_bytes"):
        await ingest(config, tmp_path)
    first, asked_first = landed_rows(tmp_path / "raw" / "sales"), asked(site)
    partitioned_at(site).faults = {}
    await ingest(config, tmp_path)

    assert first == days("01-30", "01-31", "02-01", "02-02", "02-05")
    assert len(asked_first) == 7 + 4
    assert (landed_rows(tmp_path / "raw" / "sales"), asked(site)) == (days(*all_days), ["2024-02-03", "2024-02-04"])


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_slice_of_days_is_fetched_alone_and_again(site: Site, tmp_path: Path) -> None:
    """A slice is named by dates, whatever their format; what is landed beside it stays in the table."""
    source = reports(site, {"to": "2024-03-15", "format": "%d.%m.%Y"})
    config = Pipeline(name="sliced", sources={"sales": source})

    first = await run_pipeline(config, tmp_path, partitions="day=2024-01-31..2024-02-01")
    asked_first = asked(site)
    again = await run_pipeline(config, tmp_path, partitions="day=2024-02-01..2024-02-02", fresh=True)

    assert asked_first == ["01.02.2024", "31.01.2024"]
    assert (asked(site), first.sources["sales"].rows_table) == (["01.02.2024", "02.02.2024"], 6)
    assert again.sources["sales"].rows_table == 9
    with pytest.raises(ConfigError, match="day=2024-04-01: '2024-04-01' selects nothing; did you mean 2024-03-01"):
        await ingest(config, tmp_path, partitions="day=2024-04-01")


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_what_may_still_change_is_fetched_by_each_run(site: Site, tmp_path: Path) -> None:
    """Up to now: the hour that is not over and those within the lookback come anew, and the table has them as they are now."""
    begin = (datetime.now(UTC) - timedelta(hours=4)).strftime("%Y-%m-%dT%H:00")
    hours = {"from": begin, "to": "now", "every": "1h", "lookback": "90m", "format": "%Y-%m-%dT%H:%M"}
    config = Pipeline(name="growing", sources={"sales": reports(site, hours, key=["day", "line"])})

    first = await run_pipeline(config, tmp_path)
    asked_first = asked(site)
    partitioned_at(site).version = 2
    second = await run_pipeline(config, tmp_path)
    asked_again = asked(site)

    assert len(asked_first) in (5, 6)
    assert asked_again == asked_first[-len(asked_again) :]
    assert len(asked_again) in (2, 3, 4)
    assert (second.warnings, second.sources["sales"].rows_table) == ([], 3 * len(asked_first))
    assert second.sources["sales"].rows_new == 3 * len(asked_again)
    assert first.sources["sales"].rows_new == 3 * len(asked_first)


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_what_has_begun_since_the_last_ingest_is_told(site: Site, tmp_path: Path) -> None:
    """A table that is made without asking anybody has what is landed; a date that has begun since then is no mistake."""
    source = reports(site, {"to": "now", "from": (datetime.now(UTC) - timedelta(days=1)).date().isoformat()})
    config = Pipeline(name="later", sources={"sales": source})
    await ingest(config, tmp_path)
    for raw in await asyncio.to_thread(lambda: sorted((tmp_path / "raw" / "sales").glob("*.zst"))):
        manifest = await asyncio.to_thread(read_manifest, raw)
        assert manifest is not None
        landed_at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        await asyncio.to_thread(commit_manifest, raw, replace(manifest, landed_at=landed_at))
    await asyncio.to_thread(raw.unlink)  # that of today

    made = await run_pipeline(config, tmp_path, only="convert")

    assert made.sources["sales"].rows_table == 3
    (told,) = made.warnings
    assert told.startswith("source sales, partition day=")
    assert told.endswith("has begun since the source was fetched last, and is not in the table; run ingest")
