"""Incremental sources: each run asks only for what is new."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tasks.config.base import BodyPath, ConfigModel, NonEmpty, Scalar, read_duration
from tasks.config.columns import find_format_mistake
from tasks.config.pagination import Place, check_param_names

ISO = "iso"
EPOCHS = {"epoch_s": timedelta(seconds=1), "epoch_ms": timedelta(milliseconds=1)}
"""Ways to write a time as a number, and what it counts."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?")


def _read_overlap(value: Any) -> Any:
    """Return an overlap as the number or the time that it is."""
    number = _read_number(value)
    if isinstance(number, int | float) and not isinstance(number, bool):
        if number < 0:
            raise ValueError(f"{number} is below zero; write how far to go back")
        return float(number)
    try:
        return read_duration(value)
    except ValueError:
        raise ValueError(f"{value!r:.80} is neither a number nor a duration; write e.g. 100 or 1h") from None


Overlap = Annotated[float | timedelta, BeforeValidator(_read_overlap)]


def read_start(value: Scalar) -> Scalar:
    """Return the value of a first run as the number or the time that it is.

    Raises:
        ValueError: it is neither.

    """
    start: Scalar = _read_number(value)
    if isinstance(start, str):
        try:
            datetime.fromisoformat(start)
        except ValueError:
            raise ValueError(
                f"{start!r:.80} is neither a number nor a time in ISO 8601; write e.g. 0 or 2024-01-01T00:00:00Z"
            ) from None
    return start


def check_overlap(overlap: float | timedelta, start: Scalar) -> None:
    """Raise ValueError where an overlap cannot be taken from values like the start."""
    grows_in_time = isinstance(start, str)
    if overlap and grows_in_time != isinstance(overlap, timedelta):
        cure = "a time, e.g. 1h" if grows_in_time else "a number, e.g. 100"
        raise ValueError(f"overlap goes back from values like start, {start!r}; write {cure}")


class Incremental(ConfigModel):
    """Each run asks only for what is newer than what is landed."""

    KEY: ClassVar[str] = "incremental.field"

    field: BodyPath
    """Path in a record to the value that grows, e.g. updated_at: a number, or a time in ISO 8601."""
    param: NonEmpty
    """What takes the largest value landed: a query parameter, or what place says."""
    place: Place = "query"
    """Where it is sent: as query parameter, header, at a path in the JSON body, as filter.since, or wherever {since} stands in url, params, headers or body."""
    until: NonEmpty | None = None
    """What takes, in the same place, the time at which the run began to ask, so that nothing newer moves the pages under way."""
    format: NonEmpty | None = None
    """How both are written: iso (2024-01-31T00:00:00Z), epoch_s, epoch_ms, or as strftime has it, e.g. "%Y-%m-%d %H:%M", in UTC; without it the largest value as it came, and the time as iso."""
    start: Scalar
    """Value of the first run: a number, or a time in ISO 8601."""
    overlap: Overlap = Field(default=0.0, json_schema_extra={"minimum": 0})  # told to editors
    """How far before the largest value to ask again, for rows that came late: a number, or 1h for a time. What comes twice is dropped by key."""

    _is_number_or_time = field_validator("start")(read_start)

    @model_validator(mode="after")
    def _fits_together(self) -> Incremental:
        grows_in_time = isinstance(self.start, str)
        check_param_names(self.place, self.param, self.until)
        self._check_format(grows_in_time=grows_in_time)
        check_overlap(self.overlap, self.start)
        return self

    def _check_format(self, *, grows_in_time: bool) -> None:
        if self.format in EPOCHS:
            return
        if self.format is None:
            if self.until is not None and not grows_in_time:
                raise ValueError(
                    f"start is a number, {self.start}, which tells not how until is written; add format: epoch_s, or epoch_ms"
                )
            return
        if not grows_in_time:
            raise ValueError(
                f"format: {self.format!r:.80} is of times, and start is a number; write epoch_s or epoch_ms"
            )
        if self.format == ISO:
            return
        if "%" not in self.format:
            raise ValueError(
                f"format: {self.format!r:.80} is no way to write a time; write iso, epoch_s, epoch_ms, or e.g. %Y-%m-%d"
            )
        if (mistake := find_format_mistake(self.format)) is not None:
            raise ValueError(f"format: {self.format!r:.80} {mistake}")


def _read_number(value: Any) -> Any:
    """Return the number that a text is, as variables of the environment are texts; another value as it is."""
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    return float(value) if match["fraction"] else int(value)
