"""Which failures of a request may pass, and how long to wait before asking again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from tasks.spec import Requests

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
PAUSING_STATUSES = frozenset({429, 503})  # with Retry-After, the whole host waits
TRANSPORT_ERRORS = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, OSError)
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 10.0


class MayPassError(Exception):
    """One attempt failed in a way that the next may not; its message is the cause."""


class UnreachableError(MayPassError):
    """One attempt found nobody at the host's address."""


@dataclass
class Line:
    """How long one request has stood in line for its host; the deadline does not run meanwhile."""

    stood_s: float = 0.0


def attempts(requests: Requests, line: Line) -> AsyncRetrying:
    """Return the attempts at one request: full-jitter exponential back-off, bounded in count and time."""

    def is_over(state: RetryCallState) -> bool:
        next_s = (state.seconds_since_start or 0.0) - line.stood_s + state.upcoming_sleep
        return state.attempt_number >= requests.attempts or next_s >= requests.deadline_s

    return AsyncRetrying(
        stop=is_over,
        wait=wait_random_exponential(multiplier=BACKOFF_FIRST_S, max=BACKOFF_MAX_S),
        retry=retry_if_exception_type(MayPassError),
        reraise=True,
    )


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110, 10.2.3): a number or an HTTP date.

    None where there is no header, or none that can be read.
    """
    if value is None:
        return None
    if value.isascii() and value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
