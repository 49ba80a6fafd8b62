"""robots.txt (RFC 9309): which pages of a host may be fetched, and how fast; read once a host and run."""

from __future__ import annotations

import asyncio
import math
import re
from collections import defaultdict
from fractions import Fraction

import httpx
from protego import Protego

from tasks.core.errors import OtherHostError, PermanentSourceError, SourceError
from tasks.ingest.http.requests import Fetch, PageRequest
from tasks.ingest.http.retries import Warn
from tasks.ingest.throttle.limiter import Throttle

ROBOT = "tidemill"
"""The name by which a robots.txt may address us."""
_READ_BYTES = 500 * 1024  # RFC 9309 asks for at least so much
_OUR_GROUP = re.compile(
    rf"^([ \t]*+user-agent[ \t]*+:[ \t]*+{ROBOT})(?![a-z_-])[^#\r\n]*", re.IGNORECASE | re.MULTILINE
)
"""Names us also with a version or a comment, which Protego takes for the name of another robot."""
_WARN_FROM_S = 5.0  # a shorter delay is nothing to tell of
NO_RULES = frozenset(range(400, 500))
"""Statuses with which there is no robots.txt, so that everything is allowed (RFC 9309)."""


def robots_address(url: httpx.URL) -> httpx.URL:
    """Return the address of the robots.txt that an address is subject to."""
    return url.copy_with(raw_path=b"/robots.txt", fragment=None)


class Robots:
    """The robots.txt of every host of a run."""

    def __init__(self, throttle: Throttle, warn: Warn = lambda _: None) -> None:
        self._throttle = throttle
        self._warn = warn
        self._rules: dict[httpx.URL, Protego] = {}
        self._failures: dict[httpx.URL, tuple[float, SourceError]] = {}
        self._reading: defaultdict[httpx.URL, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def allows(
        self, url: httpx.URL, fetch: Fetch, max_delay_s: float = math.inf, share: Fraction = Fraction(1)
    ) -> bool:
        """Return whether the robots.txt of an address' host lets us fetch it; the host is spaced as it asks, by all runs that share it.

        Raises:
            SourceError: the robots.txt could not be read, so that it is not known what is allowed.
            PermanentSourceError: it asks for more than `max_delay_s` between two requests.

        """
        address = robots_address(url)
        if address not in self._rules:
            await self._read_once(address, fetch)
        rules = self._rules[address]
        interval_s = _interval_s(rules)
        if interval_s > max_delay_s:
            raise PermanentSourceError(
                f"GET {address}: asks for {interval_s:,g} s between two requests, more than max_crawl_delay_s "
                f"({max_delay_s:g}); raise it to wait so long, or set robots: ignore if you have leave to"
            )
        if interval_s:
            self._throttle.host(address.netloc.decode("ascii")).set_interval(interval_s / float(share))
        return rules.can_fetch(str(url), ROBOT)

    async def _read_once(self, address: httpx.URL, fetch: Fetch) -> None:
        """Read a robots.txt unless another task has meanwhile; those that waited for one share its failure."""
        now = asyncio.get_running_loop().time
        since = now()
        async with self._reading[address]:
            failed_at, failure = self._failures.get(address, (since, None))
            if failure is not None and failed_at > since:
                raise type(failure)(str(failure))
            if address not in self._rules:
                try:
                    self._rules[address] = await self._read(address, fetch)
                except SourceError as error:
                    self._failures[address] = now(), error
                    raise

    async def _read(self, address: httpx.URL, fetch: Fetch) -> Protego:
        try:
            response = await fetch(PageRequest(address, answers=NO_RULES))
        except OtherHostError as error:  # which would be a reject of the page, as if only this one were out of reach
            raise PermanentSourceError(f"{error}, or set robots: ignore if you have leave to") from error
        except PermanentSourceError:
            raise
        except SourceError as error:
            raise SourceError(
                f"{error}; until its robots.txt is known, no page of the host is fetched: "
                "try again later, or set robots: ignore if you have leave to"
            ) from error
        text = _readable(response.content) if response.is_success else ""
        rules = await asyncio.to_thread(Protego.parse, _OUR_GROUP.sub(r"\1", text))
        if (interval_s := _interval_s(rules)) >= _WARN_FROM_S:
            self._warn(f"GET {address}: asks for {interval_s:,g} s between two requests of the host")
        return rules


def _readable(body: bytes) -> str:
    """Return the text of a robots.txt, cut at the end of a line where it is too long."""
    if len(body) > _READ_BYTES:
        body = body[:_READ_BYTES].rpartition(b"\n")[0]
    return body.decode("utf-8-sig", "replace")


def _interval_s(rules: Protego) -> float:
    """Return how many seconds a host wants between two requests."""
    rate, delay_s = rules.request_rate(ROBOT), rules.crawl_delay(ROBOT) or 0.0
    per_request_s = rate.seconds / rate.requests if rate is not None and rate.requests else 0.0
    return max(per_request_s, 0.0 if math.isnan(delay_s) else delay_s)
