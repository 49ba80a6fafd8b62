"""robots.txt: which pages it keeps us from, how fast it lets us be, and what follows where there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from deployments.sample.server import HOST, listen
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.scraping.robots import Robots
from tests.hosting import hosting
from tests.ingest.fetching import crawl_from, crawl_names, crawl_rows, open_fetch, open_throttle, pages
from tests.ingest.sources import land_one
from tests.site.server import Site

OBEY: dict[str, Any] = {"robots": "obey"}
LATE_S = 0.05


class Host:
    """A host with one site at its root, and a robots.txt."""

    def __init__(self, port: int) -> None:
        self.site = Site(f"http://{HOST}:{port}")
        self.robots: Response = PlainTextResponse("no such thing", 404)
        self.asked = 0

    def say(self, *lines: str) -> None:
        """Let robots.txt have these lines."""
        self.robots = PlainTextResponse("\n".join(lines))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with robots.txt, in its time, or let the site answer."""
        if scope["path"] != "/robots.txt":
            return await self.site(scope, receive, send)
        self.asked += 1
        await asyncio.sleep(LATE_S)
        return await self.robots(scope, receive, send)


class Server:
    """A server whose host is another for each test."""

    def __init__(self) -> None:
        self._listener = listen(0)
        self.host = self.renew()

    def renew(self) -> Host:
        """Return a fresh host, in the place of the one before."""
        self.host = Host(self._listener.getsockname()[1])
        return self.host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the host answer."""
        await self.host(scope, receive, send)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Serve while the block runs."""
        with hosting(self, self._listener):
            yield self


@pytest.fixture(scope="module")
def _server() -> Iterator[Server]:
    """Yield the first server: to start and to stop one takes longer than most tests."""
    with Server().serving() as server:
        yield server


@pytest.fixture(scope="module")
def _other_server() -> Iterator[Server]:
    """Yield the second server."""
    with Server().serving() as server:
        yield server


@pytest.fixture
def host(_server: Server) -> Host:
    """Return a fresh host."""
    return _server.renew()


@pytest.fixture
def other_host(_other_server: Server) -> Host:
    """Return another fresh host."""
    return _other_server.renew()


async def test_a_link_that_is_disallowed_is_a_reject(host: Host) -> None:
    """It is not fetched; the others are."""
    host.say("User-agent: *", "Disallow: /page-3")

    rows = await crawl_rows(pages(host.site, "/page-2", "/page-1", **OBEY))

    assert rows == [
        {"name": "c"},
        {"name": "a"},
        {"name": "b"},
        {"$reject": "robots.txt disallows this page", "url": f"{host.site.url}/page-3"},
    ]
    assert sorted(host.site.paths) == ["/page-1", "/page-2"]


async def test_a_start_page_that_is_disallowed_is_one_error(host: Host) -> None:
    """The sentence has the address of robots.txt, and the cure."""
    host.say("User-agent: tidemill", "Disallow: /page", "Allow: /page-1$")

    with pytest.raises(
        PermanentSourceError, match=r"GET .*/page-2: .*[0-9]/robots.txt disallows this page; choose .* robots: ignore"
    ):
        await crawl_from(pages(host.site, "/page-2", **OBEY))

    assert await crawl_names(pages(host.site, "/page-1", follow=None, **OBEY)) == ["a", "b"]


async def test_robots_may_be_ignored(host: Host) -> None:
    """Then robots.txt is not even asked for."""
    host.say("User-agent: *", "Disallow: /", "Crawl-delay: 10")

    assert await crawl_names(pages(host.site, "/page-2")) == ["c", "d", None]
    assert host.asked == 0


async def test_robots_is_read_once_a_host(host: Host, other_host: Host) -> None:
    """However many pages wait for it, each host's is asked for once."""
    throttle = open_throttle()
    robots = Robots(throttle)
    host.say("User-agent: *", "Disallow: /b")
    paths = ("/a", "/b", "/c?d", "/robots.txt")
    urls = [httpx.URL(f"{one.site.url}{path}") for one in (host, other_host) for path in paths]

    async with open_fetch(throttle) as fetch:
        allowed = await asyncio.gather(*(robots.allows(url, fetch) for url in urls))

    assert allowed == [True, False, True, True, *[True] * 4]
    assert (host.asked, other_host.asked) == (1, 1)


@pytest.mark.parametrize("line", ["Crawl-delay: 0.2", "Request-rate: 10/2"])
async def test_a_host_is_asked_as_slowly_as_it_wants(host: Host, line: str) -> None:
    """Pages that could be fetched side by side come one by one."""
    host.say("User-agent: *", line)
    paths = [f"/late/{number}" for number in range(4)]
    begun = time.monotonic()

    names = await crawl_names(pages(host.site, *paths, **OBEY))

    assert names == ["0", "1", "2", "3"]
    assert time.monotonic() - begun > 3 * 0.2  # a busy machine may have each come late, and none sooner


async def test_a_run_that_shares_a_host_asks_it_so_much_more_slowly(host: Host) -> None:
    """As all of them together are to keep to the delay."""
    throttle = open_throttle()
    host.say("User-agent: *", "Crawl-delay: 0.1")
    source = pages(host.site, "/page-1", follow=None, requests={"share": "1/4"}, **OBEY)

    groups = await crawl_from(source, throttle=throttle)

    assert groups
    assert throttle.host(httpx.URL(host.site.url).netloc.decode())._spacing_s == pytest.approx(0.4)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_without_robots_everything_is_allowed(host: Host, status: int) -> None:
    """A host that has none, or does not show it, asks for nothing."""
    host.robots = PlainTextResponse("User-agent: *\nDisallow: /", status)

    assert await crawl_names(pages(host.site, "/page-2", **OBEY)) == ["c", "d", None]


async def test_robots_that_cannot_be_read_are_an_error_that_may_pass(host: Host) -> None:
    """No page is fetched before it is known what is allowed; those who waited share the error, later ones ask anew."""
    throttle = open_throttle()
    robots = Robots(throttle)
    urls = [httpx.URL(f"{host.site.url}/page-{number}") for number in (1, 2, 3)]
    host.robots = PlainTextResponse("not now", 503)

    async with open_fetch(throttle) as fetch:
        failures = await asyncio.gather(*(robots.allows(url, fetch) for url in urls), return_exceptions=True)
        asked = host.asked
        host.say("User-agent: *", "Disallow: /page-1")
        later = [await robots.allows(url, fetch) for url in urls]

    assert {str(failure) for failure in failures} == {
        f"GET {host.site.url}/robots.txt was refused with 503; until its robots.txt is known, "
        "no page of the host is fetched: try again later, or set robots: ignore if you have leave to"
    }
    assert {type(failure) for failure in failures} == {SourceError}
    assert (asked, later) == (1, [False, True, True])


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        (b"\xef\xbb\xbfUser-agent: *\nDisallow: /page", False),  # a byte order mark is no part of the first line
        (b"User-agent: *\n# \xff\xfe\nDisallow: /page", False),
        (b"User-agent: *\r\nDisallow: /\r\nAllow: /page*$", True),
        (b"User-agent: other\nDisallow: /", True),
        (b"User-agent: other\nDisallow:\nUser-agent: Tidemill\nDisallow: /", False),
        (b"User-agent: tidemill/0.1.0\nDisallow: /", False),  # our own User-Agent header, as some write it
        (b"User-agent: other\nUser-agent: TideMill/2 (+http://x)\r\nDisallow: /", False),
        (b"User-agent: tidemill 0.1 # us\nDisallow: /page-1\n\nUser-agent: *\nAllow: /", False),
        (b"User-agent: tidemill/0.1.0\nAllow: /\n\nUser-agent: *\nDisallow: /", True),
        (b"User-agent: tidemill-news\nDisallow: /", True),
        (b"User-agent: tidemills\nDisallow: /", True),
        (b"<html><p>Disallow: nothing</p>", True),
        (b"", True),
        (b"User-agent: *\nDisallow: /x\n" + b"#" * 600 * 1024 + b"\nDisallow: /", True),
        (b"User-agent: *\n" + b"#" * (500 * 1024 - 26) + b"\nDisallow: /elsewhere", True),  # cut after the first /
    ],
)
async def test_robots_are_read_as_they_are_found(host: Host, body: bytes, allowed: bool) -> None:
    """Marks, stray bytes and other robots' rules do no harm, and what is too long is read to the last whole line."""
    host.robots = Response(body, media_type="text/plain")
    throttle = open_throttle()

    async with open_fetch(throttle) as fetch:
        assert await Robots(throttle).allows(httpx.URL(f"{host.site.url}/page-1"), fetch) == allowed


@pytest.mark.parametrize("line", ["Crawl-delay: 86400", "Request-rate: 1/86400"])
async def test_a_delay_without_measure_is_refused(host: Host, line: str) -> None:
    """No page is fetched; the sentence has what is asked for, the limit and the cures."""
    host.say("User-agent: *", line)

    with pytest.raises(
        PermanentSourceError,
        match=r"/robots.txt: asks for 86,400 s between two requests, more than max_crawl_delay_s \(60\); raise it",
    ):
        await crawl_from(pages(host.site, "/page-2", **OBEY))

    assert host.site.paths == []


async def test_the_limit_of_the_delay_can_be_set(host: Host) -> None:
    """A source that may wait so long does, and one that may not is refused, though both read the same robots.txt."""
    throttle, warned = open_throttle(), list[str]()
    robots = Robots(throttle, warned.append)
    host.say("User-agent: *", "Crawl-delay: 70")
    url = httpx.URL(f"{host.site.url}/page-1")

    async with open_fetch(throttle) as fetch:
        with pytest.raises(PermanentSourceError, match="max_crawl_delay_s"):
            await robots.allows(url, fetch, 60.0)
        allowed = await robots.allows(url, fetch, 80.0)

    assert (allowed, host.asked) == (True, 1)
    assert warned == [f"GET {host.site.url}/robots.txt: asks for 70 s between two requests of the host"]


@pytest.mark.parametrize(
    "line", ["Crawl-delay: nan", "Crawl-delay: inf", "Crawl-delay: -1", "Crawl-delay: soon", "Request-rate: 0/5"]
)
async def test_a_delay_that_is_none_is_passed_over(host: Host, line: str) -> None:
    """What is no number of seconds asks for nothing."""
    host.say("User-agent: *", line)

    assert await crawl_names(pages(host.site, "/page-2", **OBEY)) == ["c", "d", None]


async def test_a_robots_txt_that_redirects_elsewhere_is_an_error(host: Host, other_host: Host, tmp_path: Path) -> None:
    """Nothing is asked there, and no page is fetched as if there were no rules."""
    host.robots = RedirectResponse(f"{other_host.site.url}/robots.txt")

    with pytest.raises(
        PermanentSourceError, match=r"robots.txt: the redirect to .* allow_hosts .*, or set robots: ignore"
    ):
        await land_one(pages(host.site, "/page-2", **OBEY), tmp_path)

    assert (host.site.seen, host.asked, other_host.asked) == ([], 1, 0)
