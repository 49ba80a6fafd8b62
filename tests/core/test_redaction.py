"""Redaction of addresses: what proves who asks goes, all else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.redaction import has_secret, is_secret, name_address, redact

words = st.text(st.characters(codec="ascii", categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pw@h/x.csv", "https://***@h/x.csv"),
        ("https://token-as-name@h/x.csv", "https://***@h/x.csv"),
        ("sftp://me:pw@h/x", "sftp://***@h/x"),
        ("abfs://container@account/x", "abfs://container@account/x"),
        ("GET http://h/a?page=2&access_token=abc: no", "GET http://h/a?page=2&access_token=***: no"),
        ("'http://h/a?X-Api-Key=abc'", "'http://h/a?X-Api-Key=***'"),
        ("http://h/a#id_token=abc", "http://h/a#id_token=***"),
        ("http://h/a;jsessionid=AB12?b=1", "http://h/a;jsessionid=***"),
        ("http://h/a?b=1&amp;sig=ab%2Fc&amp;d=2", "http://h/a?b=1&amp;sig=***&amp;d=2"),
        ("?to=http%3A%2F%2Fi%2F%3Ftoken%3Dabc%26page%3D2", "?to=http%3A%2F%2Fi%2F%3Ftoken%3D***%26page%3D2"),
        (
            "?to=http%253A%252F%252Fi%253Ftoken%253Dabc%2526p%253D2",
            "?to=http%253A%252F%252Fi%253Ftoken%253D***%2526p%253D2",
        ),
        ("http://h/?key=EWR&sort_key=name&year=2013", "http://h/?key=EWR&sort_key=name&year=2013"),
        ("http://h/?key=AIzaSyA1234567890abc", "http://h/?key=***"),
        ("http://h/?page_token=a1&pageToken=b2&$skiptoken=c3", "http://h/?page_token=a1&pageToken=b2&$skiptoken=c3"),
        ("write a = b, or token=5; see me@h: http://h/", "write a = b, or token=5; see me@h: http://h/"),
    ],
)
def test_what_proves_who_asks_is_taken_out(text: str, shown: str) -> None:
    """A user's name and password, and parameters by their names, also where an address stands quoted in another."""
    assert redact(text) == shown
    assert has_secret(text) == (text != shown)
    assert redact(shown) == shown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (
            "https://b.s3.amazonaws.com/a.csv?versionId=3&X-Amz-Algorithm=A&X-Amz-Date=1&X-Amz-Signature=ff",
            "https://b.s3.amazonaws.com/a.csv?versionId=3",
        ),
        ("https://h/a.csv?AWSAccessKeyId=A&Signature=b%3D&Expires=1", "https://h/a.csv"),
        ("https://h/a.csv?X-Goog-Date=1&X-Goog-Signature=ff&year=2", "https://h/a.csv?year=2"),
        ("https://h/a.csv?sv=1&se=2&sp=r&sig=abc%3D&snapshot=1", "https://h/a.csv?snapshot=1"),
        ("https://h/a.csv?st=1&se=2", "https://h/a.csv?st=1&se=2"),
        ("https://h/a.csv?token=abc&y=1", "https://h/a.csv?token=***&y=1"),
        ("https://me:pw@h/a.csv", "https://***@h/a.csv"),
        ("s3://bucket/a=b/c.csv", "s3://bucket/a=b/c.csv"),
    ],
)
def test_an_address_is_known_without_its_signature(url: str, name: str) -> None:
    """A signature, and what comes with it, is another each time; other parameters tell one file from another."""
    assert name_address(url) == name


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("TOKEN", True),
        ("ORDERS_TOKEN", True),
        ("weatherApiKey", True),
        ("WEATHER_KEY", True),
        ("PGPASSWORD", True),
        ("X-Amz-Security-Token", True),
        ("client_secret", True),
        ("USER", False),
        ("HOME", False),
        ("API_BASE", False),
        ("pageToken", False),
        ("pagetoken", False),
        ("monkey", False),
        ("design", False),
        ("tokenizer", False),
    ],
)
def test_a_name_tells_a_secret(name: str, secret: bool) -> None:
    """By its words, however they are joined."""
    assert is_secret(name) is secret


@given(value=words, before=words, after=words)
def test_of_a_secret_parameter_nothing_stays(value: str, before: str, after: str) -> None:
    """Its value goes to the last character, and what stands around it stays."""
    shown = redact(f"http://h/{before}?x={after}&api_key={value}&y={after} {before}")

    assert shown == f"http://h/{before}?x={after}&api_key=***&y={after} {before}"
