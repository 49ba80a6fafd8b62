"""The largest value landed, and what the next run asks for: in the server's own form, never too late."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import Incremental, Scalar
from tasks.core.errors import PermanentSourceError
from tasks.ingest.landing.watermark import Watermark, since

MOMENTS = st.datetimes(min_value=datetime(2001, 1, 1))  # noqa: DTZ001 - hypothesis takes none with a zone


def incremental(start: Scalar = 0, overlap: Any = 0, field: str = "at") -> Incremental:
    """Return how a source grows."""
    return Incremental.model_validate({"field": field, "param": "since", "start": start, "overlap": overlap})


def largest_of(*values: Any, before: Scalar | None = None) -> Scalar | None:
    """Return the largest of some values, one a record."""
    watermark = Watermark(incremental(), before)
    watermark.see(json.dumps({"id": 1, "at": value}).encode() for value in values)
    watermark.check()
    return watermark.largest


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        ([1, 3, 2], 3),
        ([1, 2.5], 2.5),
        ([10**30, 1], 10**30),
        ([-2, -1.5], -1.5),
        (["9", "10"], "10"),
        (["1.5", "1.25"], "1.5"),
        (["2024-01-02", "2024-01-10", None, "2024-01-09"], "2024-01-10"),
        (["2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z"], "2024-01-01T09:00:00Z"),
        (["2024-01-01T10:00:00", "2024-01-01T09:59:59Z"], "2024-01-01T10:00:00"),
        (["2024-01-01 10:00:00.5", "2024-01-01 10:00:00.25"], "2024-01-01 10:00:00.5"),
        ([None, None, 4], 4),
    ],
)
def test_the_largest_value_is_kept_as_it_came(values: list[Any], largest: Scalar) -> None:
    """Numbers are compared as numbers, times as moments, whatever form they have; what has none counts for nothing."""
    assert largest_of(*values) == largest_of(*reversed(values)) == largest


def test_what_was_landed_before_counts() -> None:
    """An increment of older rows does not take the largest value back."""
    assert largest_of(3, 4, before=5) == largest_of(before=5) == 5


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (b'{"a": {"b": {"c": 7}}}', 7),
        (b'{"a": {"b": {}}}', None),
        (b'{"a": {"b": null}}', None),
        (b'{"a": [1]}', None),
        (b'{"a": "text"}', None),
        (b"[1]", None),
        (b"5", None),
        (b'{"x": NaN, "a": {"b": {"c": 8}}}', 8),
        (b'{"x": NaN, "a": 5}', None),
        (b'{"\xff": 1, "a": {"b": {"c": 9}}}', 9),
    ],
)
def test_a_field_may_be_within_another(record: bytes, value: Scalar | None) -> None:
    """A dotted path leads to the value; a record in which it leads nowhere is one without it."""
    watermark = Watermark(incremental(field="a.b.c"))

    watermark.see([record])

    assert watermark.largest == value


@pytest.mark.parametrize(
    "value", [True, {"a": 1}, [1], "soon", "01/02/2024", "Tue, 02 Jan 2024 00:00:00 GMT", "", "2024-13-01"]
)
def test_a_value_that_does_not_grow_is_refused(value: Any) -> None:
    """What is neither a number nor a time in ISO 8601 has no order to be trusted: it is quoted, with the cure."""
    with pytest.raises(
        PermanentSourceError,
        match=r"^incremental.field: 'at' has the value .*, which is neither a number nor a time in ISO 8601; name a",
    ):
        largest_of(value)


@pytest.mark.parametrize("values", [(1, "2024-01-01"), ("2024-01-01T00:00:00Z", "5")])
def test_values_of_two_kinds_are_refused(values: tuple[Any, Any]) -> None:
    """Numbers and times have no order among each other."""
    with pytest.raises(PermanentSourceError, match=r"'at' has values that cannot be compared, .* and .*; name a field"):
        largest_of(*values)


def test_a_field_that_no_record_has_is_refused() -> None:
    """Rows without the field would be asked for again for ever; no rows at all are no mistake."""
    with pytest.raises(PermanentSourceError, match=r"^incremental.field: 'at' is in none of 2 records; correct the"):
        largest_of(None, None)
    with pytest.raises(PermanentSourceError, match="in none of 5 records"):
        Watermark(incremental(), rows=5).check()
    assert largest_of() is None


@pytest.mark.parametrize(
    ("largest", "overlap", "asked"),
    [
        (5, 0, 5),
        (5, 2, 3),
        (5, 0.5, 4.5),
        (5.5, 2, 3.5),
        ("12", 2, 10),
        (10**30, 1, 10**30 - 1),
        ("2024-01-01T00:00:00Z", 0, "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00Z", "1h", "2023-12-31T23:00:00Z"),
        ("2024-01-01T00:00:00+02:00", "1h", "2023-12-31T23:00:00+02:00"),
        ("2024-01-01T00:00:00-0330", "1h", "2023-12-31T23:00:00-0330"),
        ("2024-01-01T00:00:00", "1h", "2023-12-31T23:00:00"),
        ("2024-01-01 00:00:00", "1h", "2023-12-31 23:00:00"),
        ("2024-01-01 00:00:00+00", "1h", "2023-12-31 23:00:00+00"),
        ("2024-01-01T00:00Z", "90s", "2023-12-31T23:58Z"),
        ("2024-01-01T00:00:00.000Z", "1h", "2023-12-31T23:00:00.000Z"),
        ("2024-01-01T00:00:00.12345678Z", "1s", "2023-12-31T23:59:59.12345600Z"),
        ("2024-01-01T00:00:00,5Z", "1s", "2023-12-31T23:59:59,5Z"),
        ("2024-01-01", "1h", "2023-12-31"),
        ("2024-01-01", "7d", "2023-12-25"),
    ],
)
def test_the_next_run_asks_in_the_form_of_the_server(largest: Scalar, overlap: Any, asked: Scalar) -> None:
    """The overlap is taken from the largest value, which keeps the form it came in."""
    start = 0 if not isinstance(largest, str) or largest.isdigit() else "2000-01-01"

    assert since(incremental(start, overlap), largest) == asked


def test_the_first_run_asks_from_the_start() -> None:
    """So does each one until a row has come."""
    assert since(incremental("2024-01-01", "1h"), None) == "2024-01-01"


@pytest.mark.parametrize(
    ("start", "overlap", "largest"),
    [
        (3, 10, 5),
        (3, 10, "5"),
        ("2024-01-01", "2d", "2024-01-02T00:00:00Z"),
        ("0001-01-01", "52w", "0001-01-02"),
    ],
)
def test_no_run_asks_for_what_is_before_the_start(start: Scalar, overlap: Any, largest: Scalar) -> None:
    """However long the overlap is, what was left out of the first run does not come with a later one."""
    assert since(incremental(start, overlap), largest) == start


@pytest.mark.parametrize(
    ("start", "overlap", "largest"),
    [(0, 5, "2024-01-01"), ("2024-01-01", "1h", 5), ("2024-01-01", "1h", "20240102T10"), ("2024-01-01", "1h", "7")],
)
def test_an_overlap_that_does_not_fit_the_values_is_refused(start: Scalar, overlap: Any, largest: Scalar) -> None:
    """A time from a number, or a number from a time, or from one in a form of its own, is told with the value."""
    with pytest.raises(PermanentSourceError, match=r"^incremental.overlap: .* cannot be taken from .*; give a number"):
        since(incremental(start, overlap), largest)


@settings(max_examples=100)
@given(MOMENTS, st.integers(0, 10**6), st.sampled_from("T "))
def test_no_row_within_the_overlap_is_passed_over(moment: datetime, seconds: int, separator: str) -> None:
    """Whatever is asked for is as early as the overlap says, and in the very form of the largest value."""
    texts = [
        moment.isoformat(separator, timespec) for timespec in ("minutes", "seconds", "milliseconds", "microseconds")
    ]
    how = incremental("2000-01-01", f"{seconds}s")

    asked = [str(since(how, text)) for text in texts]

    assert [len(text) for text in asked] == [len(text) for text in texts]
    assert all(
        0 <= (moment.fromisoformat(before) - moment.fromisoformat(after)).total_seconds() - seconds < 60
        for before, after in zip(texts, asked, strict=True)
    )
