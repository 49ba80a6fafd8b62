"""Several budgets at one host, as of several tokens: whoever asks takes the one that lets it send first."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from tasks.ingest.throttle.limiter import HostThrottle, RetryAfterTooLongError


class Turns:
    """The throttles of several budgets at one host, each with a limit, a line and pauses of its own."""

    def __init__(self, throttles: Sequence[HostThrottle]) -> None:
        self._throttles = throttles

    async def acquire(self, patience_s: float, among: Collection[int]) -> tuple[int, float]:
        """Wait until a request may be sent by one of the budgets `among`; `release` of its throttle must follow.

        A budget that is used up while others are not holds nobody back: who stood in line for it takes another.

        Returns:
            Which budget, by its place, and the seconds stood in line, pauses aside.

        Raises:
            RetryAfterTooLongError: all of them pause for more than `patience_s`.

        """
        loop, stood_s = asyncio.get_running_loop(), 0.0
        while True:
            place = min(among, key=lambda each: self._throttles[each].outlook())
            throttle, began = self._throttles[place], loop.time()
            is_open = throttle.pause_left_s <= 0
            try:
                return place, stood_s + await throttle.acquire(0.0 if is_open else patience_s)
            except RetryAfterTooLongError:
                stood_s += loop.time() - began if is_open else 0.0
                if min(self._throttles[each].pause_left_s for each in among) > patience_s:
                    raise
