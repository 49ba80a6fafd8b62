"""What a host asks for in its headers: to be left alone for a while."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

_RESET_HEADERS = ("RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset")
_REMAINING_HEADERS = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
_STRUCTURED = re.compile(r"(?:^|[;,\s])(?P<name>r|t|remaining|reset)=(?P<value>\d+)")
_LIMIT = b"imit"  # what a rate limit's headers have in their names, in any case of their first letters
_FIRST_ERROR = 400
_EPOCH_FROM = 1_000_000_000  # a larger number is a time (as GitHub gives it), a smaller one seconds
_MILLISECONDS_FROM = 100_000_000_000


def pause_s(status: int, headers: httpx.Headers, now: datetime | None = None) -> float:
    """Return the seconds that a host asks to be left alone for, by its answer's status and headers; 0 for none.

    Retry-After counts with 429 and 503; a rate limit's reset counts with 429,
    and with any answer that says nothing remains.
    """
    if status < _FIRST_ERROR and not any(_LIMIT in name for name, _ in headers.raw):
        return 0.0  # nearly every answer: nothing more is looked for
    moment = now or datetime.now(UTC)
    asked = retry_after_s(headers.get("Retry-After"), moment) if status in (429, 503) else None
    if asked is not None:
        return asked
    if status == 429 or _remaining(headers) == 0:  # noqa: PLR2004 - HTTP's own number
        return _reset_s(headers, moment)
    return 0.0


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110, 10.2.3): a number or an HTTP date.

    None where there is no header, or none that can be read.
    """
    if value is None:
        return None
    if _is_digits(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _remaining(headers: httpx.Headers) -> int | None:
    """Return how many requests a host still allows, where it says so."""
    for name in _REMAINING_HEADERS:
        if _is_digits(value := headers.get(name, "")):
            return int(value)
    found = _structured(headers)
    return found.get("r", found.get("remaining"))


def _reset_s(headers: httpx.Headers, now: datetime) -> float:
    """Return the seconds until a host's rate limit begins anew; 0 where it does not say."""
    for name in _RESET_HEADERS:
        if _is_digits(value := headers.get(name, "")):
            number = float(value)
            if number >= _MILLISECONDS_FROM:
                number /= 1000
            return max(0.0, number - now.timestamp()) if number >= _EPOCH_FROM else number
    found = _structured(headers)
    return float(found.get("t", found.get("reset", 0)))


def _structured(headers: httpx.Headers) -> dict[str, int]:
    """Return the numbers of a RateLimit header (draft-ietf-httpapi-ratelimit-headers): `"default";r=0;t=30`."""
    return {match["name"]: int(match["value"]) for match in _STRUCTURED.finditer(headers.get("RateLimit", ""))}


def _is_digits(value: str) -> bool:
    return value.isascii() and value.strip().isdigit()
