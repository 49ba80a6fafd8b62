"""Numbers that are times: what they count since 1970, and Excel's days, through each format."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import to_excel

from tasks.config import Column
from tasks.convert.schema.cleaning import clean
from tasks.convert.schema.moments import as_moments
from tests.convert.test_cleaning import FORMATS, convert

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
at = datetime.fromisoformat


@FORMATS
@pytest.mark.parametrize(
    ("unit", "values", "times"),
    [
        ("s", [1700000000, None, "N/A", -1], [at("2023-11-14T22:13:20"), None, None, at("1969-12-31T23:59:59")]),
        ("s", [1700000000.25, "-0.5", "1700000000.000001"], [at("2023-11-14T22:13:20.250000"), at("1969-12-31T23:59:59.500000"), at("2023-11-14T22:13:20.000001")]),
        ("ms", [1700000000123, 100], [at("2023-11-14T22:13:20.123000"), at("1970-01-01T00:00:00.100000")]),
        ("us", [1700000000123456], [at("2023-11-14T22:13:20.123456")]),
        ("ns", [1700000000123456000], [at("2023-11-14T22:13:20.123456")]),
    ],
)  # fmt: skip
def test_numbers_count_since_1970(
    tmp_path: Path, name: str, unit: str, values: list[Any], times: list[datetime]
) -> None:
    """Whole ones and decimals are exact, in UTC; null stays null."""
    kept, reasons = convert(tmp_path, name, values, type="timestamp", unit=unit)

    assert kept == [None if time is None else time.replace(tzinfo=UTC) for time in times]
    assert reasons == []


@FORMATS
@pytest.mark.parametrize(
    ("unit", "value"),
    [("s", 1700000000000), ("s", "0.0000001"), ("ns", 1700000000123456789), ("us", "0.5"), ("s", "2023-11-14"), ("s", "9" * 30)],
)  # fmt: skip
def test_what_is_no_such_time_is_a_reject(tmp_path: Path, name: str, unit: str, value: Any) -> None:
    """Out of the years, finer than a timestamp tells, or no number: the reason names the value as it is written."""
    kept, reasons = convert(tmp_path, name, [value, 0], type="timestamp", unit=unit)

    assert kept == [EPOCH]
    assert reasons == [
        f"{str(value)!r} is no number of {unit} since 1970 that is a whole microsecond of the years 1 to 9999"
    ]


@FORMATS
def test_days_of_excel(tmp_path: Path, name: str) -> None:
    """The day that 1900 had for Excel alone is a reject, and so is one with a time among dates."""
    kept, reasons = convert(
        tmp_path, name, [1, 59, 60, 61, 45000, 45000.5, 0, -1, 2958465, 2958466], type="date", origin=1900
    )

    assert kept == [date(1900, 1, 1), date(1900, 2, 28), date(1900, 3, 1), date(2023, 3, 15), date(9999, 12, 31)]
    assert reasons == [
        f"{text!r} is no date as Excel counts days since 1900" for text in ("60", "45000.5", "0", "-1", "2958466")
    ]


@FORMATS
def test_fractions_of_days_are_times(tmp_path: Path, name: str) -> None:
    """Also by the calendar that begins in 1904, and to the millisecond that Excel shows."""
    values = [0, 43538.5104166666642]

    assert convert(tmp_path, name, values, type="timestamp", origin=1904) == (
        [at("1904-01-01T00:00:00"), at("2023-03-15T12:15:00")],
        [],
    )


def test_decimal_commas_are_those_of_the_file() -> None:
    """A point is none beside them."""
    values = ["45000,5", "45000.5"]
    columns = Column(type="timestamp", origin=1900).model_copy(update={"decimal": ","})

    cleaned = clean(pa.chunked_array([values]), columns)

    assert cleaned.values.to_pylist() == [at("2023-03-15T12:00:00"), None]
    assert cleaned.misfits == [1]


@given(
    st.lists(st.datetimes(at("0001-01-01T00:00:00"), at("9999-12-31T00:00:00")), min_size=1),
    st.sampled_from(["s", "ms", "us", "ns"]),
)
def test_every_time_comes_back(times: list[datetime], unit: str) -> None:
    """To the last digit, from decimals as from whole numbers."""
    microseconds = [(time.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for time in times]
    digits = {"s": 6, "ms": 3, "us": 0}.get(unit)
    texts = [f"{n}000" if digits is None else _shifted(n, digits) for n in microseconds]

    cleaned = clean(pa.chunked_array([texts]), Column(type="timestamp", unit=unit))

    fits = [abs(float(text)) < 9.2e18 for text in texts]  # in 64 bits
    assert cleaned.values.to_pylist() == [
        time.replace(tzinfo=UTC) if fit else None for time, fit in zip(times, fits, strict=True)
    ]


@given(st.datetimes(at("1904-01-02T00:00:00"), at("2200-01-01T00:00:00")))
def test_every_day_is_that_of_a_workbook(time: datetime) -> None:
    """A serial is the time of which it is made, to the millisecond."""
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)

    cleaned = clean(pa.chunked_array([[repr(to_excel(time))]]), Column(type="timestamp", origin=1900))

    assert cleaned.values.to_pylist() == [time]


def _shifted(number: int, digits: int) -> str:
    sign, text = "-" if number < 0 else "", str(abs(number)).zfill(digits + 1)
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_number_is_the_same_time_whatever_others_are(unit: str) -> None:
    """Alone, beside plain decimals, and beside a text that is none."""
    texts = [
        "0.5",
        "5.",
        ".5",
        "-.5",
        "-0.25",
        "+1.5",
        "1e5",
        "1700000000.125",
        "0.1234567",
        "7.000000000000",
        "1" * 17,
    ]
    texts += ["9" * 19 + ".5", "0x1F.5", "1.5.5", "-62135596800.5", "253402300799999.5"]
    declared = Column(type="timestamp", unit=unit)

    def read(*written: str) -> list[Any]:
        found: list[Any] = clean(pa.chunked_array([written]), declared).values.cast(pa.int64()).to_pylist()
        return found

    together = read(*texts, "x")[:-1]

    assert together == [value for text in texts for value in read(text)]
    assert together == [value for text in texts for value in read(text, "0.5")[:1]]


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_a_plus_before_an_epoch_says_nothing(unit: str) -> None:
    """Alone, or beside numbers without one; 0x10 is none."""
    declared = Column(type="timestamp", unit=unit)
    for texts, fits in ((["+5000"], 1), (["+5000", "5000"], 2), (["0x10", "5000"], 1)):
        moments, misfits = as_moments(pa.chunked_array([texts]), declared)

        assert len(texts) - len(misfits) == fits
        assert moments[-1].as_py() == as_moments(pa.chunked_array([["5000"]]), declared)[0][0].as_py()
