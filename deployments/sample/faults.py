"""The sample site's faults: latency, a first answer of 503, and 429 under too many requests at once."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SPARED = frozenset({"/health"})
"""Paths without faults: they tell whether the site is up."""


@dataclass(frozen=True)
class Faults:
    """Which faults the site has; the same seed gives the same faults to the same URLs."""

    seed: int = 2369
    """Decides which URLs fail, and how long each takes; with this one, some of every kind but robots.txt fail."""
    failing_share: float = 0.04
    """Share of the distinct URLs whose first attempt is answered 503."""
    latency_s: tuple[float, float] = (0.020, 0.050)
    """Least and most seconds before an answer."""
    max_in_flight: int = 24
    """Requests that may be in flight at once; one more is answered 429."""

    def fails_first(self, url: str) -> bool:
        """Return whether the first attempt at `url` (path and query) is answered 503."""
        return self._draw("fails", url) < self.failing_share

    def latency_of(self, url: str) -> float:
        """Return the seconds that pass before `url` is answered."""
        least, most = self.latency_s
        return least + (most - least) * self._draw("latency", url)

    def _draw(self, purpose: str, url: str) -> float:
        """Return a number in [0, 1) that depends on the seed, the purpose and the URL alone."""
        digest = hashlib.sha256(f"{self.seed} {purpose} {url}".encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56


class FaultMiddleware:
    """Puts the faults before an application; counts what is in flight and which URLs have failed."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._in_flight = 0
        self._failed: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through to the application."""
        if scope["type"] != "http" or scope["path"] in SPARED:
            await self._app(scope, receive, send)
        elif self._in_flight >= self._faults.max_in_flight:
            await _TOO_MANY(scope, receive, send)
        else:
            self._in_flight += 1
            try:
                await self._answer(scope, receive, send)
            finally:
                self._in_flight -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        url = f"{scope['path']}?{query}" if query else scope["path"]
        fails = url not in self._failed and self._faults.fails_first(url)
        if fails:
            self._failed.add(url)
        await asyncio.sleep(self._faults.latency_of(url))
        await (_UNAVAILABLE if fails else self._app)(scope, receive, send)


_TOO_MANY = JSONResponse(
    {"detail": "too many requests at once; wait a second"}, status_code=429, headers={"Retry-After": "1"}
)
_UNAVAILABLE = JSONResponse({"detail": "not available just now; try again"}, status_code=503)
