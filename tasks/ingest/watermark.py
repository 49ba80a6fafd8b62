"""The largest value of a field that has landed, from which an incremental source is asked on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.errors import PermanentSourceError
from tasks.spec import Incremental, Scalar

_DATE_CHARACTERS = len("2013-01-01")


class Watermark:
    """The largest value of an incremental source's field among the rows so far."""

    def __init__(self, incremental: Incremental, largest: Scalar | None = None) -> None:
        self._incremental = incremental
        self._rows = 0
        self.largest = largest

    def see(self, lines: Iterable[bytes]) -> None:
        """Take the field of further rows into account; a row without it counts for nothing.

        Raises:
            PermanentSourceError: a value is neither a number nor a text, or cannot be compared with the others.

        """
        for line in lines:
            value = _value_at(json.loads(line), self._incremental.field)
            self._rows += 1
            if value is not None:
                self.largest = self._larger(self.largest, value)

    def check(self) -> None:
        """Raise where there were rows, and none had the field."""
        if self._rows and self.largest is None:
            raise PermanentSourceError(
                f"incremental.field: {self._incremental.field!r} is in none of {self._rows} records; correct the field"
            )

    def _larger(self, one: Scalar | None, other: Any) -> Scalar:
        if isinstance(other, bool) or not isinstance(other, int | float | str):
            raise PermanentSourceError(
                f"incremental.field: {self._incremental.field!r} has the value {other!r:.60}, which is neither a number nor a time"
            )
        try:
            return other if one is None or _comparable(other) > _comparable(one) else one
        except TypeError:
            raise PermanentSourceError(
                f"incremental.field: {self._incremental.field!r} has values that cannot be compared, {one!r} and {other!r}; name a field of numbers, or of times"
            ) from None


def since(incremental: Incremental, largest: Scalar | None) -> Scalar:
    """Return what the next run asks for: the largest value landed less the overlap, written as the server writes it.

    Raises:
        PermanentSourceError: the overlap cannot be taken from such a value.

    """
    overlap = incremental.overlap
    if largest is None:
        return incremental.start
    if not overlap:
        return largest
    if isinstance(largest, str):
        moment = _moment(largest)
        if moment is not None and isinstance(overlap, timedelta):
            return _as_written(largest, moment - overlap)
    elif not isinstance(overlap, timedelta):
        whole = isinstance(largest, int) and float(overlap).is_integer()
        return largest - int(overlap) if whole else largest - overlap
    raise PermanentSourceError(
        f"incremental.overlap: {overlap} cannot be taken from {largest!r}; give a number for numbers, and e.g. 1h for times"
    )


def _value_at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _comparable(value: Scalar) -> Any:
    """Return what decides which of two values is larger: the moment of a time, a number or a text itself."""
    moment = _moment(value) if isinstance(value, str) else None
    if moment is None:
        return value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _as_written(pattern: str, moment: datetime) -> str:
    """Return a moment in the form that `pattern` has: a date, with Z, and with a T or a space."""
    if len(pattern) == _DATE_CHARACTERS:
        return moment.date().isoformat()  # an overlap of hours reaches into the day before
    separator = "T" if "T" in pattern else " "
    text = moment.isoformat(sep=separator)
    return text.removesuffix("+00:00") + "Z" if pattern.endswith("Z") else text
