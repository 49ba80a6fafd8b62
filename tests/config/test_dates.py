"""Dates as partitions: which there are, how they are written, and which declarations are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import Dates, Pipeline


def dates(begin: str = "2024-01-30", every: str = "1d", **keys: Any) -> Dates:
    """Return dates that are declared so."""
    return Dates.model_validate({"from": begin, "every": every, **keys})


def written(declared: Dates) -> list[str]:
    """Return the begins of all partitions as requests have them, and the end of the last one."""
    found = declared.intervals()
    return [*(declared.write(each.begin) for each in found), declared.write(found[-1].end)]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (dates(to="2024-02-01"), ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]),
        (dates(to="2024-02-01T00:00"), ["2024-01-30", "2024-01-31", "2024-02-01"]),
        (dates(to="2024-02-01T00:01"), ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]),
        (dates(to="2024-02-03", every="3d"), ["2024-01-30", "2024-02-02", "2024-02-05"]),
        (dates("2024-01-01", "1w", to="2024-01-15", format="%G-W%V"), ["2024-W01", "2024-W02", "2024-W03", "2024-W04"]),
        (dates("2023-12-01", "1mo", to="2024-01-31"), ["2023-12", "2024-01", "2024-02"]),
        (dates("2023-11-28", "2mo", to="2024-01-31", format="%d.%m.%Y"), ["28.11.2023", "28.01.2024", "28.03.2024"]),
        (dates("2024-01-01T22:00", "1h", to="2024-01-02T00:00"), ["2024-01-01T22", "2024-01-01T23", "2024-01-02T00"]),
        (
            dates("2024-03-31", "6h", to="2024-03-31", timezone="Europe/Berlin", format="%H:%M%z"),
            ["00:00+0100", "07:00+0200", "13:00+0200", "19:00+0200", "01:00+0200"],
        ),
        (
            dates("2024-03-30", to="2024-03-31", timezone="Europe/Berlin", format="%Y-%m-%dT%H%z"),
            ["2024-03-30T00+0100", "2024-03-31T00+0100", "2024-04-01T00+0200"],
        ),
        (dates("9999-12-30", to="9999-12-31T00:00"), ["9999-12-30", "9999-12-31"]),
    ],
)
def test_dates_follow_each_other(declared: Dates, expected: list[str]) -> None:
    """The last one is that of the day `to`, or the one before that time; days and months begin by the zone's clock."""
    assert written(declared) == expected


def test_the_open_end_is_when_a_run_was_to_start() -> None:
    """Now is any time until a run says which it is: the last partition is the one that this time is in."""
    pipeline = Pipeline.model_validate(
        {
            "name": "p",
            "sources": {
                "s": {"kind": "api", "url": "http://h", "partitions": {"day": {"from": "2024-01-30", "every": "1d"}}}
            },
        }
    )
    at = pipeline.until(datetime(2024, 2, 1, 0, 0, 1, tzinfo=UTC))
    (days,) = at.fetched["s"].partitions.values()

    assert isinstance(days, Dates)
    assert written(days) == ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
    assert at.until(datetime(2025, 1, 1, tzinfo=UTC)) == at == Pipeline.model_validate_json(at.model_dump_json())
    assert len(dates((datetime.now(UTC) - timedelta(days=9)).date().isoformat()).intervals()) in (10, 11)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"from": "soon"}, "'soon' is not a date; write one like 2024-01-31, 2024-01-31T06:00"),
        (
            {"from": "2024-01-30T00:00+05:00"},
            "from: 2024-01-30T00:00+05:00 is 2024-01-29T19:00 in timezone UTC, by which the dates are written",
        ),
        ({"to": "later"}, "'later' is not a date; write one like 2024-01-31, 2024-01-31T06:00 or now"),
        ({"every": "1m"}, "'1m' is not how long a partition is; write a number and h, d, w or mo, e.g. 1d"),
        ({"every": "0d"}, "'0d' is not how long a partition is"),
        ({"timezone": "Berlin"}, "'Berlin' is no time zone; write one like Europe/Berlin, or UTC"),
        ({"to": "2024-01-29"}, "there is no 1d from 2024-01-30 to 2024-01-29; write the earlier date as from"),
        ({"from": "2999-01-01", "to": "now"}, "there is no 1d from 2999-01-01 to now"),
        ({"every": "1mo"}, "from: 2024-01-30: not every month has a day 30; begin on one before the 29th"),
        ({"lookback": "2"}, "'2' is not a duration; write a number and s, m, h, d or w, e.g. 24h"),
        ({"format": "%Y-%m"}, "format '%Y-%m' writes '2024-01' for both 2024-01-30T00:00:00+00:00 and 2024-01-31T00"),
        ({"format": "day"}, "add what tells them apart, %d"),
        (
            {"to": "now", "format": "%m-%d"},
            "2024-01-30T00:00:00+00:00 and 2025-01-30T00:00:00+00:00; add what tells them apart, %Y",
        ),
        (
            {"from": "2024-01-01", "every": "1h", "to": "now", "timezone": "Europe/Berlin"},
            "2024-10-27T02:00:00+02:00 and 2024-10-27T02:00:00+01:00; add what tells them apart, %z",
        ),
        ({"from": "2024-01-01", "every": "12h", "format": "%Y-%m-%d %I"}, "writes '2024-01-01 12' for both"),
    ],
)
def test_wrong_dates_are_told(keys: dict[str, str], sentence: str) -> None:
    """The sentence has the value and the cure; a format must tell apart also the dates that are still to come."""
    with pytest.raises(ValidationError) as caught:
        Dates.model_validate({"from": "2024-01-30", "to": "2024-02-03", "every": "1d", **keys})

    assert sentence in str(caught.value)


def test_dates_of_python_are_dates() -> None:
    """What is declared in Python may be dates, and times."""
    declared = Dates.model_validate({"from": date(2024, 1, 30), "to": datetime(2024, 2, 1, tzinfo=UTC), "every": "1d"})

    assert written(declared) == ["2024-01-30", "2024-01-31", "2024-02-01"]


def test_a_format_is_right_where_the_dates_end_before_it_repeats_itself() -> None:
    """Of days within one year the year need not be told."""
    assert written(dates("2024-12-30", to="2024-12-31", format="%d.%m.")) == ["30.12.", "31.12.", "01.01."]
