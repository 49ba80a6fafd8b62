"""Servers that exist in virtual time only, each with another idea of what is too much, and the clients that ask them."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Coroutine
from random import Random
from typing import Any

from tasks.ingest.throttle.limiter import Answer, HostThrottle

LATENCY_S = 0.02
QUICK_S = 0.0005
WARM_S = 10.0  # by then a throttle is to have settled
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 10.0
CLIENTS = 150


def now() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()


class Server:
    """A server that takes everything, 20 ms each, more or less."""

    def __init__(self, seed: int, *, retry_after_s: float = 0.0, refuses_quickly: bool = False) -> None:
        self.random = Random(seed)
        self.retry_after_s = retry_after_s
        self.refuses_quickly = refuses_quickly
        self.latency_s = LATENCY_S
        self.failing = 0.0
        self.in_flight = 0
        self.most_in_flight = 0
        self.clean: list[float] = []
        self.refused: list[float] = []

    @property
    def capacity(self) -> float:
        """Return the requests a second that it answers at most."""
        return math.inf

    def accepts(self) -> bool:
        """Return whether a request that comes now is served."""
        return True

    def takes_s(self) -> float:
        """Return the seconds that the request takes which has just come."""
        return self.latency_s * self.random.uniform(0.7, 1.3)

    async def answer(self) -> Answer:
        """Serve a request, or refuse it."""
        takes_s = self.takes_s()
        if not self.accepts():
            await asyncio.sleep(QUICK_S if self.refuses_quickly else takes_s)
            self.refused.append(now())
            return Answer.REFUSED
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.takes_s())
        self.in_flight -= 1
        if self.random.random() < self.failing:
            return Answer.STRAINED
        self.clean.append(now())
        return Answer.CLEAN

    def share(self, since_s: float, until_s: float) -> float:
        """Return the share of its capacity that was used in a span of time."""
        return self.per_s(since_s, until_s) / self.capacity

    def per_s(self, since_s: float, until_s: float) -> float:
        """Return the clean answers a second in a span of time."""
        return sum(since_s <= at < until_s for at in self.clean) / (until_s - since_s)

    def refused_share(self, since_s: float = 0.0) -> float:
        """Return the share of refusals in all answers since a moment."""
        refused, clean = (sum(at >= since_s for at in times) for times in (self.refused, self.clean))
        return refused / (refused + clean)


class Crowded(Server):
    """Refuses what is more than `at_once`."""

    at_once = 40

    @property
    def capacity(self) -> float:
        return self.at_once / self.latency_s

    def accepts(self) -> bool:
        return self.in_flight < self.at_once


class Failing(Crowded):
    """Fails what is more than `at_once`, without a word of how long to wait."""

    async def answer(self) -> Answer:
        answer = await super().answer()
        return Answer.STRAINED if answer is Answer.REFUSED else answer


class Queueing(Server):
    """Takes everything, and the longer for what is more than `at_once`."""

    at_once = 10

    @property
    def capacity(self) -> float:
        return self.at_once / self.latency_s

    def takes_s(self) -> float:
        return super().takes_s() * max(1.0, self.in_flight / self.at_once)


class RateLimited(Server):
    """Refuses what is more than `allowed` a second."""

    allowed = 200

    @property
    def capacity(self) -> float:
        return self.allowed


class SlidingWindow(RateLimited):
    """Looks back one second from each request; those refused do not count."""

    counts_refused = False

    def __init__(self, seed: int, *, retry_after_s: float = 0.0, refuses_quickly: bool = False) -> None:
        super().__init__(seed, retry_after_s=retry_after_s, refuses_quickly=refuses_quickly)
        self.counted: deque[float] = deque()

    def accepts(self) -> bool:
        while self.counted and self.counted[0] <= now() - 1:
            self.counted.popleft()
        accepted = len(self.counted) < self.allowed
        if accepted or self.counts_refused:
            self.counted.append(now())
        return accepted


class StrictWindow(SlidingWindow):
    """A sliding window in which those refused count as well."""

    counts_refused = True


class FixedWindow(RateLimited):
    """Begins to count anew each second, somewhere within the clock's."""

    def __init__(self, seed: int, *, retry_after_s: float = 0.0, refuses_quickly: bool = False) -> None:
        super().__init__(seed, retry_after_s=retry_after_s, refuses_quickly=refuses_quickly)
        self.phase_s = self.random.random()
        self.window = -1
        self.counted = 0

    def accepts(self) -> bool:
        if (window := int(now() + self.phase_s)) != self.window:
            self.window, self.counted = window, 0
        self.counted += 1
        return self.counted <= self.allowed


class TokenBucket(RateLimited):
    """Lets a second's worth through at once after a rest."""

    def __init__(self, seed: int, *, retry_after_s: float = 0.0, refuses_quickly: bool = False) -> None:
        super().__init__(seed, retry_after_s=retry_after_s, refuses_quickly=refuses_quickly)
        self.tokens = float(self.allowed)
        self.filled_at = 0.0

    def accepts(self) -> bool:
        self.tokens = min(self.allowed, self.tokens + (now() - self.filled_at) * self.allowed)
        self.filled_at = now()
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


async def page_request(host: HostThrottle, server: Server) -> Answer:
    """Send one request through the throttle."""
    await host.acquire(patience_s=60)
    sent_at = now()
    answer = await server.answer()
    if answer is Answer.REFUSED and server.retry_after_s:
        host.pause(server.retry_after_s)
    host.release(sent_at, answer)
    return answer


async def ask_on(host: HostThrottle, server: Server, until_s: float, random: Random) -> None:
    """Send one request after the other, with back-off after a failure."""
    failed = 0
    while now() < until_s:
        failed = 0 if await page_request(host, server) is Answer.CLEAN else failed + 1
        if failed:
            await asyncio.sleep(random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (failed - 1))))


async def load(host: HostThrottle, server: Server, until_s: float, *beside: Coroutine[Any, Any, None]) -> Server:
    """Have many clients ask a server, with something else beside; return the server."""
    async with asyncio.TaskGroup() as group:
        for coroutine in beside:
            group.create_task(coroutine)
        for number in range(CLIENTS):
            group.create_task(ask_on(host, server, until_s, Random(number)))
    return server
