"""The check that the newest row of a table is not old."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from tasks.config.base import ConfigModel, Duration, NonEmpty, write_duration
from tasks.config.checks import CheckFailure, TableCheck, TableRows
from tasks.convert.checks.columns import EPOCH, TIMES, as_time


class Freshness(ConfigModel):
    """How old the newest row of a table may be."""

    column: NonEmpty
    """Column of dates or times; in UTC where they tell no zone."""
    within: Duration
    """How long before now its latest value may be, e.g. 48h."""


class Fresh(TableCheck):
    """A table whose newest row is not old."""

    name: ClassVar[str] = "fresh"
    ages: ClassVar[bool] = True

    fresh: Freshness
    """The column of times, and how old the latest may be."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column."""
        return (self.fresh.column,)

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return f"a row of the last {write_duration(self.fresh.within)}"

    def refuse(self, types: Mapping[str, str]) -> None:
        """Raise where the column is neither of times nor of texts."""
        column = self.fresh.column
        if types[column] not in (*TIMES, "string"):
            raise ValueError(f"{column!r} is of type {types[column]}, no time; name a column of times")

    def find(self, rows: TableRows, types: Mapping[str, str], now: datetime) -> CheckFailure | None:
        """Return how old the latest value is, if it is too old, or that there is none."""
        column, within = self.fresh.column, self.fresh.within
        latest = rows.fetch(f"SELECT max({as_time(column, types[column])}) FROM rows")[0][0]  # noqa: S608 - quoted
        if latest is None:
            return CheckFailure(f"the table has no time in {column}")
        if latest >= (now - within - EPOCH) // timedelta(microseconds=1):
            return None
        return CheckFailure(f"the latest {column} is {_time_text(latest)}")


def _time_text(microseconds: int) -> str:
    try:
        return f"{EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "beyond the year 9999"
