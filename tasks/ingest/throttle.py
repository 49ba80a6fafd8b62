"""Who may send a request to a host now: as many as it bears, evenly where it must be, none while it pauses."""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from tasks.ingest.adaptive import AdaptiveLimit, Bounds, Outcome

__all__ = ["Bounds", "HostThrottle", "LongPauseError", "Outcome", "Throttle"]

_TICK_S = 1e-6
_LATE_S = 0.01
_USED = 0.75


class LongPauseError(Exception):
    """A host pauses for longer than a request may wait."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        super().__init__(f"{pause_s:.0f} s")


@dataclass(slots=True, order=True)
class _Waiter:
    number: int
    patience_s: float = field(compare=False)
    woken: asyncio.Future[float] = field(compare=False)


class HostThrottle:
    def __init__(self, bounds: Bounds) -> None:
        self.has_answered = False
        self.in_flight = 0
        self.waiting = 0
        self.pauses = 0
        self.paused_s = 0.0
        self._adaptive = AdaptiveLimit(bounds)
        self._every_s = 1 / bounds.requests_per_s if bounds.requests_per_s else 0.0
        self._late_s = min(self._every_s, _LATE_S)
        self._next_at = -math.inf
        self._resume_at = -math.inf
        self._line: deque[_Waiter] = deque()
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> float:
        return self._adaptive.limit

    async def enter(self, patience_s: float) -> float:
        now = asyncio.get_running_loop().time()
        if not self.waiting and self.in_flight < self._adaptive.window and self._opens_at() <= now:
            self._send(now)
            return 0.0
        return await self._stand_in_line(patience_s, now)

    def leave(self, entered_at: float, outcome: Outcome) -> None:
        now = asyncio.get_running_loop().time()
        adaptive = self._adaptive
        used = self.in_flight >= _USED * adaptive.window or (self.waiting > 0 and adaptive.spacing_s > self._every_s)
        adaptive.answered(now, entered_at, outcome, self.in_flight, used)
        self.in_flight -= 1
        if self.waiting:
            self._let_in(now)

    def pause(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        until = now + seconds
        if until <= max(now, self._resume_at):
            return
        self.pauses += self._resume_at <= now
        self.paused_s += until - max(now, self._resume_at)
        self._resume_at = until
        for waiter in self._line:
            if waiter.patience_s < seconds and not waiter.woken.done():
                self._answer(waiter, seconds)

    def space(self, interval_s: float) -> None:
        if interval_s > self._every_s:
            self._every_s, self._late_s = interval_s, 0.0

    async def _stand_in_line(self, patience_s: float, since: float) -> float:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(next(self._numbers), patience_s, loop.create_future())
        paused_s = self._paused_until(since)
        now = since
        while True:
            if (left := self._resume_at - now) > patience_s:
                raise LongPauseError(left)
            insort(self._line, waiter)
            self.waiting += 1
            self._let_in(now)
            await self._woken(waiter)
            now = loop.time()
            if self._resume_at <= now:
                return now - since - (self._paused_until(now) - paused_s)
            self.in_flight -= 1
            waiter.woken = loop.create_future()

    async def _woken(self, waiter: _Waiter) -> None:
        try:
            left = await waiter.woken
        except asyncio.CancelledError:
            if waiter.woken.cancelled():
                self.waiting -= 1
            elif waiter.woken.result() == 0:
                self.in_flight -= 1
                self._let_in(asyncio.get_running_loop().time())
            raise
        if left:
            raise LongPauseError(left)

    def _answer(self, waiter: _Waiter, pause_s: float) -> None:
        self.waiting -= 1
        waiter.woken.set_result(pause_s)

    def _let_in(self, now: float) -> None:
        while self._line and self.in_flight < self._adaptive.window:
            if self._line[0].woken.done():
                self._line.popleft()
                continue
            opens_at = self._opens_at()
            if now + _TICK_S < opens_at:
                self._look_again(opens_at)
                return
            self._send(now)
            self._answer(self._line.popleft(), 0.0)

    def _look_again(self, at: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._let_in(asyncio.get_running_loop().time())

    def _opens_at(self) -> float:
        return max(self._next_at, self._resume_at, self._adaptive.held_until)

    def _send(self, now: float) -> None:
        self.in_flight += 1
        spacing_s = self._adaptive.spacing_s
        if spacing_s > self._every_s:
            self._next_at = max(self._next_at, now - min(2 * spacing_s, _LATE_S)) + spacing_s
        elif self._every_s:
            self._next_at = max(self._next_at, now - self._late_s) + self._every_s

    def _paused_until(self, now: float) -> float:
        return self.paused_s - max(0.0, self._resume_at - now)


class Throttle:
    """The hosts of a run, each with a throttle of its own."""

    def __init__(self, bounds: Mapping[str, Bounds], default: Bounds) -> None:
        self._bounds = bounds
        self._default = default
        self._hosts: dict[str, HostThrottle] = {}

    def host(self, name: str) -> HostThrottle:
        """Return the throttle of the host `name` (with its port)."""
        if name not in self._hosts:
            self._hosts[name] = HostThrottle(self._bounds.get(name, self._default))
        return self._hosts[name]
