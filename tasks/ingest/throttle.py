"""How many requests a host gets at once, and when it asked for a pause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

MAX_PAUSE_S = 300.0  # a longer Retry-After is not waited for: the request's deadline ends first


class HostThrottle:
    """One host's share of requests: a bound on those in flight, and one pause for all of them."""

    def __init__(self, max_in_flight: int) -> None:
        self._slots = asyncio.Semaphore(max_in_flight)
        self._resume_at = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the host's slots while the block runs; wait first while the host pauses.

        The pause is waited for outside the slot, and looked at again inside:
        it may have begun while this request stood in line.
        """
        while True:
            await self._wait_for_pause()
            async with self._slots:
                if self.pause_left_s() <= 0:
                    yield
                    return

    def pause(self, seconds: float) -> None:
        """Let no further request start for `seconds`."""
        now = asyncio.get_running_loop().time()
        self._resume_at = max(self._resume_at, now + min(seconds, MAX_PAUSE_S))

    def pause_left_s(self) -> float:
        """Return for how many seconds the host still pauses; 0 or less when it does not."""
        return self._resume_at - asyncio.get_running_loop().time()

    async def _wait_for_pause(self) -> None:
        while (left := self.pause_left_s()) > 0:  # noqa: ASYNC110 - it may have been prolonged meanwhile
            await asyncio.sleep(left)


class Throttle:
    """The hosts of a run, each with a share of its own."""

    def __init__(self, max_in_flight: Mapping[str, int], default: int) -> None:
        self._max_in_flight = max_in_flight
        self._default = default
        self._hosts: dict[str, HostThrottle] = {}

    def host(self, name: str) -> HostThrottle:
        """Return the share of the host `name` (with its port)."""
        if name not in self._hosts:
            self._hosts[name] = HostThrottle(self._max_in_flight.get(name, self._default))
        return self._hosts[name]
