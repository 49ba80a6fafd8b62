"""The largest value of a field that has landed, from which an incremental source is asked on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tasks.config import Incremental, Scalar, SqlIncremental
from tasks.core.body_paths import items_of, members_of, walk
from tasks.core.errors import PermanentSourceError
from tasks.core.escaping import count

_LONGEST_NUMBER = 1000  # digits; Python reads no more than 4,300
_NUMBER = re.compile(r"[+-]?[0-9]+(?P<fraction>\.[0-9]+)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:(?P<separator>[T ])(?P<clock>[0-9:]{5,8})(?:(?P<point>[.,])(?P<digits>[0-9]+))?(?P<zone>Z|[+-][0-9:]+)?)?"
)
_MARGIN = timedelta(days=1)  # between clocks, and zones that a time does not name
_NEVER = frozenset(
    {2**31 - 1, 2**32 - 1, 2**63 - 1, 253_402_214_400, 253_402_300_799, 253_402_214_400_000, 253_402_300_799_000}
)
"""Numbers that stand for never: the largest of their kind, and the end of the year 9999 in seconds and milliseconds."""
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class Watermark:
    """The largest value of an incremental source's field among the rows so far."""

    def __init__(
        self,
        incremental: Incremental | SqlIncremental,
        largest: Scalar | None = None,
        rows: int = 0,
        *,
        were_later: bool = False,
    ) -> None:
        self._field = incremental.field
        self._key = incremental.KEY
        self._word = incremental.KEY.rpartition(".")[2]
        self._rows = rows
        self._were_later = were_later  # values of a run before that has come so far
        self._latest = datetime.now(UTC) + _MARGIN
        self._later: Scalar | None = None
        self.largest = largest

    @property
    def doubts(self) -> tuple[str, ...]:
        """Return what is to be told of values that are later than now."""
        if self._later is None:
            return ()
        return (
            f"{self._key}: {self._field!r} is {self._later!r:.60} in a record, which is later than now: it does not move "
            f"what the next run asks for; have it corrected at its origin, or name another {self._word}",
        )

    def see(self, lines: Iterable[bytes]) -> None:
        """Take the field of further rows into account; a row without it counts for nothing.

        Raises:
            PermanentSourceError: a value is neither a number nor a time, or cannot be compared with the others.

        """
        for line in lines:
            self.see_value(_value_at(line, self._field), 1)

    def see_value(self, value: Any, rows: int) -> None:
        """Take the value of the field in a row into account, or the largest of some rows; None counts for nothing.

        Raises:
            PermanentSourceError: it is neither a number nor a time, or cannot be compared with the others.

        """
        self._rows += rows
        if value is not None:
            self.largest = self._larger(self.largest, value)

    def check(self) -> None:
        """Raise where there were rows, and none had the field."""
        if self._rows and self.largest is None and self._later is None and not self._were_later:
            raise PermanentSourceError(
                f"{self._key}: {self._field!r} is in none of {count(self._rows, 'record')}; correct the {self._word}"
            )

    def _larger(self, one: Scalar | None, other: Any) -> Scalar | None:
        compared = _comparable(other)
        if compared is None:
            raise PermanentSourceError(
                f"{self._key}: {self._field!r} has the value {other!r:.60}, which is neither a number nor a time in ISO 8601; name a {self._word} of numbers, or of times"
            )
        if _is_later(compared, self._latest):
            self._later = self._later or other
            return one
        try:
            larger: Scalar = other if one is None or compared > _comparable(one) else one
        except TypeError:
            raise PermanentSourceError(
                f"{self._key}: {self._field!r} has values that cannot be compared, {one!r:.60} and {other!r:.60}; name a {self._word} of numbers, or of times"
            ) from None
        return larger


def is_later_than_now(value: Scalar) -> bool:
    """Return whether a value is later than now, so that a run which asked for what is newer would get nothing."""
    return _is_later(_comparable(value), datetime.now(UTC) + _MARGIN)


def _is_later(compared: Any, latest: datetime) -> bool:
    return compared > latest if isinstance(compared, datetime) else compared in _NEVER


def since(incremental: Incremental | SqlIncremental, largest: Scalar | None) -> Scalar | None:
    """Return what the next run asks for: the largest value landed less the overlap, in the form the server gives it.

    It is never before the start; None where there is neither, so that all is asked for.

    Raises:
        PermanentSourceError: the overlap cannot be taken from such a value.

    """
    overlap, start = incremental.overlap, incremental.start
    if largest is None:
        return start
    if not overlap:
        return largest
    value = _number(largest)
    asked: Scalar | None = None
    if isinstance(overlap, timedelta):
        asked = _earlier(largest, overlap, start) if isinstance(largest, str) and value is None else None
    elif value is not None:
        asked = value - int(overlap) if isinstance(value, int) and overlap.is_integer() else value - overlap
    if asked is None:
        raise PermanentSourceError(
            f"incremental.overlap: {overlap} cannot be taken from {largest!r}; give a number for numbers, e.g. 1h for times such as 2024-01-01T00:00:00Z, and 0 for others"
        )
    earliest, compared = _comparable(start), _comparable(asked)
    return start if type(earliest) is type(compared) and earliest > compared else asked


def moment_of(text: str) -> datetime | None:
    """Return the moment that a text in ISO 8601 means, in UTC where it names no zone; None where it means none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _value_at(line: bytes, path: str) -> Any:
    """Return the value at a path in a record; None where there is none."""
    try:
        if "." not in path and (found := _MEMBERS.decode(line).get(path)) is not None:  # as of most: a third faster
            return msgspec.json.decode(found)
        walked = walk(line, path, _members, _items)
        return None if walked.missing is not None else msgspec.json.decode(walked.last)
    except (msgspec.DecodeError, UnicodeDecodeError):  # such as NaN, which only Python's reader takes
        try:
            value = walk(json.loads(line.decode("utf-8", "replace")), path, members_of, items_of)
        except ValueError:  # a line that becomes a reject
            return None
        return None if value.missing is not None else value.last


def _members(value: bytes | msgspec.Raw) -> dict[str, Any] | None:
    try:
        return _MEMBERS.decode(value)
    except msgspec.ValidationError:  # no object
        return None


def _items(value: bytes | msgspec.Raw) -> list[Any] | None:
    try:
        return _ITEMS.decode(value)
    except msgspec.ValidationError:  # no list
        return None


def _comparable(value: Any) -> Any:
    """Return what decides which of two values is larger: a number or a moment; None where it is neither."""
    number = _number(value)
    return moment_of(value) if number is None and isinstance(value, str) else number


def _number(value: Any) -> int | float | None:
    """Return the number that a value is, or that a text is one of; None where it is none."""
    if isinstance(value, str):
        match = _NUMBER.fullmatch(value)
        if match is None or len(value) > _LONGEST_NUMBER:
            return None
        return float(value) if match["fraction"] else int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _earlier(text: str, overlap: timedelta, start: Scalar | None) -> Scalar | None:
    """Return the time that is before another by an overlap, written like it; None where that is in another form.

    What is finer than the form is cut off, so that it is never too late: an overlap
    of hours reaches from a date into the day before.
    """
    form, moment = _TIME.fullmatch(text), moment_of(text)
    if form is None or moment is None:
        return None
    try:
        moment -= overlap
    except OverflowError:  # before the year 1
        return start
    if form["separator"] is None:
        return moment.date().isoformat()
    clock = moment.time().isoformat()[: len(form["clock"])]
    digits = f"{moment.microsecond:06}"[: len(form["digits"] or "")].ljust(len(form["digits"] or ""), "0")
    return f"{moment.date()}{form['separator']}{clock}{form['point'] or ''}{digits}{form['zone'] or ''}"
