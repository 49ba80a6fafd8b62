"""Who enters a host's throttle, when, and in what order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import ApiSource
from tasks.ingest.http.client import _bounds
from tasks.ingest.throttle.limiter import Answer, HostLimits, HostThrottle, RetryAfterTooLongError, Throttle
from tests.virtual_time import run

CLEAN, REFUSED, OTHER = Answer.CLEAN, Answer.REFUSED, Answer.OTHER
SPAN_S = 100.0


def fixed(in_flight: int, requests_per_s: float | None = None) -> HostThrottle:
    """Return a throttle whose limit does not move."""
    return HostThrottle(HostLimits(in_flight, in_flight, in_flight, requests_per_s))


def now() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()


async def enter_at(host: HostThrottle, times: int) -> list[float]:
    """Enter so often, leaving at once; return when."""
    entered = []
    for _ in range(times):
        await host.acquire(SPAN_S)
        entered.append(now())
        host.release(now(), OTHER)
    return entered


async def test_a_pause_that_begins_in_line_is_kept() -> None:
    """A request that stood in line when the pause began waits for its end, and tells how long it stood."""
    host = fixed(1)
    await host.acquire(patience_s=5)
    waiter = asyncio.create_task(host.acquire(patience_s=5))
    await asyncio.sleep(0.1)
    host.pause(0.2)
    paused_at = now()
    host.release(now(), CLEAN)
    stood_s = await waiter

    assert 0.2 <= now() - paused_at < 2
    assert 0.09 <= stood_s < 0.2


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """Of several pauses the one that ends last counts."""
    host = fixed(1)
    host.pause(60)
    host.pause(1)

    with pytest.raises(RetryAfterTooLongError, match="60 s"):
        await host.acquire(patience_s=30)
    assert (host.pauses, round(host.paused_s), host.in_flight, host.waiting) == (1, 60, 0, 0)


async def test_a_host_that_no_source_names_has_the_default_bound() -> None:
    """A host that is met only by a link has the default bound, and keeps its throttle."""
    throttle = Throttle({"a": HostLimits(1, 1, 1)}, default=HostLimits(2, 2, 2))

    assert throttle.host("b") is throttle.host("b")
    assert (throttle.host("a").limit, throttle.host("b").limit) == (1, 2)


async def test_no_more_enter_than_their_bodies_have_room() -> None:
    """A large body lets fewer in; small ones after it let more in again, and one always may enter."""
    host = HostThrottle(HostLimits(4, 4, 4, body_bytes=100))
    entered = []
    for body_bytes, times in ((20, 1), (40, 1), (1000, 1), (1, 300)):
        for _ in range(times):
            await host.acquire(1)
            host.release(now(), OTHER, body_bytes)
        waiters = [asyncio.create_task(host.acquire(1)) for _ in range(4)]
        await asyncio.sleep(0)
        entered.append(host.in_flight)
        for _ in waiters:
            host.release(now(), OTHER, body_bytes)
            await asyncio.sleep(0)
        await asyncio.gather(*waiters)

    assert entered == [4, 2, 1, 4]


async def test_no_more_enter_than_the_limit() -> None:
    """Who comes when all places are taken stands in line until one is free."""
    host = fixed(2)
    assert [await host.acquire(1), await host.acquire(1)] == [0, 0]
    waiter = asyncio.create_task(host.acquire(1))
    await asyncio.sleep(0)

    assert (waiter.done(), host.in_flight, host.waiting) == (False, 2, 1)

    host.release(now(), CLEAN)
    assert await waiter < 1
    assert (host.in_flight, host.waiting) == (2, 0)


async def test_a_rate_spaces_requests_evenly() -> None:
    """200 requests a second come 5 ms after one another, on a real clock too."""
    entered = await enter_at(fixed(100, requests_per_s=200), 41)

    assert 0.185 <= entered[-1] - entered[0] < 2


@pytest.mark.parametrize(
    ("make", "spacing_s"),
    [
        (lambda: fixed(9, requests_per_s=2), 0.5),
        (lambda: spaced(fixed(9), 3), 3.0),
        (lambda: spaced(fixed(9, requests_per_s=2), 3, 0.1), 3.0),
        (lambda: spaced(fixed(9, requests_per_s=2), 0.1), 0.5),
    ],
    ids=["rate", "interval", "interval above the rate's", "interval below the rate's"],
)
def test_the_largest_spacing_counts(make: Callable[[], HostThrottle], spacing_s: float) -> None:
    """Of the rate in the pipeline file and the intervals that a host asks for, the strictest is kept."""
    entered = run(enter_at(make(), 4))

    assert entered == pytest.approx([number * spacing_s for number in range(4)], abs=0.011)


def spaced(host: HostThrottle, *intervals_s: float) -> HostThrottle:
    """Return a throttle with intervals."""
    for interval_s in intervals_s:
        host.set_interval(interval_s)
    return host


def test_a_rest_is_no_credit() -> None:
    """After a rest requests are spaced as before: no burst makes up for it."""

    async def rest() -> list[float]:
        host = fixed(9, requests_per_s=10)
        await enter_at(host, 2)
        await asyncio.sleep(5)
        return await enter_at(host, 4)

    entered = run(rest())

    assert [later - before for before, later in pairwise(entered)] == pytest.approx([0.1, 0.1, 0.1], abs=0.011)


def test_pauses_are_counted_and_not_stood_in_line() -> None:
    """Pauses that overlap are one; the seconds that enter returns are those without them."""

    async def stand() -> tuple[float, float, HostThrottle]:
        host = fixed(1)
        await host.acquire(SPAN_S)
        waiter = asyncio.create_task(host.acquire(SPAN_S))
        await asyncio.sleep(1)
        host.pause(2)
        await asyncio.sleep(1)
        host.pause(4)  # in all from 1 s to 6 s
        await asyncio.sleep(5)
        host.release(0, CLEAN)
        stood_s = await waiter
        host.pause(3)
        return stood_s, now(), host

    stood_s, at, host = run(stand())

    assert (stood_s, at, host.pauses, host.paused_s) == pytest.approx((2, 7, 2, 8))


def test_a_pause_that_is_too_long_ends_the_wait_of_those_in_line() -> None:
    """Who has not the patience for a pause that begins is told at once; the others wait for its end."""

    async def stand() -> tuple[list[float | BaseException], float, HostThrottle]:
        host = fixed(1)
        await host.acquire(SPAN_S)
        waiters = [asyncio.create_task(host.acquire(patience_s)) for patience_s in (5, 20)]
        await asyncio.sleep(1)
        host.pause(10)
        host.release(0, CLEAN)
        ends = await asyncio.gather(*waiters, return_exceptions=True)
        return ends, now(), host

    (impatient, patient), at, host = run(stand())

    assert isinstance(impatient, RetryAfterTooLongError)
    assert impatient.pause_s == 10
    assert (patient, at, host.in_flight, host.waiting) == (1, 11, 1, 0)


def test_a_pause_that_begins_when_one_was_let_in_sends_it_back() -> None:
    """Between being let in and being sent a request may still be held up, and keeps its place."""

    async def stand() -> tuple[list[int], float]:
        host, order = fixed(2), list[int]()

        async def enter(number: int) -> None:
            await host.acquire(SPAN_S)
            order.append(number)
            host.release(now(), CLEAN)

        await host.acquire(SPAN_S)
        await host.acquire(SPAN_S)
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(enter(number))
            await asyncio.sleep(0)
            host.release(0, CLEAN)
            host.release(0, CLEAN)
            host.pause(3)
        return order, now()

    assert run(stand()) == ([0, 1, 2, 3], 3)


def test_a_wait_that_ends_in_the_instant_it_is_over_hands_its_place_on() -> None:
    """A request that is cancelled after it was let in leaves its place to the next."""

    async def cancel() -> tuple[bool, int, int]:
        host = fixed(1)
        await host.acquire(SPAN_S)
        first, second = asyncio.create_task(host.acquire(SPAN_S)), asyncio.create_task(host.acquire(SPAN_S))
        await asyncio.sleep(0)
        host.release(0, CLEAN)
        first.cancel()
        await second
        return first.cancelled(), host.in_flight, host.waiting

    assert run(cancel()) == (True, 1, 0)


def test_a_refusal_lets_the_others_wait_a_round_trip() -> None:
    """After the first refusal nobody enters until what is in flight has come back."""

    async def refuse() -> float:
        host = HostThrottle(HostLimits(1, 1, 8))
        await host.acquire(SPAN_S)
        await asyncio.sleep(0.5)
        host.release(0, CLEAN)
        await host.acquire(SPAN_S)
        await asyncio.sleep(0.5)
        host.release(0.5, REFUSED)
        return await host.acquire(SPAN_S)

    assert run(refuse()) == pytest.approx(0.5, abs=0.02)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sampled_from([0.5, 5.0, SPAN_S])),
        st.tuples(st.just("leave"), st.sampled_from(Answer)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("pause"), st.floats(0, 10)),
        st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.0, 0.01, 0.3])),
    ),
    max_size=60,
)


class Crowd:
    """Requests that come, go, and give up."""

    def __init__(self, bounds: HostLimits) -> None:
        self.maximum = bounds.maximum
        self.host = HostThrottle(bounds)
        self.tasks: list[asyncio.Task[None]] = []
        self.inside: list[float] = []
        self.order: list[int] = []

    async def request(self, number: int, patience_s: float) -> None:
        """Enter, and stay."""
        try:
            await self.host.acquire(patience_s)
        except RetryAfterTooLongError:
            return
        self.order.append(number)
        self.inside.append(now())
        assert len(self.inside) <= self.host.in_flight <= self.maximum

    async def act(self, action: str, value: object) -> None:
        """Do one thing."""
        match action, value:
            case "enter", float(patience_s):
                self.tasks.append(asyncio.create_task(self.request(len(self.tasks), patience_s)))
            case "leave", Answer() as answer:
                if self.inside:
                    self.host.release(self.inside.pop(), answer)
            case "cancel", int(number):
                if self.tasks:
                    self.tasks[number % len(self.tasks)].cancel()
            case "pause", float(seconds):
                self.host.pause(seconds)
            case "sleep", float(seconds):
                await asyncio.sleep(seconds)

    async def go_home(self) -> None:
        """Leave, one after the other, until nobody is there."""
        while self.inside or not all(task.done() for task in self.tasks):
            await self.act("leave", CLEAN)
            await asyncio.sleep(0.01)


@settings(max_examples=150)
@given(
    actions=ACTIONS,
    bounds=st.builds(
        HostLimits, st.integers(1, 4), st.integers(1, 3), st.integers(3, 5), st.sampled_from([None, 0.5, 20.0])
    ),
)
def test_no_place_is_lost_and_none_given_twice(actions: list[tuple[str, object]], bounds: HostLimits) -> None:
    """However requests enter, leave, give up and are paused, the bound is kept, all who wait get in, first come first served."""

    async def play() -> Crowd:
        crowd = Crowd(bounds)
        for action, value in actions:
            await crowd.act(action, value)
        await asyncio.wait_for(crowd.go_home(), timeout=600)
        await asyncio.wait_for(crowd.host.acquire(SPAN_S), timeout=SPAN_S)
        await asyncio.gather(*crowd.tasks, return_exceptions=True)
        return crowd

    crowd = run(play())

    assert (crowd.host.in_flight, crowd.host.waiting) == (1, 0)
    assert crowd.order == sorted(crowd.order)


def test_a_share_is_what_a_host_gets_of_each_of_several_runs() -> None:
    """Its bounds are those of the source, multiplied; those of memory are a run's own."""
    requests = {"start_in_flight": 8, "max_in_flight": 40, "requests_per_s": 20, "share": "1/4"}
    source = ApiSource.model_validate({"kind": "api", "url": "http://127.0.0.1/rows", "requests": requests})

    (bounds,) = _bounds([source]).values()

    assert (bounds.start, bounds.minimum, bounds.maximum, bounds.requests_per_s) == (2, 1, 10, 5.0)
    assert bounds.body_bytes == source.requests.max_in_flight_bytes
