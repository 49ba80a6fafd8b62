"""Pages whose rows and links are made by scripts: rendered by a real Chromium, asked for by the client of all sources."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tasks.config import PagesSource, Render
from tasks.config.base import trust
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.first_page import fetch_first_page
from tasks.ingest.landing.plan import Landed
from tasks.ingest.look import look_at
from tasks.ingest.scraping.browsers import Browsers, open_browsers
from tasks.raw.files import read_manifest
from tests.flows.test_ui import CHROMIUM
from tests.ingest.sources import QUICK, WARNED, job_of, land_with, open_quietly, pages, read_rows
from tests.site.scripted import SCRIPTED_PAGES
from tests.site.server import Site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium"),
]
ROWS = [{"name": f"{page}.{row} caf\u00e9 \u017e"} for page in range(1, SCRIPTED_PAGES + 1) for row in (1, 2)]
WAITING: dict[str, Any] = {"rows": "#rows tr", "render": {"wait_for": "table#rows tr"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers() -> AsyncIterator[Browsers]:
    """Open one browser for all tests."""
    async with open_browsers() as opened:
        yield opened


async def land_rendered(
    source: PagesSource, folder: Path, browsers: Browsers, secrets: dict[str, str] | None = None
) -> Landed:
    """Land a source with the browser."""
    async with open_quietly(source) as client:
        return await land_with(client, job_of(source, folder), secrets, browsers=browsers)


@pytest.mark.parametrize("kind", ["faulty", "posted"])
async def test_rows_and_links_that_scripts_make_are_read(
    site: Site, tmp_path: Path, browsers: Browsers, kind: str
) -> None:
    """Three pages, each named by a link that a script made, with every row once, also where each answer failed at first."""
    landed = await land_rendered(pages(site, f"/scripted/{kind}/1", **WAITING), tmp_path, browsers)

    asked = [path for path in site.paths if path.startswith("/rows/")]
    assert await asyncio.to_thread(read_rows, landed.path) == ROWS
    assert len(asked) == SCRIPTED_PAGES * (2 if kind == "faulty" else 1)
    assert landed.requests == len(site.paths)
    manifest = await asyncio.to_thread(read_manifest, landed.path)
    assert manifest is not None
    assert manifest.rendered


async def test_without_a_browser_there_are_no_such_rows(site: Site, tmp_path: Path) -> None:
    """What the server sends is an empty table, which is told."""
    with pytest.raises(PermanentSourceError, match=r"rows: '#rows tr' matches nothing on .*/scripted/none/1"):
        async with open_quietly(source := pages(site, "/scripted/none/1", rows="#rows tr")) as client:
            await land_with(client, job_of(source, tmp_path))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("500-always", r"GET .*/rows/500-always/3 failed 3 times, at last with: 500"),
        ("huge", r"GET .*/rows/huge/3: the body is larger than requests.max_body_bytes \(1,000,000\): it goes on"),
    ],
)
async def test_an_answer_of_a_script_that_fails_is_the_error_of_its_page(
    site: Site, tmp_path: Path, browsers: Browsers, fault: str, said: str
) -> None:
    """It is that of any request."""
    source = pages(site, f"/scripted/{fault}/3", **WAITING, requests=QUICK | {"max_body_bytes": 1_000_000})

    with pytest.raises(SourceError, match=said):
        await land_rendered(source, tmp_path, browsers)


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        ("/script-without-end", {}, r"(its scripts do not come to rest|is not loaded) within render.timeout_s \(1\)"),
        (
            "/script-that-adds-for-ever",
            {"timeout_s": 4},
            r"its scripts do not come to rest within render.timeout_s \(4\)",
        ),
        (
            "/script-that-fails",
            {"wait_for": "#rows li", "timeout_s": 4},
            r"script-that-fails: render.wait_for: '#rows li' matches nothing within render.timeout_s \(4\) "
            r"\(a script of it failed: 'undefinedFunction is not defined'\); correct the selector, or raise timeout_s",
        ),
        (
            "/script-without-end",
            {"wait_for": "//table//tr", "timeout_s": 4},
            r"render.wait_for: '//table//tr' matches nothing within render.timeout_s \(4\); correct",
        ),
        (
            "/script-that-makes-much",
            {"timeout_s": 10},
            r"the page that its scripts made is larger than requests.max_body_bytes \(1,000,000\)",
        ),
    ],
)
async def test_a_page_that_does_not_come_to_an_end_is_one_error(
    site: Site, tmp_path: Path, browsers: Browsers, path: str, changes: dict[str, Any], said: str
) -> None:
    """It ends soon after the time that it may take, and the browser goes on."""
    render = {"timeout_s": 1, **changes}
    source = pages(site, path, render=render, requests=QUICK | {"max_body_bytes": 1_000_000})
    since = time.monotonic()

    with pytest.raises(SourceError, match=said):
        await land_rendered(source, tmp_path, browsers)
    assert time.monotonic() - since < 20  # of the 30 s that a page may take else


async def test_only_what_a_page_is_made_of_is_asked_for(
    site: Site, other_site: Site, tmp_path: Path, browsers: Browsers
) -> None:
    """No pictures, beacons, sockets, frames, changes or other hosts; what is asked again and again is not waited for."""
    site.redirect_to = other_site.url
    source = pages(site, "/greedy", render=True, auth={"kind": "bearer", "token": {"env": "TOKEN"}}, follow=None)

    landed = await land_rendered(source, tmp_path, browsers, {"token": "SECRET"})

    assert await asyncio.to_thread(read_rows, landed.path) == [{"name": "late"}]
    assert set(site.paths) == {"/greedy", "/style.css", "/news"}
    assert other_site.paths == []
    assert {seen.headers["authorization"] for seen in site.seen} == {"Bearer SECRET"}
    assert {seen.headers.get("cookie") for seen in site.seen} == {None, "theirs=1"}
    assert {seen.headers["user-agent"].partition("/")[0] for seen in site.seen} == {"tidemill"}


async def test_a_page_that_leads_elsewhere_is_a_reject(
    site: Site, other_site: Site, tmp_path: Path, browsers: Browsers
) -> None:
    """Nothing is asked of the other host, whether a redirect or a script leads there; to its own host a script may lead."""
    path, elsewhere = "/script-that-leads-on?to=", f"{other_site.url}/page-3"
    redirected = f"/page-that-redirects?to={elsewhere}"
    source = pages(site, f"{path}{elsewhere}", redirected, f"{path}page-3", render=True)

    landed = await land_rendered(source, tmp_path, browsers)

    *rejects, row, empty = await asyncio.to_thread(read_rows, landed.path)
    host = other_site.url.split("/")[2]
    said = f"this page leads on to another host; add {host} to allow_hosts to follow it"
    assert [reject["$reject"] for reject in rejects] == [said] * 2
    assert [row, empty] == [{"name": "d"}, {"name": None}]
    assert other_site.paths == []


async def test_links_are_relative_to_the_address_that_a_script_gave(
    site: Site, tmp_path: Path, browsers: Browsers
) -> None:
    """As the browser itself would follow them."""
    landed = await land_rendered(pages(site, "/script-that-renames", render=True), tmp_path, browsers)

    assert await asyncio.to_thread(read_rows, landed.path) == [{"name": "a"}, {"name": "d"}, {"name": None}]


async def test_few_pages_are_open_at_once(browsers: Browsers) -> None:
    """The next is opened when one of them is closed."""
    render, opened = Render(at_once=2), list[int]()

    async def open_one(number: int) -> None:
        async with browsers.open_context(render):
            opened.append(number)
            await asyncio.sleep(0.2)
            opened.append(number)

    await asyncio.gather(*map(open_one, range(3)))
    assert len(set(opened[:3])) == 2


@pytest.mark.parametrize(
    ("render", "said"),
    [
        ({}, "render: none of chromium, chromium-browser, .* is on PATH; install one, as by apt install chromium, or"),
        ({"browser": "no-such"}, "render.browser: 'no-such' is no program, and none on PATH; correct it, or take it"),
        (
            {"browser": "/bin/false"},
            "the browser /bin/false does not start .*; see that it does by /bin/false --headless",
        ),
    ],
)
async def test_a_browser_that_is_not_there_is_one_error(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, render: dict[str, Any], said: str
) -> None:
    """It says what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for browser in render.values():
        trust("browser", browser)
    source = pages(site, "/page-3", render=render)

    async with open_browsers() as own:
        with pytest.raises(PermanentSourceError, match=said):
            await land_rendered(source, tmp_path / "raw", own)


async def test_a_look_at_one_page_opens_the_browser(site: Site) -> None:
    """The preview shows rows that scripts make; one request alone, as of check --ask, shows none, and says so."""
    source = pages(site, "/scripted/posted/3", **WAITING)

    rows = await fetch_first_page(source, WARNED.append)
    look = await look_at(source, WARNED.append)

    assert [json.loads(row) for row in rows] == ROWS[-2:]
    assert (look.rows, look.mistake) == ("a page whose rows its scripts make: preview --ask shows them", "")
