"""A landing that ended early: the next run goes on at the page it had reached, and only where it asks for the same."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from flows.ingest import ingest
from tasks.config import ApiSource, PagesSource, Pipeline
from tasks.core.errors import SourceError, StageError
from tasks.ingest.landing import land as landing
from tasks.ingest.landing.land import PartitionClient, land
from tasks.ingest.landing.plan import Landed, PartitionJob, find_landed, plan_landing
from tasks.ingest.landing.writer import now_text
from tasks.ingest.scraping.robots import Robots
from tests.ingest.crashing import crashing
from tests.ingest.sources import api, job_of, land_one, land_with, open_quietly, pages, read_rows
from tests.site.landing import LONG, LONG_PAGES, kept_at, long_rows
from tests.site.server import Site

AT_ONCE = 4
ONCE = {"attempts": 1, "max_in_flight": AT_ONCE, "start_in_flight": AT_ONCE}
ONE_BY_ONE = {"attempts": 1, "max_in_flight": 1, "start_in_flight": 1}
KINDS = [*LONG, "html"]
REACHED = 6
"""Pages that a landing has come to when it meets one that is refused."""


def long(site: Site, kind: str, **changes: Any) -> ApiSource | PagesSource:
    """Return the source of a long route, changed as said."""
    if kind == "html":
        return pages(site, "/long/html/1", **{"requests": ONCE} | changes)
    return api(site, f"/long/{kind}", **{"requests": ONCE, "pagination": LONG[kind]} | changes)


def rows_of(kind: str) -> list[Any]:
    """Return the rows of a long route."""
    return [{"name": str(row["id"])} for row in long_rows()] if kind == "html" else long_rows()


async def fail(site: Site, source: ApiSource | PagesSource, folder: Path, *, fresh: bool = False) -> int:
    """Land a source whose seventh page is refused; return how many requests it took."""
    kept_at(site).broken_from, asked = REACHED + 1, len(site.seen)
    with pytest.raises(SourceError, match=r"failed 1 time, at last with: 500"):
        await land_one(source, folder, fresh=fresh)
    kept_at(site).broken_from = LONG_PAGES + 99
    return len(site.seen) - asked


def files_of(folder: Path) -> list[str]:
    """Return the names of all files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def wait_until_asked(site: Site, requests: int) -> None:
    """Wait until a site has been asked so often."""
    deadline = time.monotonic() + 60
    while len(site.seen) < requests and time.monotonic() < deadline:
        time.sleep(0.001)


def checkpoint_of(folder: Path) -> Path:
    """Return the path of the one checkpoint in a folder."""
    (checkpoint,) = folder.glob(".*.json")
    return checkpoint


async def find(source: ApiSource | PagesSource, folder: Path) -> Landed | None:
    """Return a source's first partition if it is landed in `folder`."""
    return await asyncio.to_thread(lambda: find_landed(job_of(source, folder), fresh=False))


def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a page group committed at every second page."""
    monkeypatch.setattr(landing, "GROUP_PAGES", 4)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_next_run_goes_on_at_the_page_that_failed(site: Site, tmp_path: Path, kind: str) -> None:
    """What came before an error is kept: the pages before are not asked for again, and no row is there twice."""
    source = long(site, kind)
    await fail(site, source, tmp_path)
    before, in_vain = len(site.seen), 0 if kind == "page" else AT_ONCE

    landed = await land_one(source, tmp_path)

    late = len(site.seen) - before - landed.requests
    assert (landed.resumed_from, landed.rows, landed.pages) == (REACHED, 35, LONG_PAGES)
    assert read_rows(landed.path) == rows_of(kind)
    assert LONG_PAGES - REACHED <= landed.requests <= LONG_PAGES - REACHED + in_vain
    assert abs(late) <= AT_ONCE  # what was given up may come to the site late, or never
    assert files_of(tmp_path) == ["all.json", "all.jsonl.zst"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_landing_is_gone_on_with_as_often_as_it_ends_early(
    site: Site, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page may be where a run ends: all runs together ask for each page once, beside what was under way."""
    small_groups(monkeypatch)
    source, reached = long(site, kind), []
    for page in range(2, LONG_PAGES + 1):
        kept_at(site).broken_from = page
        with pytest.raises(SourceError):
            await land_one(source, tmp_path)
        reached.append(json.loads(checkpoint_of(tmp_path).read_text(encoding="utf-8"))["manifest"]["pages"])
    kept_at(site).broken_from = LONG_PAGES + 99

    landed = await land_one(source, tmp_path)

    assert reached == list(range(1, LONG_PAGES))
    assert (landed.resumed_from, read_rows(landed.path)) == (LONG_PAGES - 1, rows_of(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_landing_that_is_interrupted_keeps_what_has_come(site: Site, tmp_path: Path, kind: str) -> None:
    """Cancelled in the middle, as Ctrl-C does, a landing is gone on with from its last page."""
    kept_at(site).late_s = 0.02
    source = long(site, kind, requests=ONE_BY_ONE)
    running = asyncio.create_task(land_one(source, tmp_path))
    await asyncio.to_thread(wait_until_asked, site, REACHED)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    landed = await land_one(source, tmp_path)

    assert REACHED - 2 <= landed.resumed_from <= REACHED
    assert landed.resumed_from + landed.requests <= LONG_PAGES + 2  # in vain are two that are empty
    assert read_rows(landed.path) == rows_of(kind)


async def test_a_deadline_keeps_what_has_come(site: Site, tmp_path: Path) -> None:
    """A partition that takes too long says from where the next run goes on, and that one does."""
    kept_at(site).late_s = 0.05
    source = long(site, "cursor", requests={**ONCE, "partition_deadline_s": 0.3})

    with pytest.raises(SourceError, match=r"not landed within requests.partition_deadline_s \(0.3\); run again to go"):
        await land_one(source, tmp_path)
    kept_at(site).late_s = 0.0
    landed = await land_one(source, tmp_path)

    assert 1 <= landed.resumed_from < LONG_PAGES
    assert read_rows(landed.path) == rows_of("cursor")


@pytest.mark.parametrize(
    "change", [{"params": {"part": "b"}}, {"headers": {"Accept-Language": "de"}}, {"pagination": {"kind": "single"}}]
)
async def test_a_changed_request_begins_anew(site: Site, tmp_path: Path, change: dict[str, Any]) -> None:
    """Pages of other requests are not mixed: what was begun is left behind, and nothing of it remains."""
    await fail(site, long(site, "page"), tmp_path)

    landed = await land_one(long(site, "page", **change), tmp_path)

    assert (landed.resumed_from, files_of(tmp_path)) == (0, ["all.json", "all.jsonl.zst"])
    assert read_rows(landed.path)[0] == long_rows("b" if "params" in change else None)[0]


async def test_fresh_begins_anew(site: Site, tmp_path: Path) -> None:
    """With --fresh every page is asked for, whatever was begun before."""
    await fail(site, long(site, "page"), tmp_path)

    landed = await land_one(long(site, "page"), tmp_path, fresh=True)

    assert (landed.resumed_from, landed.requests, read_rows(landed.path)) == (0, LONG_PAGES, long_rows())


@pytest.mark.parametrize("kind", ["page", "cursor", "html"])
async def test_the_next_plain_run_finishes_a_fresh_one(site: Site, tmp_path: Path, kind: str) -> None:
    """A --fresh that ended early is not landed by what stood there before, and is gone on with."""
    source = long(site, kind)
    await land_one(source, tmp_path)
    old = await asyncio.to_thread((tmp_path / "all.jsonl.zst").read_bytes)

    await fail(site, source, tmp_path, fresh=True)
    kept = await asyncio.to_thread((tmp_path / "all.jsonl.zst").read_bytes)
    found = await find(source, tmp_path)
    landed = await land_one(source, tmp_path)

    assert (kept == old, found) == (True, None)
    assert (landed.resumed_from, read_rows(landed.path)) == (REACHED, rows_of(kind))
    assert await find(source, tmp_path) is not None


async def test_a_fresh_landing_that_prefect_tries_again_goes_on(site: Site, tmp_path: Path) -> None:
    """The second attempt at one plan asks for what the first had not come to."""
    source = long(site, "page", requests=ONE_BY_ONE)
    await land_one(source, tmp_path)
    kept_at(site).broken_from = REACHED + 1
    async with open_quietly(source) as client:
        job = job_of(source, tmp_path)
        plan = await asyncio.to_thread(plan_landing, job, fresh=True)
        stats = client.stats(job.raw)
        access = PartitionClient(client.endpoint(source, {}).fetch_into(stats), stats, Robots(client.throttle))
        with pytest.raises(SourceError):
            await land(plan, access)
        kept_at(site).broken_from, before = LONG_PAGES + 99, len(site.seen)

        landed = await land(plan, access)

    assert (landed.resumed_from, len(site.seen) - before) == (REACHED, LONG_PAGES - REACHED)
    assert read_rows(landed.path) == long_rows()


async def test_a_checkpoint_that_is_too_old_is_not_gone_on_from(site: Site, tmp_path: Path) -> None:
    """What refresh says of the age of rows goes for those of a landing that ended early, too."""
    source = long(site, "page", refresh={"after": "1h"})
    await fail(site, source, tmp_path)
    young = await land_one(source, tmp_path)
    await fail(site, source, tmp_path, fresh=True)
    checkpoint = checkpoint_of(tmp_path)
    text = await asyncio.to_thread(checkpoint.read_text)
    began = json.loads(text)["began_at"]
    await asyncio.to_thread(checkpoint.write_text, text.replace(began, f"2000{now_text()[4:]}"))

    found = await find(source, tmp_path)
    old = await land_one(source, tmp_path, fresh=False)

    assert (young.resumed_from, found is not None, old.resumed_from) == (REACHED, True, 0)
    assert files_of(tmp_path) == ["all.json", "all.jsonl.zst"]


@pytest.mark.parametrize("kind", ["page", "offset", "cursor", "html"])
async def test_a_crash_at_any_step_of_a_landing_costs_less_than_a_page_group(
    site: Site, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step a run dies before, the next has every row once, and asks again for a page group at most."""
    small_groups(monkeypatch)
    source = long(site, kind, requests=ONE_BY_ONE)
    with crashing() as whole:
        await land_one(source, tmp_path / "whole")
    reference = len(site.seen)
    found = []
    for step in range(whole.taken):
        folder, before = tmp_path / f"{step}", len(site.seen)
        with crashing(step):
            await land_one(source, folder)
        await land_one(source, folder)
        asked = len(site.seen) - before
        found.append((asked <= reference + 1 + 4, read_rows(folder / "all.jsonl.zst"), files_of(folder)))

    assert whole.taken > 20
    assert found == [(True, rows_of(kind), ["all.json", "all.jsonl.zst"])] * whole.taken


async def test_nothing_of_a_page_group_follows_one_that_could_not_be_committed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk refuses one page group, those after it are not kept, or the next run would pass over its rows."""
    small_groups(monkeypatch)
    source = long(site, "cursor")
    refused = iter([False] * 4 + [True])

    def refuse_once(call: Callable[..., Any]) -> Callable[..., Any]:
        def sync(descriptor: int) -> None:
            if next(refused, False):
                raise OSError(28, "No space left on device")
            call(descriptor)

        return sync

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", refuse_once(os.fsync))
        with pytest.raises(OSError, match="No space left"):
            await land_one(source, tmp_path)
    landed = await land_one(source, tmp_path)

    assert (landed.resumed_from, read_rows(landed.path)) == (4, long_rows())


async def test_what_a_fresh_run_left_behind_goes_with_the_next(site: Site, tmp_path: Path) -> None:
    """Killed before its first page group is committed, a --fresh has changed nothing; what it left is swept."""
    source = long(site, "page")
    await land_one(source, tmp_path)
    (tmp_path / ".all.jsonl.zst.landing").write_bytes(b"half a page group")

    found = await find(source, tmp_path)

    assert (found is not None, files_of(tmp_path)) == (True, ["all.json", "all.jsonl.zst"])


async def test_partitions_go_on_each_from_its_own_page(site: Site, tmp_path: Path) -> None:
    """What one partition has come to is nothing to another."""
    source = long(site, "page", partitions={"part": ["a", "b"]})
    jobs = [PartitionJob("source", source, job_of(source, tmp_path, number).partition, tmp_path) for number in (0, 1)]
    async with open_quietly(source) as client:
        kept_at(site).broken_from = REACHED + 1
        with pytest.raises(SourceError):
            await land_with(client, jobs[0])
        kept_at(site).broken_from = LONG_PAGES + 99

        landed = [await land_with(client, job) for job in jobs]

    assert [one.resumed_from for one in landed] == [REACHED, 0]
    assert [read_rows(one.path) for one in landed] == [long_rows("a"), long_rows("b")]


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_second_run_at_once_is_told(site: Site, tmp_path: Path) -> None:
    """While another run lands a source, its partitions fail with one sentence, and nothing is asked; then they land."""
    config = Pipeline(name="test", sources={"long": long(site, "page", partitions={"part": ["a", "b"]})})
    folder = tmp_path / "raw" / "long"
    await asyncio.to_thread(folder.mkdir, parents=True)
    other = FileLock(folder / ".lock", thread_local=False)
    await asyncio.to_thread(other.acquire)

    with pytest.raises(
        StageError, match=r"^source long, partition part=a and 1 more: another run is landing into .*; wait until it"
    ):
        await ingest(config, tmp_path)
    asked = len(site.seen)
    await asyncio.to_thread(other.release)
    (landed,) = await ingest(config, tmp_path)

    assert (asked, landed.total("rows")) == (0, 70)


SHAPES: list[Any] = [
    {"page": 3},
    [1, 2],
    "three",
    3,
    {"index": "3"},
    {"pages": [], "done": 0, "matches": {}, "landed": []},
]


@pytest.mark.parametrize("state", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_checkpoint_of_another_shape_is_begun_anew(site: Site, tmp_path: Path, kind: str, state: Any) -> None:
    """What another version left is no error at every run: the pages are fetched again, and it is told."""
    source = long(site, kind)
    await fail(site, source, tmp_path)
    checkpoint = checkpoint_of(tmp_path)
    kept = json.loads(checkpoint.read_text(encoding="utf-8"))
    checkpoint.write_text(json.dumps(kept | {"state": state}), encoding="utf-8")

    landed = await land_one(source, tmp_path)

    assert (landed.resumed_from, read_rows(landed.path)) == (0, rows_of(kind))
    (warning,) = landed.warnings
    assert f"has another shape, as of another version: its {REACHED} pages are fetched again" in warning


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_less_or_more_is_another_shape(site: Site, tmp_path: Path, kind: str) -> None:
    """A state with a field left out would go on from a count that is not so."""
    source, landed = long(site, kind), []
    for change in ({"more": 1}, None):
        await fail(site, source, tmp_path / str(change))
        checkpoint = checkpoint_of(tmp_path / str(change))
        kept = json.loads(checkpoint.read_text(encoding="utf-8"))
        kept["state"].pop(next(iter(kept["state"]))) if change is None else kept["state"].update(change)
        checkpoint.write_text(json.dumps(kept), encoding="utf-8")
        landed.append(await land_one(source, tmp_path / str(change)))

    assert [(one.resumed_from, read_rows(one.path)) for one in landed] in (
        [(0, rows_of(kind))] * 2,
        [(REACHED, rows_of(kind)), (0, rows_of(kind))],  # of a crawl what is beside is passed over
    )
