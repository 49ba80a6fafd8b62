"""What a host asks for in its headers: how long it is left alone, and that it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import SourceError
from tasks.ingest.http.rate_limit_headers import parse_retry_after, retry_after_s
from tests.ingest.sources import QUICK, WARNED, api, land_one, read_rows
from tests.site.api import WISH_S
from tests.site.server import Site

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
        ("1.5", 1.5),
        ("1e3", None),
        ("Sat, 01 Jun 2013 12:00:30 GMT", 30.0),
        ("Sat, 01 Jun 2013 12:00:30 -0000", 30.0),
        ("Sat, 01 Jun 2013 14:00:30 +0200", 30.0),
        ("Sat, 01 Jun 2013 11:00:00 GMT", 0.0),
        ("Sat, 01 Jun 99999999999999999999 11:00:00 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """A number is seconds, a date the time until then, and what cannot be read is no wish."""
    assert parse_retry_after(value, NOW) == seconds


@given(st.integers(min_value=0, max_value=10**9))
def test_any_date_to_come_is_as_far_away_as_it_is(seconds: int) -> None:
    """The date so many seconds away asks for so many seconds."""
    assert parse_retry_after(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_no_header_is_an_error(value: str) -> None:
    """Whatever a server sends, the answer is no wish or a time that is not negative."""
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0.0),
        (200, {"Retry-After": "9"}, 0.0),
        (200, {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "30"}, 0.0),
        (200, {"X-RateLimit-Remaining": "0"}, 0.0),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}, 30.0),
        (200, {"X-RATELIMIT-REMAINING": "0", "X-RATELIMIT-RESET": "30"}, 30.0),
        (200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, 30.0),
        (200, {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": f"{NOW.timestamp() + 30:.0f}"}, 30.0),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW.timestamp() + 30.25:.2f}"}, 30.25),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{1000 * NOW.timestamp() + 30_000:.0f}"}, 30.0),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW.timestamp() - 30:.0f}"}, 0.0),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "0.5"}, 0.5),
        (200, {"RateLimit": '"default";r=0;t=30'}, 30.0),
        (200, {"RateLimit": '"default";r=1;t=30'}, 0.0),
        (200, {"RateLimit": '"burst";r=5;t=1, "day";r=0;t=3600'}, 3600.0),
        (200, {"RateLimit": "limit=100, remaining=0, reset=30"}, 30.0),
        (200, {"RateLimit": "limit=100, remaining=9, reset=30"}, 0.0),
        (404, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}, 30.0),
        (404, {"Retry-After": "9"}, 0.0),
        (403, {"Retry-After": "9"}, 9.0),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}, 30.0),
        (403, {"X-RateLimit-Remaining": "4", "X-RateLimit-Reset": "30"}, 0.0),
        (429, {}, 0.0),
        (429, {"X-RateLimit-Reset": "30"}, 30.0),
        (429, {"X-RateLimit-Reset": "30", "Retry-After": "9"}, 9.0),
        (429, {"X-RateLimit-Reset": "30", "Retry-After": "soon"}, 30.0),
        (429, {"X-RateLimit-Reset": "soon"}, 0.0),
        (429, {"X-RateLimit-Reset": "-30"}, 0.0),
        (429, {"X-RateLimit-Reset": "\xb2"}, 0.0),
        (429, {"RateLimit": "rubbish;r=;t=x,,;"}, 0.0),
        (429, {"RateLimit": '"a";r=3;t=4, "b";r=0;t=5'}, 5.0),
        (503, {"Retry-After": "9"}, 9.0),
        (503, {"X-RateLimit-Reset": "30"}, 0.0),
    ],
)
def test_an_answer_asks_for_a_pause(status: int, headers: dict[str, str], seconds: float) -> None:
    """Retry-After is heard where a host refuses; a rate limit's reset where it refuses, or where nothing remains."""
    sent = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in headers.items()])

    assert retry_after_s(status, sent, NOW) == pytest.approx(seconds)


NAMES = ["Retry-After", "RateLimit", "RateLimit-Reset", "X-RateLimit-Reset", "X-RateLimit-Remaining"]
TEXTS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"))
FORMS = st.from_regex(r"(\"\w*\")?(;[rt]=\d+|, *|limit=\d+|[\d.]+){0,4}", fullmatch=True)


@given(st.sampled_from([200, 403, 429, 503]), st.dictionaries(st.sampled_from(NAMES), TEXTS | FORMS | st.just("0")))
def test_whatever_headers_say_is_a_time(status: int, headers: dict[str, str]) -> None:
    """No header is an error, and none asks for less than nothing."""
    sent = httpx.Headers([(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()])

    assert retry_after_s(status, sent) >= 0


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("epoch", [1, 2, 3]),
        ("milliseconds", [1, 2, 3]),
        ("seconds", [1, 2, 3]),
        ("after", [1, 1, 2, 3]),
        ("forbidden", [1, 1, 2, 3]),
        ("forbidden-with-retry-after", [1, 1, 2, 3]),
    ],
)
async def test_a_host_that_asks_for_a_pause_is_left_alone(
    site: Site, tmp_path: Path, name: str, paths: list[int]
) -> None:
    """After an answer that asks for it nothing is sent until the time is over; an answer that had rows is not asked for again."""
    landed = await land_one(api(site, f"/wish/{name}"), tmp_path)

    assert read_rows(landed.path) == [{"page": 1}, {"page": 2}, {"page": 3}]
    assert sorted(site.paths) == [f"/wish/{name}?page={page}" for page in paths]
    assert WISH_S * 0.8 <= site.seen[1].at_s - site.seen[0].at_s <= WISH_S + 20


async def test_a_pause_longer_than_a_request_may_take_is_told(site: Site, tmp_path: Path) -> None:
    """Rows that came with the last of a rate limit are kept; the next page would come too late, and the error says when."""
    source = api(site, "/wish/hour", requests=QUICK | {"deadline_s": 20})

    with pytest.raises(
        SourceError,
        match=r"page=[23]: the host asks to be left alone for 3600 s, longer than requests.deadline_s \(20\)",
    ):
        await land_one(source, tmp_path)

    assert site.paths == ["/wish/hour?page=1"]
    assert [sentence.partition("; ")[2] for sentence in WARNED] == [
        f"{site.url.split('/')[2]} is left alone for 3600 s, as it asks, and then asked on"
    ]
