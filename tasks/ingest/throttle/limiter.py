"""Who may send a request now, and how many bodies may be in memory: as many as their host bears, evenly where it must be."""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from tasks.ingest.throttle.adaptive import AdaptiveLimit, Answer, HostLimits

_FADED = 0.98  # of the largest body, with each that comes: one that was large holds back the next hundred, not the run


class BodyRoom:
    """A room of so many bytes, and how many of the bodies that come would fill it; one always has place."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._largest_bytes = 1.0
        self.bodies = room_bytes
        """How many have place."""

    def add(self, body_bytes: int) -> None:
        """Learn from a body."""
        faded = self._largest_bytes * _FADED
        largest = body_bytes if body_bytes > faded else faded  # noqa: FURB136 - for each page: max() takes thrice as long
        self._largest_bytes = largest if largest > 1 else 1.0
        self.bodies = int(self._room_bytes / self._largest_bytes) or 1


__all__ = ["Answer", "HostLimits", "HostThrottle", "RetryAfterTooLongError", "Throttle"]

_USED = 0.75  # of the limit: with so many in flight it is what holds requests back
_LATE_S = 0.01  # a loop wakes up late: so much of a spacing that was missed is made up for
_TICK_S = 1e-6  # or early, by its clock's resolution
_IN = 0.0  # what a waiter is told when it may send; otherwise how long the host pauses


class RetryAfterTooLongError(Exception):
    """A host pauses for longer than a request may wait."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        super().__init__(f"{pause_s:.0f} s")


@dataclass(slots=True, order=True)
class _Waiter:
    """A request in line."""

    number: int
    patience_s: float = field(compare=False)
    granted: asyncio.Future[float] = field(compare=False)


class HostThrottle:
    """One host's requests: a limit that adapts, a spacing, one pause for all, and one line, first come first served."""

    def __init__(self, bounds: HostLimits) -> None:
        self.has_answered = False
        """Whether the host has answered anything in this run; the client says so."""
        self.in_flight = 0
        self.waiting = 0
        self.pauses = 0
        """How often the host asked to be left alone."""
        self.paused_s = 0.0
        """For how long it asked."""
        self._adaptive = AdaptiveLimit(bounds)
        self._room = BodyRoom(bounds.body_bytes)
        self._spacing_s = 1 / bounds.requests_per_s if bounds.requests_per_s else 0.0
        self._made_up_s = _LATE_S
        self._next_at = -math.inf
        self._resume_at = -math.inf
        self._line: deque[_Waiter] = deque()  # those who gave up are among them
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> float:
        """Return the requests in flight that the host seems to bear; below 1 they are spaced further than one takes."""
        return self._adaptive.limit

    @property
    def _window(self) -> int:
        """Return how many requests may be in flight: as many as the host bears, and as their bodies have room."""
        return min(self._adaptive.window, self._room.bodies)

    @property
    def pause_left_s(self) -> float:
        """Return for how many seconds the host is still to be left alone."""
        return max(0.0, self._resume_at - asyncio.get_running_loop().time())

    def outlook(self) -> tuple[float, float]:
        """Return how long, by the spacing and the pause, whoever comes now would wait, and how full the limit is."""
        opens_s = max(0.0, self._opens_at() - asyncio.get_running_loop().time())
        spacing_s = max(self._spacing_s, self._adaptive.spacing_s)
        return opens_s + self.waiting * spacing_s, (self.in_flight + self.waiting) / self._window

    async def acquire(self, patience_s: float) -> float:
        """Wait until a request may be sent, then count it as in flight: `release` must follow.

        Returns:
            The seconds stood in line, the host's pauses aside.

        Raises:
            RetryAfterTooLongError: the host pauses for more than `patience_s`.

        """
        now = asyncio.get_running_loop().time()
        if not self.waiting and self.in_flight < self._window and self._opens_at() <= now:
            self._send(now)
            return 0.0
        return await self._stand_in_line(patience_s, now)

    def release(self, entered_at: float, answer: Answer, body_bytes: int = 0) -> None:
        """Count a request as over, and learn from it.

        Args:
            entered_at: the loop's time when the request was sent.
            answer: how it went.
            body_bytes: of its answer.

        """
        self._room.add(body_bytes)
        now = asyncio.get_running_loop().time()
        adaptive = self._adaptive
        is_spaced = self.waiting > 0 and adaptive.spacing_s > self._spacing_s
        is_used = is_spaced or self.in_flight >= _USED * adaptive.window
        adaptive.answered(now, entered_at, answer, self.in_flight, is_used=is_used)
        self.in_flight -= 1
        if self.waiting:
            self._let_in(now)

    def pause(self, seconds: float) -> None:
        """Let no further request start for `seconds`; of several pauses the one that ends last counts."""
        now = asyncio.get_running_loop().time()
        until = now + seconds
        if until <= max(now, self._resume_at):
            return
        self.pauses += self._resume_at <= now
        self.paused_s += until - max(now, self._resume_at)
        self._resume_at = until
        for waiter in self._line:
            if waiter.patience_s < seconds and not waiter.granted.done():
                self._grant(waiter, seconds)

    def set_interval(self, interval_s: float) -> None:
        """Let at least so many seconds lie between two requests; the largest spacing counts."""
        if interval_s > self._spacing_s:
            self._spacing_s, self._made_up_s = interval_s, 0.0

    async def _stand_in_line(self, patience_s: float, since: float) -> float:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(next(self._numbers), patience_s, loop.create_future())
        now, paused_s = since, self._paused_until(since)
        while True:
            if (left := self._resume_at - now) > patience_s:
                raise RetryAfterTooLongError(left)
            insort(self._line, waiter, lo=self._last_place(waiter))
            self.waiting += 1
            self._let_in(now)
            await self._wait(waiter)
            now = loop.time()
            if self._resume_at <= now + _TICK_S:
                return now - since - (self._paused_until(now) - paused_s)
            waiter.granted = loop.create_future()  # a pause began since it was let in: back to its place in line
            self._give_back(now)

    def _last_place(self, waiter: _Waiter) -> int:
        """Return from which place on a waiter's may be: the last, unless it stood in line before."""
        return len(self._line) if not self._line or self._line[-1] < waiter else 0

    async def _wait(self, waiter: _Waiter) -> None:
        """Wait until a waiter is let in."""
        try:
            pause_s = await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.cancelled():
                self.waiting -= 1
            elif waiter.granted.result() == _IN:
                self._give_back(asyncio.get_running_loop().time())
            raise
        if pause_s != _IN:
            raise RetryAfterTooLongError(pause_s)

    def _give_back(self, now: float) -> None:
        self.in_flight -= 1
        self._let_in(now)

    def _grant(self, waiter: _Waiter, pause_s: float) -> None:
        self.waiting -= 1
        waiter.granted.set_result(pause_s)

    def _let_in(self, now: float) -> None:
        """Let those in, from the front of the line, who may send now; look again when the next may."""
        while self._line and self.in_flight < self._window:
            if self._line[0].granted.done():
                self._line.popleft()
                continue
            opens_at = self._opens_at()
            if now + _TICK_S < opens_at:
                self._look_again(opens_at)
                return
            self._send(now)
            self._grant(self._line.popleft(), _IN)

    def _look_again(self, at: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= at:
                return  # and then set it again
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._let_in(asyncio.get_running_loop().time())

    def _opens_at(self) -> float:
        return max(self._next_at, self._resume_at, self._adaptive.held_until)

    def _send(self, now: float) -> None:
        self.in_flight += 1
        spacing_s, made_up_s = self._adaptive.spacing_s, 2 * self._adaptive.spacing_s
        if spacing_s <= self._spacing_s:
            spacing_s, made_up_s = self._spacing_s, min(self._spacing_s, self._made_up_s)
        if spacing_s:
            self._next_at = max(self._next_at, now - min(made_up_s, _LATE_S)) + spacing_s

    def _paused_until(self, now: float) -> float:
        """Return the seconds paused until now: those asked for without those to come."""
        return self.paused_s - max(0.0, self._resume_at - now)


class Throttle:
    """The hosts of a run, each with a throttle of its own."""

    def __init__(self, bounds: Mapping[str, HostLimits], default: HostLimits) -> None:
        self._bounds = bounds
        self._default = default
        self._hosts: dict[str, HostThrottle] = {}
        self._shares: dict[tuple[str, str], HostThrottle] = {}

    def host(self, name: str) -> HostThrottle:
        """Return the throttle of the host `name` (with its port)."""
        if name not in self._hosts:
            self._hosts[name] = HostThrottle(self._bounds.get(name, self._default))
        return self._hosts[name]

    def share(self, name: str, of: str, shares: int) -> HostThrottle:
        """Return the throttle of one of several budgets at a host: its rate is that of the host, which counts each; the rest is a share."""
        if (name, of) not in self._shares:
            bounds = self._bounds.get(name, self._default)
            most = max(1, bounds.maximum // shares)
            self._shares[name, of] = HostThrottle(
                replace(
                    bounds,
                    start=min(bounds.start, most),
                    minimum=min(bounds.minimum, most),
                    maximum=most,
                    body_bytes=max(1, bounds.body_bytes // shares),
                )
            )
        return self._shares[name, of]
