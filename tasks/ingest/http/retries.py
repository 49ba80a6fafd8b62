"""Which failures of a request may pass, and how long to wait before asking again."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable

import httpx

from tasks.config import Requests
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.escaping import count
from tasks.ingest.http.requests import context_of

Warn = Callable[[str], None]

_TOLD_FROM_ATTEMPT = 3  # a fault that passes at once is nothing to tell of
_SAFE_METHODS = frozenset({"GET", "HEAD"})


class TransientError(Exception):
    """One attempt failed in a way that the next may not; its message is the cause.

    `permanent` when it is not likely to pass within a run, as at a host that never answered.
    """

    def __init__(self, cause: str) -> None:
        self.permanent = False
        super().__init__(cause)


class RetryTransport(httpx.AsyncBaseTransport):
    """Sends a request again when it failed in a way that may pass: full-jitter exponential back-off, bounded in count and time.

    A POST is sent again only where it is declared idempotent. Nothing is held
    between two attempts, and time stood in line for the host does not count
    towards the deadline.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, requests: Requests, *, idempotent: bool, warn: Warn) -> None:
        self._inner = inner
        self._requests = requests
        self._idempotent = idempotent
        self._warn = warn

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the first answer that is none of `retry_statuses`.

        Raises:
            SourceError: every attempt failed in a way that may pass later.
            PermanentSourceError: the request must not be sent again, or its host never answered.

        """
        account, now = context_of(request), asyncio.get_running_loop().time
        began, stood_s = now(), account.stood_s
        for made in itertools.count(1):
            account.stats.requests += 1
            account.stats.retries += made > 1
            try:
                response = await self._inner.handle_async_request(request)
                if response.status_code not in self._requests.retry_statuses:
                    return response
                failure = TransientError(f"{response.status_code} {response.reason_phrase}".strip())
            except TransientError as error:
                failure = error
            delay_s = self._backoff_s(made)
            spent_s = now() - began - (account.stood_s - stood_s)
            self._give_up_if_over(request, made, spent_s + delay_s, failure)
            account.stats.note_cause(str(failure))
            if made >= _TOLD_FROM_ATTEMPT:
                self._warn(f"{account.label}: {failure}; {self._what_next(made, delay_s)}")
            await asyncio.sleep(delay_s)
        raise AssertionError  # count() does not end

    def _backoff_s(self, made: int) -> float:
        """Return the seconds before the next attempt (AWS Architecture Blog, "Exponential Backoff And Jitter": full jitter)."""
        most = min(self._requests.backoff_max_s, self._requests.backoff_first_s * 2.0 ** (made - 1))
        return random.uniform(0.0, most)  # noqa: S311 - jitter is no secret

    def _what_next(self, made: int, delay_s: float) -> str:
        return f"attempt {made} of {self._requests.attempts}, the next in {delay_s:.1f} s"

    def _give_up_if_over(self, request: httpx.Request, made: int, next_s: float, failure: TransientError) -> None:
        """Raise when there is no further attempt: by count, by time, or because a POST may have changed something."""
        said = f"{context_of(request).label} failed {count(made, 'time')}, at last with: {failure}"
        if request.method not in _SAFE_METHODS and not self._idempotent:
            raise PermanentSourceError(
                f"{said}; a POST is not sent again, for it may change something: add idempotent: true where it does not"
            ) from failure
        if made >= self._requests.attempts or next_s >= self._requests.deadline_s:
            raise (PermanentSourceError if failure.permanent else SourceError)(
                f"{said}; try again later, or raise requests.attempts ({self._requests.attempts}) "
                f"or requests.deadline_s ({self._requests.deadline_s:g})"
            ) from failure
