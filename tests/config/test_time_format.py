"""A format by which another time would be read than is written is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.config import Column


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("%Y-%m-%d %H:%M %Z", "reads the name of a zone in %Z and drops it; write %z"),
        ("%Y-%U", "has %U, which counts only beside a weekday and %Y; add %w and %Y"),
        ("%Y-W%W", "has %W, which counts only beside a weekday and %Y"),
        ("%y-%W-%w", "has %W, which counts only beside a weekday and %Y"),
        ("%d/%m", "has no year, and every date would be in 1900; add %Y"),
        ("%H:%M:%S", "has no year"),
        ("%d/%m/%%Y", "has no year"),
        ("%d/%m/%Y %I:%M", "has %I, the hour of twelve, and no %p"),
        ("%d/%m/%Y %Q", "is none of strptime ('Q' is a bad directive in format '%d/%m/%Y %Q'); correct it"),
        ("%d/%m/%Y %", "is none of strptime ("),
        ("%G-%m-%d", "has %G or %V, which count only with each other and a weekday"),
    ],
)
def test_a_format_that_reads_another_time_is_refused(text: str, says: str) -> None:
    """The sentence names the part of the format, and the cure."""
    with pytest.raises(ValidationError) as caught:
        Column(type="timestamp", format=text)

    assert f"format {text!r} {says}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "%d/%m/%Y",
        "%y%m%d",
        "%Y-%m",
        "%Y",
        "%Y-%U-%w",
        "%A %W %Y",
        "%G-W%V-%u",
        "%Y-%j",
        "%d.%m.%Y %I:%M %p",
        "%c",
        "%x",
        "%Y-%m-%dT%H:%M:%S.%f%z",
        "100%% %d/%m/%Y",
    ],
)
def test_a_format_of_whole_dates_is_right(text: str) -> None:
    """With a year, and what counts beside it."""
    assert Column(type="timestamp", format=text).format == text
