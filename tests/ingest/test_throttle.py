"""How many requests a host gets at once, and that it is left alone when it asks for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.requests import PageRequest, RequestStats
from tasks.ingest.landing.plan import Landed
from tests.ingest.sources import QUICK, api, job_of, land_one, land_with, open_quietly, read_rows
from tests.site.items import ITEMS, LATER_S
from tests.site.server import Site


async def land_together(folder: Path, *sources: ApiSource) -> list[Landed]:
    """Land sources at the same time, with one client, each in a folder of its own."""
    async with open_quietly(*sources) as client:
        jobs = [job_of(source, folder / str(number)) for number, source in enumerate(sources)]
        return await asyncio.gather(*(land_with(client, job) for job in jobs))


async def test_requests_are_concurrent_up_to_the_bound(site: Site, tmp_path: Path) -> None:
    """Pages are fetched together, as many as max_in_flight says and no more."""
    landed = await land_one(api(site, "/busy", requests=QUICK | {"max_in_flight": 4}), tmp_path)

    assert read_rows(landed.path) == [{"page": page} for page in range(1, 13)]
    assert site.most_in_flight == 4


async def test_sources_of_one_host_share_the_smallest_bound(site: Site, tmp_path: Path) -> None:
    """Two sources of a host together keep to the smaller of their bounds, whose host a partition may decide."""
    many = api(site, "/busy")
    host, path = site.url.removeprefix("http://").rsplit(":", 1)
    decided = {"url": f"http://{{part}}:{path}/busy", "partitions": {"part": [host]}}
    few = api(site, "", **decided, requests=QUICK | {"max_in_flight": 2})

    landed = await land_together(tmp_path, few, many)

    assert [of_one.rows for of_one in landed] == [12, 12]
    assert site.most_in_flight == 2


async def test_large_bodies_are_fetched_one_by_one(site: Site, tmp_path: Path) -> None:
    """Where one body fills the room for all of them, the next page is asked for when it has been taken."""
    landed = await land_one(api(site, "/busy", requests=QUICK | {"max_in_flight_bytes": 1}), tmp_path)

    assert read_rows(landed.path) == [{"page": page} for page in range(1, 13)]
    assert site.most_in_flight == 1


async def test_sources_of_one_host_share_the_smallest_room(site: Site, tmp_path: Path) -> None:
    """What one source's pages may take up holds back the other's too."""
    tight = api(site, "/busy", requests=QUICK | {"max_in_flight_bytes": 1})

    landed = await land_together(tmp_path, tight, api(site, "/busy"))

    assert [of_one.rows for of_one in landed] == [12, 12]
    assert site.most_in_flight == 1


async def test_a_large_bound_is_meant(site: Site) -> None:
    """A bound of 150 lets 150 requests through at once: no other part of the client holds them back."""
    requests = {"start_in_flight": 150, "max_in_flight": 150, "timeout_s": 5}
    source, stats = api(site, "/together", requests=requests), RequestStats()

    async with open_quietly(source) as client:
        fetch = client.endpoint(source, {}).fetch_into(stats)
        await asyncio.gather(*(fetch(PageRequest(httpx.URL(source.url))) for _ in range(150)))

    assert (site.most_in_flight, stats.requests, stats.retries) == (150, 150, 0)


async def test_a_host_that_is_crowded_is_asked_until_all_is_there(site: Site, tmp_path: Path) -> None:
    """A host that sends away what is too much at once gives every page in the end."""
    source = api(site, "/429-above-4-in-flight", requests=QUICK | {"attempts": 30, "max_in_flight": 8})

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == [{"page": page} for page in range(1, 13)]
    assert landed.retries == landed.requests - 12 == len(site.seen) - 12


async def test_a_pause_holds_for_the_whole_host_and_for_no_other(site: Site, other_site: Site, tmp_path: Path) -> None:
    """After a Retry-After no source asks that host before the time is over; another host is asked on."""
    paused = api(site, "/429-once-retry-after-seconds", pagination={"kind": "single"})
    beside = api(site, "/busy", requests=QUICK | {"max_in_flight": 1})
    elsewhere = api(other_site, "/busy", requests=QUICK | {"max_in_flight": 1})

    landed = await land_together(tmp_path, paused, beside, elsewhere)

    assert [(of_one.rows, of_one.retries) for of_one in landed] == [(3, 1), (12, 0), (12, 0)]
    asked = next(number for number, path in enumerate(site.paths) if "429" in path)
    later_s = [seen.at_s - site.seen[asked].at_s for seen in site.seen[asked + 1 :]]
    assert len(later_s) >= 12
    assert LATER_S <= min(later_s) < LATER_S + 5
    assert other_site.seen[-1].at_s < site.seen[-1].at_s


async def test_a_pause_may_be_a_date(site: Site, tmp_path: Path) -> None:
    """A Retry-After that is a date is waited for."""
    landed = await land_one(api(site, "/429-once-retry-after-date", pagination={"kind": "single"}), tmp_path)

    assert (read_rows(landed.path), landed.retries) == (ITEMS[:3], 1)
    assert LATER_S * 0.9 <= site.seen[1].at_s - site.seen[0].at_s < LATER_S + 6


async def test_a_retry_after_that_cannot_be_read_is_no_pause(site: Site, tmp_path: Path) -> None:
    """A Retry-After of rubbish leaves the usual back-off."""
    landed = await land_one(api(site, "/429-once-retry-after-rubbish"), tmp_path)

    assert (read_rows(landed.path), landed.retries) == (ITEMS, 3)


async def test_a_pause_beyond_the_deadline_is_not_waited_for(site: Site, tmp_path: Path) -> None:
    """A host that asks for an hour is left alone: the error says for how long, and no further request is made."""
    source = api(site, "/429-retry-after-an-hour")

    with pytest.raises(SourceError, match=r"left alone for 3\d+ s, longer than requests.deadline_s \(20\)") as error:
        await land_together(tmp_path, source)

    assert not isinstance(error.value, PermanentSourceError)
    assert len(site.seen) == 1
