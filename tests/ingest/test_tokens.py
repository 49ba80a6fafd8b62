"""Tokens of a real OAuth2 server: each grant, what the server replaces, and its faults."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.ingest.api.response import find_in_body
from tasks.ingest.http.client import Client, open_client
from tasks.ingest.tasks import SecretBlocks, read_secrets
from tests.ingest.sources import QUICK, WARNED, api, job_of, land_one, land_with, open_quietly
from tests.ingest.test_auth import sent_to
from tests.site.items import ITEMS
from tests.site.oauth2 import (
    CLIENT,
    CLIENT_SECRET,
    DENIED,
    FIRST_REFRESH,
    PASSWORD,
    PUBLIC,
    SERVICE,
    USER,
)
from tests.site.server import Site

HELD = {"env": "TIDEMILL_TEST_SECRET"}
SECRETS = {"client_secret": CLIENT_SECRET, "refresh_token": FIRST_REFRESH, "password": PASSWORD}
REFRESH = {"grant": "refresh_token", "refresh_token": HELD}
BY_PASSWORD = {"grant": "password", "username": USER, "password": HELD}
ONE = QUICK | {"max_in_flight": 1, "start_in_flight": 1}
PARTS = {"partitions": {"part": list(range(8))}}


def oauth2(site: Site, fault: str = "none", **changes: Any) -> dict[str, Any]:
    """Return the auth of a client that asks a route of the site for its tokens."""
    own = {"client_id": CLIENT, "client_secret": HELD}
    return {"kind": "oauth2", "token_url": f"{site.url}/oauth2/{fault}/token", **own, **changes}


def guarded(site: Site, kind: str, auth: dict[str, Any], **changes: Any) -> ApiSource:
    """Return a source of the rows that are guarded."""
    return api(site, f"/oauth2/{kind}/rows", **{"auth": auth, **changes})


def secrets_of(source: ApiSource) -> dict[str, str]:
    """Return the secrets that a source's auth names."""
    return {key: secret for key, secret in SECRETS.items() if getattr(source.auth, key, None) is not None}


async def land_parts(source: ApiSource, folder: Path, secrets: dict[str, str] | None = None) -> list[Any]:
    """Return the rows of each partition of a source, or how it failed, all fetched at once with one client."""
    known = secrets_of(source) if secrets is None else secrets
    async with open_quietly(source) as client:
        jobs = [job_of(source, folder, number) for number in range(len(source.partitions["part"]))]  # type: ignore[arg-type]
        landed = await asyncio.gather(*(land_with(client, job, known) for job in jobs), return_exceptions=True)
    return [each if isinstance(each, BaseException) else each.rows for each in landed]


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "read"},
        {"send_as": "body"},
        {**REFRESH, "scope": "read"},
        {**REFRESH, "client_id": PUBLIC, "client_secret": None},
        {**BY_PASSWORD, "scope": "read all"},
        {**BY_PASSWORD, "send_as": "body"},
    ],
)
async def test_each_grant_gives_one_token_for_all(site: Site, tmp_path: Path, changes: dict[str, Any]) -> None:
    """However many requests wait for it, a token is asked for once, with the scope that the source names."""
    source = guarded(site, "plain", oauth2(site, "slow", **changes), **PARTS)

    assert await land_parts(source, tmp_path) == [len(ITEMS)] * 8
    assert len(sent_to(site, "/oauth2/slow/token")) == len(site.issued.access) == 1
    assert site.issued.scopes == [changes.get("scope", "read all" if "refresh_token" in changes else None)]
    assert not [secret for secret in (*SECRETS.values(), *site.issued.access) if secret in str(WARNED)]


@pytest.mark.parametrize("fault", ["500-once", "429-once-retry-after-seconds", "drop-once", "truncated-once"])
async def test_a_fault_of_the_token_server_passes(site: Site, tmp_path: Path, fault: str) -> None:
    """What may pass is tried again once for all, and every row lands."""
    source = guarded(site, "plain", oauth2(site, fault, **REFRESH), **PARTS)

    assert await land_parts(source, tmp_path) == [len(ITEMS)] * 8
    assert (len(sent_to(site, f"/oauth2/{fault}")), len(site.issued.access)) == (2, 1)


async def test_a_token_without_end_is_one_error(site: Site, tmp_path: Path) -> None:
    """It is read no further than an answer of the source itself."""
    requests = QUICK | {"max_body_bytes": "1MiB"}
    source = guarded(site, "plain", oauth2(site, "huge"), **PARTS, requests=requests)

    failed = await land_parts(source, tmp_path)

    assert [isinstance(error, PermanentSourceError) for error in failed] == [True] * 8
    assert all("larger than requests.max_body_bytes (1,048,576)" in str(error) for error in failed)


async def test_a_fault_that_does_not_pass_is_shared(site: Site, tmp_path: Path) -> None:
    """Those who waited for a token fail with the one that asked for it, and ask no more themselves."""
    requests = QUICK | {"backoff_first_s": 0.01}
    source = guarded(site, "plain", oauth2(site, "500-always"), **PARTS, requests=requests)

    failed = await land_parts(source, tmp_path)

    assert {type(error) for error in failed} == {SourceError}
    assert len(sent_to(site, "/oauth2/500-always")) == QUICK["attempts"]


@pytest.mark.parametrize(
    ("fault", "changes", "secrets", "said"),
    [
        ("wrong-json", {}, {}, "200 OK: application/json without access_token; check auth.client_id"),
        ("404-always", {}, {}, "404 Not Found: 'not now'; check"),
        (
            "none",
            REFRESH,
            {"refresh_token": "refresh-of-long-ago"},
            rf"400 Bad Request: 'invalid_grant: {DENIED}: \*\*\*'; check .* and the refresh token",
        ),
        (
            "none",
            BY_PASSWORD,
            {"password": "password-of-yore"},
            "400 Bad Request: .invalid_request: Invalid 'username' or 'password' in request..; check .*auth.username and the",
        ),
        (
            "none",
            {},
            {"client_secret": "secret-of-yore"},
            "401 Unauthorized: .invalid_client: The client cannot .*; check",
        ),
        ("none", {"client_id": "nobody"}, {}, "401 Unauthorized: 'invalid_client: The client does not exist"),
    ],
)
async def test_a_refusal_is_told_once_in_the_words_of_the_server(
    site: Site, tmp_path: Path, fault: str, changes: dict[str, Any], secrets: dict[str, str], said: str
) -> None:
    """The code and the description of the error stand in one sentence, without a secret; the server is asked once for all."""
    source = guarded(site, "plain", oauth2(site, fault, **changes), **PARTS)
    known = secrets_of(source) | secrets

    failed = await land_parts(source, tmp_path, known)

    for error in failed:
        with pytest.raises(
            PermanentSourceError, match=f"^POST {site.url}/oauth2/{fault}/token gave no token but {said}"
        ):
            raise error
    assert len(sent_to(site, "/oauth2/")) == 1
    assert not [secret for secret in known.values() if secret in str(failed)]


async def test_a_token_that_ends_at_once_is_enough_for_those_who_wait(site: Site, tmp_path: Path) -> None:
    """Each takes what came while it waited, and asks anew for its next page alone."""
    source = guarded(site, "plain", oauth2(site, "ended"), **PARTS)

    assert await land_parts(source, tmp_path) == [len(ITEMS)] * 8
    assert len(sent_to(site, "/oauth2/ended")) <= 3 * 8


async def test_tokens_that_are_refused_for_ever_are_few(site: Site, tmp_path: Path) -> None:
    """A host that takes no token is not given one for each partition: after three in vain no other is asked for."""
    source = guarded(site, "shut", oauth2(site), partitions={"part": list(range(40))}, requests=ONE)

    failed = await land_parts(source, tmp_path)

    for error in failed:
        with pytest.raises(
            PermanentSourceError, match=r"was refused with 401 Unauthorized: 'who are you, Bearer \*\*\*"
        ):
            raise error
    assert 2 <= len(site.issued.access) <= 4


async def test_a_refused_token_is_renewed_once_for_all(site: Site, tmp_path: Path) -> None:
    """Of many requests that are refused together, one asks for another token, and all go on."""
    source = guarded(site, "revoking", oauth2(site, "slow", **REFRESH), **PARTS)

    assert await land_parts(source, tmp_path) == [len(ITEMS)] * 8
    assert len(site.issued.access) == 2


BLOCK = "test-refresh-token"


async def held_in_block() -> str:
    """Return the refresh token that the Secret block has now."""
    block: Secret[Any] = await Secret.aload(BLOCK)
    return str(block.get())


@asynccontextmanager
async def open_run(*sources: ApiSource) -> AsyncIterator[Client]:
    """Open a client as a run does, whose secrets are in Prefect's blocks."""
    WARNED.clear()
    async with open_client(sources, WARNED.append, find_in_body, SecretBlocks()) as client:
        yield client


async def run(folder: Path, *sources: ApiSource) -> list[int]:
    """Return the rows of sources that one run lands, each with its secrets as they are held."""
    async with open_run(*sources) as client:
        read = [await read_secrets(source) for source in sources]
        places = [(source, folder / str(number)) for number, source in enumerate(sources)]
        landings = (
            land_with(client, job_of(source, place), secrets, fresh=True)
            for (source, place), secrets in zip(places, read, strict=True)
        )
        return [landed.rows for landed in await asyncio.gather(*landings)]


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_refresh_token_that_is_replaced_is_kept_for_the_next_run(site: Site, tmp_path: Path) -> None:
    """The Secret block has the newest after each of three runs, of which each has two sources that share a token."""
    await Secret(value=FIRST_REFRESH).asave(BLOCK, overwrite=True)
    auth = oauth2(site, client_id=PUBLIC, client_secret=None) | REFRESH | {"refresh_token": {"secret_block": BLOCK}}
    source = guarded(site, "plain", auth)

    held = []
    for _ in range(3):
        assert await run(tmp_path, source, source) == [len(ITEMS)] * 2
        held.append(await held_in_block())

    assert len({FIRST_REFRESH, *held}) == 4
    assert site.issued.refresh == {held[-1]}
    assert (len(site.issued.access), WARNED) == (3, [])


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_refresh_token_that_another_run_replaced_is_read_again(site: Site, tmp_path: Path) -> None:
    """Of two runs at a time each renews its token with the newest refresh token, not with the one it began with."""
    await Secret(value=FIRST_REFRESH).asave(BLOCK, overwrite=True)
    auth = oauth2(site, client_id=PUBLIC, client_secret=None) | REFRESH | {"refresh_token": {"secret_block": BLOCK}}
    source = guarded(site, "plain", auth)

    async with open_run(source) as first, open_run(source) as second:
        for number, client in enumerate([first, second, first, second]):
            secrets = {"refresh_token": await held_in_block()}
            landed = await land_with(client, job_of(source, tmp_path / str(number)), secrets)
            site.issued.revoked.update(site.issued.access)
            assert landed.rows == len(ITEMS)

    assert len(site.issued.access) == 4


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_refresh_token_that_cannot_be_kept_is_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with one from the environment, or whose block is not to be written to, ends well, and says what the next one needs."""
    await Secret(value=FIRST_REFRESH).asave(BLOCK, overwrite=True)
    monkeypatch.setenv(HELD["env"], FIRST_REFRESH)
    auth = oauth2(site, "none", client_id=PUBLIC, client_secret=None) | REFRESH
    from_block = guarded(site, "plain", auth | {"refresh_token": {"secret_block": BLOCK}})

    assert await run(tmp_path, guarded(site, "plain", auth)) == [len(ITEMS)]
    assert WARNED == [
        "auth.refresh_token: the server gave another refresh token, and the environment variable TIDEMILL_TEST_SECRET "
        "cannot be written to: the next run may be refused with the one that is there; hold it in a Secret block, "
        "refresh_token: {secret_block: name}"
    ]

    site.issued.refresh.add(FIRST_REFRESH)
    async with open_run(from_block) as client:
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
            landed = await land_with(client, job_of(from_block, tmp_path / "block"), {"refresh_token": FIRST_REFRESH})

    assert landed.rows == len(ITEMS)
    (told,) = WARNED
    assert re.match(
        rf"auth.refresh_token: .* could not be written to the Secret block '{BLOCK}' \(.*\): .*; put a", told
    )
    assert not [secret for secret in site.issued.refresh if secret in told]


def signing(site: Site, **changes: Any) -> dict[str, Any]:
    """Return the auth of the service account."""
    url = f"{site.url}/oauth2/none/token"
    return {"kind": "jwt_bearer", "token_url": url, "issuer": SERVICE, "key": HELD, **changes}


KEYS: dict[str, RSAKey | ECKey] = {
    "RS256": RSAKey.generate_key(2048, {"kid": "one"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "two"}),
}
"""Keys of the service account, by their algorithms."""


def pem(algorithm: str) -> str:
    """Return a private key as it is held."""
    text: bytes = KEYS[algorithm].as_pem(private=True)
    return text.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"algorithm": "ES256", "key_id": "two", "scope": "read"},
        {"key_id": "one", "subject": USER, "audience": "https://audience.example.com"},
        {"key_id": "one", "claims": {"scope": "read"}, "params": {"tenant": "us"}},
    ],
)
async def test_a_statement_that_is_signed_gives_a_token(site: Site, tmp_path: Path, changes: dict[str, Any]) -> None:
    """The server verifies the signature, by the key that is named where it knows several, and the claims."""
    algorithm = changes.get("algorithm", "RS256")
    site.issued.keys = KeySet([*KEYS.values()] if "key_id" in changes else [KEYS[algorithm]])
    source = guarded(site, "plain", signing(site, **changes), **PARTS)

    assert await land_parts(source, tmp_path, {"key": pem(algorithm)}) == [len(ITEMS)] * 8
    (asked,) = sent_to(site, "/oauth2/none/token")
    fields = dict(parse_qsl(asked.body.decode()))
    statement = jwt.decode(fields.pop("assertion"), KEYS[algorithm])
    assert fields == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        **({"scope": "read"} if "scope" in changes else {}),
        **changes.get("params", {}),
    }
    assert statement.claims.keys() >= {"iss", "aud", "iat", "exp", "jti", *changes.get("claims", {})}


async def test_a_statement_that_is_refused_is_told_without_it(site: Site, tmp_path: Path) -> None:
    """The server's words stand in one sentence."""
    site.issued.keys = KeySet([RSAKey.generate_key(2048)])
    source = guarded(site, "plain", signing(site))

    with pytest.raises(
        PermanentSourceError, match=r"400 Bad Request: '\{\"error\":\"invalid_grant\"\}'; check auth.issuer, auth.aud"
    ):
        await land_one(source, tmp_path, {"key": pem("RS256")})


@pytest.mark.parametrize(
    ("algorithm", "secret", "said"),
    [
        ("RS256", pem("ES256"), "^auth.key: is none that RS256 signs with, an RSA key in PEM; put such a one there"),
        ("ES256", pem("RS256"), "^auth.key: is none that ES256 signs with, a key of the curve P-256 in PEM; put"),
        ("RS256", pem("RS256")[:300], "^auth.key: is none that RS256 signs with"),
    ],
)
async def test_a_key_that_does_not_fit_is_told_before_a_request(
    site: Site, tmp_path: Path, algorithm: str, secret: str, said: str
) -> None:
    """Nothing of it is repeated."""
    source = guarded(site, "plain", signing(site, algorithm=algorithm))

    with pytest.raises(PermanentSourceError, match=said) as error:
        await land_one(source, tmp_path, {"key": secret})

    assert site.seen == []
    assert not [line for line in secret.splitlines() if line in str(error.value)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no key 5e3f", "holds no private key in PEM; put one there, which begins with -----BEGIN PRIVATE KEY-----"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE5e3f\n",
            "holds a key that is encrypted; put it there as it is without its password",
        ),
    ],
)
async def test_what_is_no_key_is_told(site: Site, monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    """The variable is named, and its value is not."""
    monkeypatch.setenv(HELD["env"], value)

    with pytest.raises(PermanentSourceError, match=f"^auth.key: the environment variable {HELD['env']} {said}$"):
        await read_secrets(guarded(site, "plain", signing(site)))


async def test_a_key_may_be_of_one_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    r"""Its line breaks are written as \n, as in files of variables."""
    monkeypatch.setenv(HELD["env"], pem("RS256").replace("\n", "\\n"))

    assert await read_secrets(guarded(site, "plain", signing(site))) == {"key": pem("RS256").strip()}
