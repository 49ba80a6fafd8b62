"""How many requests a host gets at once, and when it asked for a pause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager


class LongPauseError(Exception):
    """A host pauses for longer than a request may wait."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        super().__init__(f"{pause_s:.0f} s")


class HostThrottle:
    """One host's share of requests: a bound on those in flight, and one pause for all of them."""

    def __init__(self, max_in_flight: int) -> None:
        self._slots = asyncio.Semaphore(max_in_flight)
        self._resume_at = 0.0
        self.has_answered = False

    @asynccontextmanager
    async def slot(self, patience_s: float) -> AsyncIterator[float]:
        """Hold one of the host's slots while the block runs; yield the seconds stood in line for it.

        The host's pause is waited for outside the slot, and looked at again
        inside: it may have begun while this request stood in line.

        Raises:
            LongPauseError: the pause has more than `patience_s` to go.

        """
        now = asyncio.get_running_loop().time
        in_line_s = 0.0
        while True:
            await self._wait_for_pause(patience_s)
            since = now()
            async with self._slots:
                in_line_s += now() - since
                if self.pause_left_s() <= 0:
                    yield in_line_s
                    return

    def pause(self, seconds: float) -> None:
        """Let no further request start for `seconds`."""
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)

    def pause_left_s(self) -> float:
        """Return for how many seconds the host still pauses; 0 or less when it does not."""
        return self._resume_at - asyncio.get_running_loop().time()

    async def _wait_for_pause(self, patience_s: float) -> None:
        while (left := self.pause_left_s()) > 0:
            if left > patience_s:
                raise LongPauseError(left)
            await asyncio.sleep(left)  # and look again: it may have been prolonged meanwhile


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
