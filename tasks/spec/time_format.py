"""Formats of dates and timestamps, as strptime has them: those by which it would read another time than is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

_DIRECTIVE = re.compile(r"%(.)", re.DOTALL)
_YEARS = frozenset("YyGcx")
_WEEKDAYS = frozenset("aAwu")


def find_mistake(text: str) -> str | None:
    """Return what is wrong with a format, and the cure; None where it reads what is written."""
    found = {match[1] for match in _DIRECTIVE.finditer(text)}
    return _unknown(text) or next(_misread(found), None)


def _misread(found: set[str]) -> Iterator[str]:
    """Yield what strptime would pass over, or fill in, with these directives."""
    if "Z" in found:
        yield "reads the name of a zone in %Z and drops it; write %z, which takes offsets as +01:00, or type: string"
    if not found & _YEARS:
        yield "has no year, and every date would be in 1900; add %Y, or write type: string"
    for week in sorted(found & {"U", "W"}):
        if not found & _WEEKDAYS or "Y" not in found:
            yield f"has %{week}, which counts only beside a weekday and %Y; add %w and %Y, or write type: string"
    if found & {"G", "V"} and not (found >= {"G", "V"} and found & _WEEKDAYS):
        yield "has %G or %V, which count only with each other and a weekday; write %G-W%V-%u, or type: string"
    if "I" in found and not found & {"p", "c", "X"}:
        yield "has %I, the hour of twelve, and no %p, which makes morning of evening; write %H, or add %p"


def _unknown(text: str) -> str | None:
    """Return what strptime says of a directive that it does not know."""
    try:
        datetime.strptime("", text)  # noqa: DTZ007 - nothing is read
    except (ValueError, IndexError, re.error) as error:
        if "does not match format" not in str(error):
            return f"is none of strptime ({error}); correct it, e.g. %d/%m/%Y"
    return None
