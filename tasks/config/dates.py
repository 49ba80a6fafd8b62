"""Dates as a source's partitions: hours, days, weeks or months from a date on, to another or to now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from itertools import islice
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator, model_validator

from tasks.config.base import ConfigModel, Duration, NonEmpty

NOW = "now"
_UTC = "UTC"  # which needs no file
MOST_INTERVALS = 100_000
_EVERY = re.compile(r"(?P<number>[1-9][0-9]{0,3})(?P<unit>h|d|w|mo)")
_FORMATS = {"h": "%Y-%m-%dT%H", "d": "%Y-%m-%d", "w": "%Y-%m-%d", "mo": "%Y-%m"}
_DIRECTIVES = ("%Y", "%m", "%d", "%H", "%M", "%z")
_LAST_DAY = 28  # that every month has
_MONTHS = 12
_SEEN_AHEAD = timedelta(days=2 * 366)  # in which a format without a year, a month or an hour repeats itself
_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True)
class Interval:
    """What one partition is of: from its begin on, and before its end; both are in UTC."""

    begin: datetime
    end: datetime


class Dates(ConfigModel):
    """Hours, days, weeks or months, one after the other; each is a partition.

    `{NAME}` takes its begin, `{NAME_end}` the begin of the next one, and `{NAME_last}` the last second before that.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    from_: Annotated[NonEmpty, Field(alias="from")]
    """Begin of the first one, e.g. 2024-01-01 or 2024-01-01T06:00."""
    to: NonEmpty = NOW
    """The last one is that of this day, or the one before this time; now: when the run was to start, and the last one is not over yet."""
    every: NonEmpty
    """How long each is: a number and h, d, w or mo, e.g. 1d, or 1mo."""
    format: NonEmpty | None = None
    """How its begin and end are written, as strftime does; without it 2024-01-31, of months 2024-01, of hours 2024-01-31T06."""
    timezone: NonEmpty = _UTC
    """Zone of the dates, e.g. Europe/Berlin: where days begin."""
    lookback: Duration = timedelta()
    """How long after its end one may still change: until it is landed after that, each run fetches it again."""

    _written = field_validator("from_", "to", mode="before")(
        lambda value: value.isoformat() if isinstance(value, date) else value  # as Python has it
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            if value != _UTC:
                ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r:.80} is no time zone; write one like Europe/Berlin, or UTC") from None
        return value

    @field_validator("every")
    @classmethod
    def _is_whole(cls, value: str) -> str:
        if not _EVERY.fullmatch(value):
            raise ValueError(f"{value!r:.80} is not how long a partition is; write a number and h, d, w or mo, e.g. 1d")
        return value

    @field_validator("from_", "to")
    @classmethod
    def _is_date(cls, value: str, info: Any) -> str:
        if info.field_name == "to" and value == NOW:
            return value
        try:
            datetime.fromisoformat(value)
        except ValueError:
            cure = " or now" if info.field_name == "to" else ""
            raise ValueError(
                f"{value!r:.80} is not a date; write one like 2024-01-31, 2024-01-31T06:00{cure}"
            ) from None
        return value

    @model_validator(mode="after")
    def _begins_in_its_zone(self) -> Dates:
        first = datetime.fromisoformat(self.from_)
        if first.tzinfo is not None and first.utcoffset() != first.astimezone(self._zone).utcoffset():
            there = first.astimezone(self._zone).replace(tzinfo=None).isoformat(timespec="minutes")
            raise ValueError(
                f"from: {self.from_} is {there} in timezone {self.timezone}, by which the dates are written; "
                "write from without an offset, and the timezone it is of"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Dates:
        if self._unit == "mo" and self._first.day > _LAST_DAY:
            raise ValueError(
                f"from: {self.from_}: not every month has a day {self._first.day}; begin on one before the 29th"
            )
        if next(self._intervals(self.limit), None) is None:
            raise ValueError(f"there is no {self.every} from {self.from_} to {self.to}; write the earlier date as from")
        ahead = max(self.limit, self._begin(0) + _SEEN_AHEAD) if self.is_open else self.limit
        seen: dict[str, Interval] = {}
        for interval in islice(self._intervals(ahead), MOST_INTERVALS):
            text = self.write(interval.begin)
            if (other := seen.setdefault(text, interval)) is not interval:
                one, two = (each.begin.astimezone(self._zone) for each in (other, interval))
                cure = next(each for each in _DIRECTIVES if one.strftime(each) != two.strftime(each))
                raise ValueError(
                    f"format {self.written_as!r} writes {text!r:.80} for both {one.isoformat()} and {two.isoformat()}; "
                    f"add what tells them apart, {cure}"
                )
        return self

    @property
    def is_open(self) -> bool:
        """Return whether the last one is the one that now is in."""
        return self.to == NOW

    @property
    def written_as(self) -> str:
        """Return the format by which times are written."""
        return self.format or _FORMATS[self._unit]

    def until(self, now: datetime) -> Dates:
        """Return the same with the open end at a time, at which it then stays."""
        return self.model_copy(update={"to": now.isoformat()}) if self.is_open else self

    @property
    def limit(self) -> datetime:
        """Return the time before which the last one begins."""
        if self.is_open:
            return datetime.now(UTC)
        if _is_day(self.to):
            return self._localize(datetime.fromisoformat(self.to) + _DAY)
        return self._moment(self.to).astimezone(UTC)

    def intervals(self) -> list[Interval]:
        """Return every interval, in order; of more than there may be, one more than that."""
        return list(islice(self._intervals(self.limit), MOST_INTERVALS + 1))

    def write(self, moment: datetime) -> str:
        """Return a time as requests have it."""
        return moment.astimezone(self._zone).strftime(self.written_as)

    def write_plain(self, moment: datetime) -> str:
        """Return a time as slices have it: 2024-01-31, whatever the format."""
        return moment.astimezone(self._zone).strftime(_FORMATS[self._unit])

    def _intervals(self, limit: datetime) -> Iterator[Interval]:
        begin, number = self._begin(0), 1
        while begin < limit:
            try:
                end = self._begin(number)
            except (OverflowError, ValueError):  # after the year 9999
                return
            yield Interval(begin, end)
            begin, number = end, number + 1

    def _begin(self, number: int) -> datetime:
        """Return where an interval begins, counted from 0: hours by a clock that is never put forward or back, others by the zone's."""
        steps = number * self._number
        if self._unit == "h":
            return self._first.astimezone(UTC) + timedelta(hours=steps)
        plain = self._first.replace(tzinfo=None)
        if self._unit == "mo":
            years, month = divmod(plain.month - 1 + steps, _MONTHS)
            return self._localize(plain.replace(year=plain.year + years, month=month + 1))
        return self._localize(plain + steps * (_WEEK if self._unit == "w" else _DAY))

    def _moment(self, text: str) -> datetime:
        """Return the time that a text means, in the zone of the dates."""
        moment = datetime.fromisoformat(text)
        return moment.astimezone(self._zone) if moment.tzinfo else moment.replace(tzinfo=self._zone)

    def _localize(self, plain: datetime) -> datetime:
        return plain.replace(tzinfo=self._zone).astimezone(UTC)

    @cached_property
    def _zone(self) -> tzinfo:
        return UTC if self.timezone == _UTC else ZoneInfo(self.timezone)

    @cached_property
    def _first(self) -> datetime:
        return self._moment(self.from_)

    @cached_property
    def _unit(self) -> str:
        return _EVERY.sub(r"\g<unit>", self.every)

    @cached_property
    def _number(self) -> int:
        return int(_EVERY.sub(r"\g<number>", self.every))


def _is_day(text: str) -> bool:
    """Return whether a text is a date without a time."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
