"""What a Retry-After header asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.wishes import retry_after_s

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("\xb2", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sat, 01 Jun 2013 12:00:30 GMT", 30.0),
        ("Sat, 01 Jun 2013 12:00:30 -0000", 30.0),
        ("Sat, 01 Jun 2013 14:00:30 +0200", 30.0),
        ("Sat, 01 Jun 2013 11:00:00 GMT", 0.0),
        ("Sat, 01 Jun 99999999999999999999 11:00:00 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """A number is seconds, a date the time until then, and what cannot be read is no wish."""
    assert retry_after_s(value, NOW) == seconds


@given(st.integers(min_value=0, max_value=10**9))
def test_any_date_to_come_is_as_far_away_as_it_is(seconds: int) -> None:
    """The date so many seconds away asks for so many seconds."""
    assert retry_after_s(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_no_header_is_an_error(value: str) -> None:
    """Whatever a server sends, the answer is no wish or a time that is not negative."""
    seconds = retry_after_s(value, NOW)

    assert seconds is None or seconds >= 0
