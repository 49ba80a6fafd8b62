"""What an incremental source asks for: values newer than one, up to a time, written as its server reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.config import Incremental, Scalar
from tasks.config.incremental import EPOCHS, ISO
from tasks.config.pagination import Place
from tasks.core.errors import PermanentSourceError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def list_asked(
    incremental: Incremental, since: Scalar | None, began: datetime | None
) -> list[tuple[Place, str, Scalar]]:
    """Return the values that each request carries, where, and as what; of `since` None is the start, where it has to stand somewhere.

    Raises:
        PermanentSourceError: a value cannot be written in the format that is declared.

    """
    place = incremental.place
    if since is None and place == "placeholder":
        since = incremental.start
    asked: list[tuple[Place, str, Scalar]] = []
    if since is not None:
        asked.append((place, incremental.param, _write_value(incremental.format, since)))
    if incremental.until is not None:
        now = began or datetime.now(UTC)
        asked.append((place, incremental.until, _write_moment(incremental.format or ISO, now)))
    return asked


def _write_value(form: str | None, value: Scalar) -> Scalar:
    """Return a value that landed in a format; without one, and as a number where numbers are asked for, it is as it came."""
    if form is None or (form in EPOCHS and not isinstance(value, str)):
        return value
    if form in EPOCHS and isinstance(value, str) and value.isdecimal():  # which may be a time, too, as 20240101 is
        return int(value)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is not None:
        return _write_moment(form, moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    raise PermanentSourceError(
        f"incremental.format: {form!r:.60} is of times, and the largest value of the field is {value!r:.60}; "
        "take format out, or name a field of times"
    )


def _write_moment(form: str, moment: datetime) -> Scalar:
    """Return a moment in UTC in a format; what is finer than the format is cut off, so that it is never too late."""
    if form in EPOCHS:
        return (moment - _EPOCH) // EPOCHS[form]
    if form == ISO:
        return moment.isoformat().replace("+00:00", "Z")
    return moment.strftime(form)
