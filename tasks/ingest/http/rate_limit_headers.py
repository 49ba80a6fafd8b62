"""What a host asks for in its headers: to be left alone for a while."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

_RESET_HEADERS = ("RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "X-RateLimit-Reset-After")
_REMAINING_HEADERS = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
_STRUCTURED = re.compile(r"(?:^|[;,\s])(?:(?P<remaining>r|remaining)|t|reset)=(?P<value>\d{1,15})")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d+)?", re.ASCII)
_LIMIT = b"limit"  # what a rate limit's headers have in their names
_FIRST_ERROR = 400
_TOO_MANY = 429
_ASKING = frozenset({403, _TOO_MANY, 503})
"""Statuses with which Retry-After is heard; 403 is what GitHub answers, for one, where a rate limit is used up."""
_EPOCH_FROM = 1_000_000_000  # a larger number is a time (as GitHub gives it), a smaller one seconds
_MILLISECONDS_FROM = 100_000_000_000


def retry_after_s(status: int, headers: httpx.Headers, now: datetime | None = None) -> float:
    """Return the seconds that a host asks to be left alone for, by its answer's status and headers; 0 for none.

    A rate limit's reset counts with 429, and with any answer that says nothing remains.
    """
    if status < _FIRST_ERROR and _LIMIT not in b"".join([name for name, _ in headers.raw]).lower():
        return 0.0  # nearly every answer: nothing more is looked for
    moment = now or datetime.now(UTC)
    asked = parse_retry_after(headers.get("Retry-After"), moment) if status in _ASKING else None
    if asked is not None:
        return asked
    if status == _TOO_MANY or _remaining(headers) == 0:
        return _reset_s(headers, moment)
    return 0.0


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110, 10.2.3): a number or an HTTP date.

    None where there is no header, or none that can be read.
    """
    number = _number(value)
    if value is None or number is not None:
        return number
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _remaining(headers: httpx.Headers) -> float | None:
    """Return how many requests a host still allows, where it says so."""
    for name in _REMAINING_HEADERS:
        if (number := _number(headers.get(name))) is not None:
            return number
    return min((remaining for remaining, _ in _policies(headers)), default=None)


def _reset_s(headers: httpx.Headers, now: datetime) -> float:
    """Return the seconds until a host's rate limit begins anew; 0 where it does not say."""
    for name in _RESET_HEADERS:
        if (number := _number(headers.get(name))) is not None:
            if number >= _MILLISECONDS_FROM:
                number /= 1000
            return max(0.0, number - now.timestamp()) if number >= _EPOCH_FROM else number
    policies = _policies(headers)
    used_up = [reset for remaining, reset in policies if remaining == 0]
    return max(used_up or [reset for _, reset in policies], default=0.0)


def _policies(headers: httpx.Headers) -> list[tuple[float, float]]:
    """Return what remains, and the seconds until it is more, of each limit in a RateLimit header.

    The drafts of IETF's HTTPAPI group have had it as `"burst";r=0;t=30, "daily";r=9` and
    as `limit=100, remaining=0, reset=30`.
    """
    text = headers.get("RateLimit", "")
    policies = []
    for policy in [text] if "remaining=" in text else text.split(","):
        found = {bool(match["remaining"]): float(match["value"]) for match in _STRUCTURED.finditer(policy)}
        if True in found:
            policies.append((found[True], found.get(False, 0.0)))
    return policies


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and _NUMBER.fullmatch(value.strip()) else None
