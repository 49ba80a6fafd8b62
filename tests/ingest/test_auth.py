"""Who asks: where secrets come from, how each kind is sent, and tokens that are asked for, end, and are refused."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.http.client import Client, Endpoint
from tasks.ingest.landing.land import PartitionClient, land
from tasks.ingest.landing.plan import plan_landing
from tasks.ingest.scraping.robots import Robots
from tasks.ingest.tasks import read_secrets
from tests.ingest.sources import QUICK, api, job_of, land_one, list_files, open_quietly, pages, read_rows
from tests.site.items import ITEMS
from tests.site.server import Seen, Site

TOKEN = "sesame-open-7"  # noqa: S105 - a test's token
VARIABLE = "TIDEMILL_TEST_TOKEN"
AUTH = {"kind": "bearer", "token": {"env": VARIABLE}}
SECRETS = {"token": TOKEN}
SIGNS = 'a:b c&d=e%f+g/h"i\\j'
"""Every sign that means something somewhere on the way."""
KEY = {"kind": "api_key", "key": {"env": VARIABLE}}
POSTED: dict[str, Any] = {"method": "POST", "body": {"q": 1}, "idempotent": True}
CLIENT_SECRET = {"client_secret": "client-sesame+7/="}


async def test_a_token_is_sent_with_every_request_and_kept_nowhere(site: Site, tmp_path: Path) -> None:
    """Each request proves who asks; neither the raw file nor its manifest holds the token."""
    landed = await land_one(api(site, "/items", auth=AUTH), tmp_path, SECRETS)

    assert [seen.headers["authorization"] for seen in site.seen] == [f"Bearer {TOKEN}"] * 3
    assert [row for row in read_rows(landed.path) if TOKEN in str(row)] == []
    assert TOKEN not in (tmp_path / "all.json").read_text(encoding="utf-8")


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


def oauth2(site: Site, kind: str, **changes: Any) -> dict[str, Any]:
    """Return the auth of a client that gets its tokens from a route of the site."""
    held = {"client_id": "me: myself", "client_secret": {"env": VARIABLE}}
    return {"kind": "oauth2", "token_url": f"{site.url}/token/{kind}", **held, **changes}


def sent_to(site: Site, path: str) -> list[Seen]:
    """Return the requests to paths that begin so."""
    return [seen for seen in site.seen if seen.path.startswith(path)]


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (AUTH, lambda seen: seen.headers["authorization"].removeprefix("Bearer ")),
        (
            {"kind": "basic", "username": "m\xe9", "password": {"env": VARIABLE}},
            lambda seen: (
                b64decode(seen.headers["authorization"].removeprefix("Basic ")).decode().removeprefix("m\xe9:")
            ),
        ),
        (KEY | {"name": "X-Api-Key"}, lambda seen: seen.headers["x-api-key"]),
        (KEY | {"name": "key", "place": "query"}, lambda seen: dict(parse_qsl(seen.path.partition("?")[2]))["key"]),
        (KEY | {"name": "a key", "place": "query"}, lambda seen: dict(parse_qsl(seen.path.partition("?")[2]))["a key"]),
        (KEY | {"name": "key", "place": "body"}, lambda seen: json.loads(seen.body)["key"]),
    ],
)
@pytest.mark.parametrize("secret", [TOKEN, SIGNS])
async def test_a_secret_is_sent_as_it_is_with_every_page(
    site: Site, tmp_path: Path, auth: dict[str, Any], sent: Any, secret: str
) -> None:
    """Each kind of proof has the secret as it was held, whatever signs are in it, on every page."""
    posted = POSTED if auth.get("place") == "body" else {}

    landed = await land_one(
        api(site, "/paged/none?a=1%2C2", auth=auth, **posted),
        tmp_path,
        {{"bearer": "token", "basic": "password", "api_key": "key"}[auth["kind"]]: secret},
    )

    assert read_rows(landed.path) == ITEMS
    assert [sent(seen) for seen in site.seen] == [secret] * 3
    assert [dict(parse_qsl(seen.path.partition("?")[2]))["a"] for seen in site.seen] == ["1,2"] * 3


async def test_a_password_is_given_as_the_scheme_has_it(site: Site, tmp_path: Path) -> None:
    """A name and a password with a colon are one pair: the name ends at the first."""
    auth = {"kind": "basic", "username": "me", "password": {"env": VARIABLE}}

    await land_one(api(site, "/items", auth=auth), tmp_path, {"password": "a:b"})

    assert site.seen[0].headers["authorization"] == "Basic bWU6YTpi"


@pytest.mark.parametrize(
    ("changes", "authorization", "fields"),
    [
        ({}, "Basic bWUlM0ErbXlzZWxmOmNsaWVudC1zZXNhbWUlMkI3JTJGJTNE", {}),
        ({"scope": "read all"}, "Basic bWUlM0ErbXlzZWxmOmNsaWVudC1zZXNhbWUlMkI3JTJGJTNE", {"scope": "read all"}),
        (
            {"send_as": "body", "params": {"audience": "https://x/?a=b"}},
            None,
            {"client_id": "me: myself", **CLIENT_SECRET, "audience": "https://x/?a=b"},
        ),
    ],
)
async def test_a_token_is_asked_for_as_the_source_says(
    site: Site, tmp_path: Path, changes: dict[str, Any], authorization: str | None, fields: dict[str, str]
) -> None:
    """The client proves itself in the header, quoted as RFC 6749 has it, or in the form, beside scope and further fields."""
    auth = oauth2(site, "plain", **changes)

    landed = await land_one(api(site, "/guarded/plain", auth=auth), tmp_path, CLIENT_SECRET)

    (asked,) = sent_to(site, "/token/")
    assert (asked.method, asked.headers.get("authorization")) == ("POST", authorization)
    assert dict(parse_qsl(asked.body.decode())) == {"grant_type": "client_credentials", **fields}
    assert asked.headers["user-agent"].startswith("tidemill/")
    assert (read_rows(landed.path), landed.requests) == (ITEMS, 4)
    assert {seen.headers["authorization"] for seen in sent_to(site, "/guarded/")} == {"Bearer token-number-1"}


@pytest.mark.parametrize("kind", ["plain", "same", "late", "rubbish", "text", "below-zero", "503-once"])
async def test_requests_side_by_side_ask_for_one_token(site: Site, tmp_path: Path, kind: str) -> None:
    """However many requests wait for it, whatever is said of its end, one token is asked for; again only where that failed."""
    source = api(site, "/guarded/plain", auth=oauth2(site, kind), partitions={"part": list(range(8))})

    async with open_quietly(source) as client:
        endpoint = client.endpoint(source, CLIENT_SECRET)
        landed = await asyncio.gather(*(land_part(client, endpoint, source, tmp_path, number) for number in range(8)))

    assert landed == [7] * 8
    assert len(sent_to(site, "/token/")) == (2 if kind == "503-once" else 1)


async def land_part(client: Client, endpoint: Endpoint, source: ApiSource, folder: Path, number: int) -> int:
    """Land one partition by an endpoint that others use as well, and return its rows."""
    job = job_of(source, folder, number)
    stats = client.stats(job.raw)
    access = PartitionClient(endpoint.fetch_into(stats), stats, Robots(client.throttle))
    return (await land(await asyncio.to_thread(plan_landing, job, fresh=False), access)).rows


async def test_a_token_that_ends_is_renewed_before(site: Site, tmp_path: Path) -> None:
    """A token good for a fifth of a second is asked for anew when half of that has passed."""
    source = api(site, "/guarded/plain", auth=oauth2(site, "short"), partitions={"part": [1, 2]})

    async with open_quietly(source) as client:
        endpoint = client.endpoint(source, CLIENT_SECRET)
        for number in range(2):
            await land_part(client, endpoint, source, tmp_path, number)
            await asyncio.sleep(0.15)

    sent = [seen.headers["authorization"] for seen in sent_to(site, "/guarded/")]
    assert (sent[0], sent[-1]) == ("Bearer token-number-1", f"Bearer token-number-{len(sent_to(site, '/token/'))}")
    assert len(set(sent)) >= 2


async def test_a_token_refused_in_the_middle_is_renewed_once(site: Site, tmp_path: Path) -> None:
    """A page that answers 401 is asked for once more with a new token, with which the others go on."""
    source = api(
        site,
        "/guarded/revoking",
        auth=oauth2(site, "plain"),
        requests=QUICK | {"max_in_flight": 1, "start_in_flight": 1},
    )

    landed = await land_one(source, tmp_path, CLIENT_SECRET)

    assert (read_rows(landed.path), landed.requests) == (ITEMS, 6)
    assert [(seen.path, seen.headers["authorization"][-1]) for seen in sent_to(site, "/guarded/")] == [
        ("/guarded/revoking?page=1", "1"),
        ("/guarded/revoking?page=2", "1"),
        ("/guarded/revoking?page=2", "2"),
        ("/guarded/revoking?page=3", "2"),
    ]


@pytest.mark.parametrize(
    ("path", "kind", "requests"),
    [("/guarded/shut", "plain", 2), ("/guarded/revoking?page=2", "same", 2)],
)
async def test_a_request_refused_with_every_token_is_one_error(
    site: Site, tmp_path: Path, path: str, kind: str, requests: int
) -> None:
    """401 for a new token as well, also where it is the one that was refused, is final; the token is not told."""
    source = api(site, path, auth=oauth2(site, kind), pagination={"kind": "single"})

    with pytest.raises(
        PermanentSourceError, match=r"was refused with 401 Unauthorized: '.*'; check what auth names"
    ) as error:
        await land_one(source, tmp_path, CLIENT_SECRET)

    assert (len(sent_to(site, "/guarded/")), len(sent_to(site, "/token/")), list_files(tmp_path)) == (requests, 2, [])
    assert "token-" not in str(error.value).replace("/token-", "")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refusing", r"401 Unauthorized: '\{\"error\":\"invalid_client\",\"sent\":\".*\*\*\*.*\"\}'"),
        ("elsewhere", "307 Temporary Redirect: ''"),
        ("html", r"200 OK: text/plain; charset=utf-8 without access_token"),
        ("other-name", r"200 OK: the keys 'accessToken, of'"),
        ("null", r"200 OK: the keys 'access_token'"),
    ],
)
@pytest.mark.parametrize("send_as", ["basic", "body"])
async def test_a_client_that_gets_no_token_is_told_so_once(
    site: Site, other_site: Site, tmp_path: Path, kind: str, said: str, send_as: str
) -> None:
    """A server that gives no token is quoted without what proves who asked, and without what may be one; it is asked once."""
    site.redirect_to = other_site.url
    auth = oauth2(site, kind, send_as=send_as)
    source = api(site, "/guarded/plain", auth=auth, partitions={"part": [1, 2]})

    async with open_quietly(source) as client:
        endpoint = client.endpoint(source, CLIENT_SECRET)
        parts = (land_part(client, endpoint, source, tmp_path, number) for number in range(2))
        errors = await asyncio.gather(*parts, return_exceptions=True)

    sentence = rf"POST {auth['token_url']} gave no token but {said}; check auth.client_id, .* auth.send_as"
    for error in errors:
        with pytest.raises(PermanentSourceError, match=f"^{sentence}$"):
            raise error if isinstance(error, BaseException) else AssertionError
    assert [text in str(errors) for text in ("sesame", "token-number", "bWUl", "Y2xp")] == [False] * 4
    assert (len(site.seen), other_site.seen) == (1, [])


async def test_a_token_server_that_is_down_is_one_error(site: Site, tmp_path: Path) -> None:
    """What may pass at the token's server is tried as often as at any, and is an error that may pass."""
    auth = oauth2(site, "plain") | {"token_url": f"{site.url}/500-always"}
    requests = QUICK | {"backoff_first_s": 0.01}

    with pytest.raises(SourceError, match=rf"^POST {site.url}/500-always failed 3 times, at last with: 500") as error:
        await land_one(api(site, "/guarded/plain", auth=auth, requests=requests), tmp_path, CLIENT_SECRET)

    assert not isinstance(error.value, PermanentSourceError)
    assert len(site.seen) == 3


async def test_the_headers_of_a_source_come_before_the_usual_ones(site: Site, tmp_path: Path) -> None:
    """A source may ask for another format, or give another name, than every request does."""
    headers = {"Accept": "application/vnd.x+json", "user-agent": "we (we@example.com)", "X-Page": "9"}
    pagination = {"kind": "page", "place": "header", "param": "X-Page", "pages_at": "pages"}

    landed = await land_one(api(site, "/paged/none", headers=headers, pagination=pagination), tmp_path)

    assert read_rows(landed.path) == ITEMS
    assert {(seen.headers["accept"], seen.headers["user-agent"]) for seen in site.seen} == {
        ("application/vnd.x+json", "we (we@example.com)")
    }
