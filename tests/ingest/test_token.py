"""Tokens: where they come from, that they are sent where they belong, and that they are told nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import PermanentSourceError
from tasks.ingest.tasks import read_secrets
from tests.ingest.sources import api, land_one, pages, read_rows
from tests.site import Site

TOKEN = "sesame-open-7"  # noqa: S105 - a test's token
VARIABLE = "TIDEMILL_TEST_TOKEN"
AUTH = {"kind": "bearer", "token": {"env": VARIABLE}}
SECRETS = {"token": TOKEN}


async def test_a_token_is_sent_with_every_request_and_kept_nowhere(site: Site, tmp_path: Path) -> None:
    """Each request proves who asks; neither the raw file nor its manifest holds the token."""
    landed = await land_one(api(site, "/items", auth=AUTH), tmp_path, SECRETS)

    assert [seen.headers["authorization"] for seen in site.seen] == [f"Bearer {TOKEN}"] * 3
    assert [row for row in read_rows(landed.path) if TOKEN in str(row)] == []
    assert TOKEN not in (tmp_path / "all.json").read_text(encoding="utf-8")


async def test_a_token_stays_with_its_host(site: Site, other_site: Site, tmp_path: Path) -> None:
    """A redirect to another host is followed without the token."""
    site.redirect_to = other_site.url

    landed = await land_one(api(site, "/redirect-to-other-host", pagination={"kind": "single"}, auth=AUTH), tmp_path, SECRETS)

    assert landed.rows == 3
    assert [seen.headers.get("authorization") for seen in site.seen] == [f"Bearer {TOKEN}"]
    assert [seen.headers.get("authorization") for seen in other_site.seen] == [None]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/401", r"401 Unauthorized: 'refused: Bearer \*\*\*'; check what auth names"),
        ("/token-in-a-page", r"is not JSON: 'refused: Bearer \*\*\*'; correct the address"),
    ],
)
async def test_an_error_does_not_tell_the_token(site: Site, tmp_path: Path, path: str, sentence: str) -> None:
    """A server that repeats the token is quoted without it."""
    with pytest.raises(PermanentSourceError, match=sentence) as error:
        await land_one(api(site, path, auth=AUTH), tmp_path, SECRETS)

    assert TOKEN not in str(error.value)


async def test_headers_of_a_source_are_sent(site: Site, tmp_path: Path) -> None:
    """A source's own headers go with its requests, beside the name of the program."""
    await land_one(
        api(site, "/empty", headers={"X-Plan": "free"}, pagination={"kind": "single"}, records_at=None), tmp_path
    )

    assert site.seen[0].headers["x-plan"] == "free"
    assert site.seen[0].headers["user-agent"].startswith("tidemill/")


async def test_a_token_comes_from_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's value is the token, without the line break that files of secrets end with."""
    monkeypatch.setenv(VARIABLE, f"{TOKEN}\n")

    assert await read_secrets(api(site, "/items", auth=AUTH)) == SECRETS


async def test_a_source_without_auth_has_no_token(site: Site) -> None:
    """Neither an open API nor a page needs a token."""
    assert [await read_secrets(source) for source in (api(site, "/items"), pages(site, "/page-1"))] == [{}, {}]


async def test_a_variable_that_is_not_set_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing environment variable is named, with the cure."""
    monkeypatch.delenv(VARIABLE, raising=False)

    with pytest.raises(
        PermanentSourceError, match=f"auth.token: the environment variable {VARIABLE} is not set; set it"
    ):
        await read_secrets(api(site, "/items", auth=AUTH))


@pytest.mark.parametrize("value", ["", " \n", "two\nlines", "k\xf6nig"])
async def test_a_token_that_no_header_can_carry_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A value that cannot be sent is refused before a request is made, and is not told."""
    monkeypatch.setenv(VARIABLE, value)

    with pytest.raises(PermanentSourceError, match=f"{VARIABLE} holds nothing that a header can carry; put") as error:
        await read_secrets(api(site, "/items", auth=AUTH))

    assert not value.strip() or value not in str(error.value)
