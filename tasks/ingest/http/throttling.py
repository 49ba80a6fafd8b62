"""Requests through their host's throttle."""

from __future__ import annotations

import asyncio

import httpx

from tasks.config import Requests
from tasks.core.errors import SourceError
from tasks.core.hosts import host_of
from tasks.ingest.http.body import BrokenError, UnreachableError
from tasks.ingest.http.rate_limit_headers import retry_after_s
from tasks.ingest.http.requests import context_of
from tasks.ingest.http.retries import TransientError, Warn
from tasks.ingest.throttle.limiter import Answer, HostThrottle, RetryAfterTooLongError, Throttle

_WARN_FROM_S = 5.0  # a shorter pause is nothing to tell of
_STRAINED = frozenset({408, 503, 504})
_REFUSED = frozenset({429})
_REFUSED_FOR_A_WHILE = frozenset({403, 503})
_FORBIDDEN = 403
_PERHAPS_TLS = "as a host breaks it that wants a certificate of who asks, which tls.certificate names"
_FIRST_ERROR = 400


class ThrottleTransport(httpx.AsyncBaseTransport):
    """Sends each request when its host's throttle lets it, and tells the throttle how it went."""

    def __init__(self, inner: httpx.AsyncBaseTransport, throttle: Throttle, requests: Requests, warn: Warn) -> None:
        self._inner = inner
        self._throttle = throttle
        self._requests = requests
        self._warn = warn

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer.

        Raises:
            TransientError: as the inner transport; or the host refuses until a rate limit begins anew.
            SourceError: the host asks to be left alone for longer than the request may take.

        """
        throttle = self._throttle.host(host_of(request.url))
        try:
            context_of(request).stood_s += await throttle.acquire(self.patience_s)
        except RetryAfterTooLongError as error:
            raise too_long(request, error, self.patience_s) from None
        return await self.send(request, throttle, host_of(request.url))

    @property
    def patience_s(self) -> float:
        """Return the seconds for which a request waits while its host is to be left alone."""
        return self._requests.deadline_s

    async def send(self, request: httpx.Request, host: HostThrottle, called: str) -> httpx.Response:
        """Return the answer to a request that a throttle has let in, and tell it how it went; the host is `called` so.

        Raises:
            TransientError: as the inner transport; or the host refuses until a rate limit begins anew.

        """
        account = context_of(request)
        entered = asyncio.get_running_loop().time()
        account.stats.in_flight += 1
        answer, pause, body_bytes = Answer.OTHER, 0.0, 0
        try:
            response = await self._inner.handle_async_request(request)
            host.has_answered, body_bytes = True, len(response.content)
            pause = retry_after_s(response.status_code, response.headers)
            answer = _answer_of(response.status_code, pause)
            if pause > 0:
                host.pause(pause)
                self._warn_of_pause(request, response, pause, called)
        except TransientError as error:
            answer = Answer.STRAINED
            error.permanent = isinstance(error, UnreachableError) and not host.has_answered
            if isinstance(error, BrokenError) and request.url.scheme == "https" and not host.has_answered:
                raise TransientError(f"{error}, {_PERHAPS_TLS}") from error
            raise
        finally:
            account.stats.in_flight -= 1
            account.stats.refused += answer is Answer.REFUSED
            host.release(entered, answer, body_bytes)
        if pause > 0 and response.status_code == _FORBIDDEN:
            raise TransientError(f"403 {response.reason_phrase}, for a limit is used up")
        return response

    def _warn_of_pause(self, request: httpx.Request, response: httpx.Response, pause: float, called: str) -> None:
        if pause >= _WARN_FROM_S:
            self._warn(
                f"{context_of(request).label}: {response.status_code} {response.reason_phrase}; "
                f"{called} is left alone for {pause:.0f} s, as it asks, and then asked on"
            )


def too_long(request: httpx.Request, error: RetryAfterTooLongError, patience_s: float) -> SourceError:
    """Return what a pause means that is longer than a request waits."""
    return SourceError(
        f"{context_of(request).label}: the host asks to be left alone for {error.pause_s:.0f} s, "
        f"longer than requests.deadline_s ({patience_s:g}); try again then, or raise requests.deadline_s"
    )


def _answer_of(status: int, pause: float) -> Answer:
    """Return what an answer says of the host's strength."""
    if status in _REFUSED or (status in _REFUSED_FOR_A_WHILE and pause > 0):
        return Answer.REFUSED
    if status in _STRAINED:
        return Answer.STRAINED
    return Answer.CLEAN if status < _FIRST_ERROR else Answer.OTHER
