"""Cookies: a server's own come back to it, and to nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.ingest.sources import api, job_of, land_with, open_quietly, read_rows
from tests.site.server import Site

SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}, "records_at": None}


async def test_a_cookie_comes_back_to_its_server(site: Site, other_site: Site, tmp_path: Path) -> None:
    """A page behind a redirect that sets a cookie gets it; another host does not."""
    cookie = "/redirect/302?to=..%2Fcookie"
    source = api(site, "/cookie?to=/cookie", **SINGLE)
    elsewhere = api(other_site, cookie, **SINGLE)

    async with open_quietly(source, elsewhere) as client:
        landed = await land_with(client, job_of(source, tmp_path / "one"))
        other = await land_with(client, job_of(elsewhere, tmp_path / "other"))

    assert [read_rows(one.path) for one in (landed, other)] == [[{"cookies": {"visit": "1"}}], [{"cookies": {}}]]


async def test_sources_of_one_host_have_their_own_cookies(site: Site, tmp_path: Path) -> None:
    """What a server noted of one source is not told in the requests of another, which may ask as somebody else."""
    first, second = (api(site, f"/cookie?who={who}&to=/cookie?who={who}", **SINGLE) for who in "ab")

    async with open_quietly(first, second) as client:
        jobs = [job_of(first, tmp_path / "a"), job_of(second, tmp_path / "b")]
        await asyncio.gather(*(land_with(client, job) for job in jobs))

    cookies = {seen.path: seen.headers.get("cookie") for seen in site.seen}
    assert (cookies["/cookie?who=a"], cookies["/cookie?who=b"]) == ("visit=a", "visit=b")
    assert [value for path, value in cookies.items() if "to=" in path] == [None, None]


async def test_a_cookie_of_the_source_comes_before_the_server_s(site: Site, tmp_path: Path) -> None:
    """A Cookie header that the pipeline file gives is sent as it is."""
    source = api(site, "/cookie?to=/cookie", **SINGLE, headers={"Cookie": "consent=yes"})

    async with open_quietly(source) as client:
        landed = await land_with(client, job_of(source, tmp_path))

    assert read_rows(landed.path) == [{"cookies": {"consent": "yes"}}]
