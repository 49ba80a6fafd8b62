"""The real throttle finds what simulated servers bear, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from tasks.ingest.throttle.adaptive import AdaptiveLimit
from tasks.ingest.throttle.ceiling import CUT
from tasks.ingest.throttle.limiter import Answer, HostLimits, HostThrottle
from tests.ingest.simulation import (
    LATENCY_S,
    WARM_S,
    Crowded,
    Failing,
    FixedWindow,
    Queueing,
    RateLimited,
    Server,
    SlidingWindow,
    StrictWindow,
    TokenBucket,
    load,
    now,
)
from tests.virtual_time import run

BOUNDS = HostLimits(start=8, minimum=1, maximum=100)
CLEAN, REFUSED, STRAINED, OTHER = Answer


@pytest.mark.parametrize(("seed", "retry_after_s", "refuses_quickly"), [(1, 0, False), (2, 0, True), (3, 1, False)])
def test_as_many_at_once_as_the_host_bears(seed: int, retry_after_s: float, *, refuses_quickly: bool) -> None:
    """Against 429 above 40 in flight the throttle settles within 10 s near 40, and is hardly refused."""
    server = Crowded(seed, retry_after_s=retry_after_s, refuses_quickly=refuses_quickly)

    run(load(HostThrottle(BOUNDS), server, until_s=15))

    assert len(server.clean) > 20_000
    assert 0.85 <= server.share(WARM_S, 15) <= 1.02
    assert server.refused_share() <= 0.01


@pytest.mark.parametrize("retry_after_s", [0.0, 1.0], ids=["", "retry-after"])
@pytest.mark.parametrize("kind", [SlidingWindow, StrictWindow, FixedWindow, TokenBucket])
@pytest.mark.parametrize("seed", [1, 2])
def test_as_many_a_second_as_the_host_allows(seed: int, kind: type[RateLimited], retry_after_s: float) -> None:
    """Against 429 above 200 a second the throttle settles within 10 s near 200, and is hardly refused, however the host counts."""
    server = kind(seed, retry_after_s=retry_after_s, refuses_quickly=seed == 1)

    run(load(HostThrottle(BOUNDS), server, until_s=20))

    assert server.share(WARM_S, 20) >= 0.85
    assert server.refused_share(WARM_S) <= 0.02
    assert server.refused_share() <= 0.05


def test_a_host_that_got_faster_is_found() -> None:
    """A host that bears five times as much after a while is found out within 16 s."""
    host, server = HostThrottle(BOUNDS), Crowded(seed=1)
    server.at_once, server.latency_s = 8, 2 * LATENCY_S

    async def grow() -> None:
        await asyncio.sleep(16)
        server.at_once = 40

    run(load(host, server, 34, grow()))

    assert server.per_s(WARM_S, 16) >= 0.85 * 8 / server.latency_s
    assert server.per_s(32, 34) >= 0.8 * 40 / server.latency_s
    assert server.refused_share() <= 0.01


def test_a_host_that_got_slower_is_found() -> None:
    """A host that allows a fifth after a while is asked so much before long."""
    host, server = HostThrottle(BOUNDS), SlidingWindow(seed=1)

    async def shrink() -> None:
        await asyncio.sleep(16)
        server.allowed = 40

    run(load(host, server, 40, shrink()))

    assert server.share(26, 40) >= 0.75
    assert server.refused_share(26) <= 0.05


@pytest.mark.parametrize("seed", [1, 2])
def test_failures_by_accident_do_not_lower_the_limit(seed: int) -> None:
    """A host that fails 4 % of its answers at random is asked as much at once as the bounds allow."""
    host, server = HostThrottle(HostLimits(8, 1, 24)), Server(seed)
    server.failing = 0.04

    run(load(host, server, until_s=9))

    assert len(server.clean) > 10_000
    assert host.limit == 24


def test_failures_that_are_no_matter_of_load_do_not_lower_the_limit_for_long() -> None:
    """A host that fails three answers in ten however little it is asked is not slowed to a crawl."""
    host, server = HostThrottle(HostLimits(8, 1, 24)), Server(seed=1)
    server.failing = 0.3

    run(load(host, server, until_s=20))

    assert server.per_s(3, 6) >= 0.6 * 0.7 * 24 / LATENCY_S
    assert server.per_s(6, 20) >= 0.95 * 0.7 * 24 / LATENCY_S


@pytest.mark.parametrize("start", [1, 8, 100])
def test_a_host_that_is_down_is_asked_less(start: int) -> None:
    """A host all of whose answers fail is soon asked one at a time."""
    host, server = HostThrottle(HostLimits(start, 1, 100)), Server(seed=1)
    server.failing = 1.0

    run(load(host, server, until_s=10))

    assert host.limit <= 1


@pytest.mark.parametrize("seed", [1, 2])
def test_a_queue_at_the_host_stays_short(seed: int) -> None:
    """A host that serves 10 at once and lets the others wait is kept busy with a few times 10 at most."""
    host, server = HostThrottle(BOUNDS), Queueing(seed)
    limits = []

    async def look() -> None:
        for _ in range(20):
            await asyncio.sleep(1)
            limits.append(host.limit)

    run(load(host, server, 20, look()))

    assert len(server.clean) > 9_000
    assert server.share(2, 20) >= 0.97
    assert 10 <= min(limits) <= max(limits) <= 40


def test_a_host_that_answers_later_for_another_reason_is_asked_on() -> None:
    """Latency that rises whatever the limit is does not lower it for long."""
    host, server = HostThrottle(HostLimits(8, 1, 40)), Server(seed=1)

    async def slow_down() -> None:
        await asyncio.sleep(2)
        server.latency_s = 5 * LATENCY_S

    run(load(host, server, 10, slow_down()))

    assert host.limit == 40
    assert server.per_s(6, 10) >= 0.95 * 40 / server.latency_s


def test_hosts_are_independent() -> None:
    """A host that refuses and pauses does not slow another."""
    strict, free = StrictWindow(seed=1, retry_after_s=1), Server(seed=2)
    alone = Server(seed=2)
    bounds = HostLimits(8, 1, 10)

    async def both() -> None:
        await asyncio.gather(load(HostThrottle(BOUNDS), strict, 5), load(HostThrottle(bounds), free, 5))

    run(both())
    run(load(HostThrottle(bounds), alone, 5))

    assert strict.refused
    assert len(free.clean) == pytest.approx(len(alone.clean), rel=0.01)


def test_a_pause_is_shared() -> None:
    """While the host wants to be left alone no client asks it."""
    host, server = HostThrottle(HostLimits(8, 1, 10)), Server(seed=1)

    async def pause() -> None:
        await asyncio.sleep(1)
        host.pause(3)

    run(load(host, server, 6, pause()))

    assert server.per_s(1.1, 4) == 0
    assert server.per_s(4.1, 6) > 0.95 * 10 / LATENCY_S
    assert (host.pauses, host.paused_s) == (1, 3)


def test_a_host_that_is_asked_little_keeps_its_limit() -> None:
    """The limit rises only where it is what holds requests back."""
    host, server = HostThrottle(BOUNDS), Server(seed=1)

    async def ask_two_at_a_time() -> None:
        for _ in range(100):
            entered = [await host.acquire(1), await host.acquire(1)]
            sent_at = now()
            await asyncio.gather(server.answer(), server.answer())
            for _ in entered:
                host.release(sent_at, CLEAN)

    run(ask_two_at_a_time())

    assert host.limit == 8


def answered(limit: AdaptiveLimit, answer: Answer, at: float, latency_s: float = 1.0, times: int = 1) -> None:
    """Let requests end at a moment, with the limit in use."""
    for _ in range(times):
        limit.answered(at, at - latency_s, answer, int(limit.limit), is_used=True)


@pytest.mark.parametrize(
    ("bounds", "limit"),
    [(HostLimits(8, 1, 100), 8), (HostLimits(8, 1, 4), 4), (HostLimits(1, 2, 4), 2)],
)
def test_the_limit_begins_at_start_within_its_bounds(bounds: HostLimits, limit: int) -> None:
    """What the pipeline file says is begun with, as far as minimum and maximum allow."""
    assert AdaptiveLimit(bounds).limit == limit


def test_the_limit_rises_by_one_with_each_answer_before_the_first_trouble() -> None:
    """Until then nothing is spaced."""
    limit = AdaptiveLimit(BOUNDS)

    answered(limit, CLEAN, at=1, times=5)

    assert (limit.limit, limit.window, limit.spacing_s) == (13, 13, 0)


def test_a_round_trip_of_refusals_is_one_cut() -> None:
    """What was sent before the cut does not cut again."""
    limit = AdaptiveLimit(HostLimits(64, 1, 100))

    answered(limit, REFUSED, at=1, times=64)

    assert limit.limit == pytest.approx(64 / 2 * CUT)


def test_refusals_without_an_answer_between_hold_everybody_back_for_longer_and_longer() -> None:
    """After a cut, a request refused holds the others back for 0.1 s, then half as long again, up to a second."""
    limit = AdaptiveLimit(BOUNDS)
    answered(limit, CLEAN, at=0.5, latency_s=0.01)

    held_s = []
    for at in range(1, 11):
        answered(limit, REFUSED, at=at, latency_s=0.01)
        held_s.append(limit.held_until - at)

    assert held_s == pytest.approx([0.01] + [min(1, 0.1 * 1.5**number) for number in range(9)])
    assert limit.window == 1


def test_the_limit_keeps_to_its_minimum() -> None:
    """A minimum above 1 is kept whatever the host says."""
    limit = AdaptiveLimit(HostLimits(8, 4, 100))

    for at in range(1, 20):
        answered(limit, CLEAN, at=at - 0.5, latency_s=0.1)
        answered(limit, REFUSED, at=at, latency_s=0.1)

    assert limit.limit == 4


def test_a_minimum_of_one_lets_the_limit_fall_to_fractions() -> None:
    """A host that allows less than one after the other is asked with pauses between."""
    limit = AdaptiveLimit(HostLimits(1, 1, 100))

    for at in range(1, 20):
        answered(limit, CLEAN, at=at - 0.5, latency_s=0.1)
        answered(limit, REFUSED, at=at, latency_s=0.1)

    assert limit.limit < 1
    assert limit.spacing_s == pytest.approx(0.1 / limit.limit)


def test_what_tells_nothing_changes_nothing() -> None:
    """A 404 is no sign of strength, and none of weakness."""
    limit = AdaptiveLimit(BOUNDS)

    answered(limit, OTHER, at=1, times=100)

    assert limit.limit == 8


def test_failures_in_a_row_lower_the_limit() -> None:
    """A few failures without an answer between are accident; the more there are, the lower is the limit."""
    limit = AdaptiveLimit(BOUNDS)

    answered(limit, STRAINED, at=1, times=6)
    assert limit.limit == 8

    limits = []
    for at in range(2, 12):
        answered(limit, STRAINED, at=at, latency_s=0.5, times=20)
        limits.append(limit.limit)

    assert limits == sorted(limits, reverse=True)
    assert limits[0] < 8
    assert limits[-1] < 1


@pytest.mark.parametrize("at_once", [10, 40])
@pytest.mark.parametrize("start", [1, 8, 100])
def test_a_host_that_fails_what_is_too_much_is_asked_what_it_bears(start: int, at_once: int) -> None:
    """A host that answers 503 to what is more than it serves at once is kept busy, and seldom asked for more."""
    server = Failing(seed=1)
    server.at_once = at_once

    run(load(HostThrottle(HostLimits(start, 1, 100)), server, until_s=20))

    assert server.share(WARM_S, 20) >= 0.95
    assert server.refused_share(WARM_S) <= 0.1
