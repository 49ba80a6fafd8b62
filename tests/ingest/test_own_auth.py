"""A kind of authentication from outside, as the page on extensions shows one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.config import ApiSource, Pipeline, load_pipeline, secret_references
from tasks.config.auth import AUTHS
from tasks.core.errors import ConfigError, SourceError
from tests.documented import documented
from tests.ingest.sources import land_one, read_rows
from tests.site.auth import SIGNING_SECRET
from tests.site.items import ITEMS
from tests.site.server import Site
from tests.site.sessions import PASSWORD, USER

PIPELINE = """
name: own
extensions: [signed_requests:SignedAuth]
sources:
  rows: {{kind: api, url: "{url}/signed?of=all", auth: {{kind: {kind}, {keys}}}}}
"""
KEYS = "client: me, secret: {env: SIGNING_SECRET}"


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take its kind away again."""
    with documented(AUTHS, "An authentication", tmp_path / "signed_requests.py", monkeypatch):
        yield


def load(site: Site, folder: Path, keys: str = KEYS, kind: str = "signed") -> ApiSource:
    """Return the source of a pipeline file whose auth has some keys."""
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(url=site.url, kind=kind, keys=keys))
    source = load_pipeline(file).sources["rows"]
    assert isinstance(source, ApiSource)
    return source


async def test_a_kind_of_ones_own_signs_each_request(site: Site, tmp_path: Path) -> None:
    """The server verifies the signature, and gives its rows."""
    source = await asyncio.to_thread(load, site, tmp_path)

    landed = await land_one(source, tmp_path, {"secret": SIGNING_SECRET})

    assert read_rows(landed.path) == [{"id": 1}]


async def test_its_secret_is_in_no_error(site: Site, tmp_path: Path) -> None:
    """Also where the server repeats it."""
    source = await asyncio.to_thread(load, site, tmp_path, KEYS.replace("me", "other"))

    with pytest.raises(SourceError, match=r"\*\*\* signs otherwise") as raised:
        await land_one(source, tmp_path, {"secret": SIGNING_SECRET})
    assert SIGNING_SECRET not in str(raised.value)


def test_its_secrets_are_found_by_their_type(site: Site, tmp_path: Path) -> None:
    """What `check` and the tasks ask for."""
    auth = load(site, tmp_path).auth
    assert auth is not None

    assert [(key, reference.env) for key, reference in secret_references(auth)] == [("secret", "SIGNING_SECRET")]


@pytest.mark.parametrize(
    ("keys", "kind", "mistake"),
    [
        (f"{KEYS}, clint: a", "signed", r"rows\.auth\.clint: unknown key; did you mean client\?"),
        ("client: me", "signed", r"rows\.auth\.secret: is missing; add it"),
        ("client: me, secret: plain", "signed", r"rows\.auth\.secret: is no place of a secret"),
        (KEYS, "sgned", r"'sgned' is not one of bearer, .*, signed; did you mean signed\?"),
    ],
)
def test_its_keys_are_checked(site: Site, tmp_path: Path, keys: str, kind: str, mistake: str) -> None:
    """A mistake in them is told as in those of any kind."""
    with pytest.raises(ConfigError, match=mistake):
        load(site, tmp_path, keys, kind)


def test_it_stands_in_the_form(site: Site, tmp_path: Path) -> None:
    """The schema of the pipeline has its keys with their words."""
    load(site, tmp_path)

    schema = Pipeline.model_json_schema()["$defs"]["SignedAuth"]
    assert schema["properties"]["client"]["description"] == "Name of the client; it is not kept secret."


SHOP = "url: '{url}/login/token', user: {user}, password: {{env: SHOP_PASSWORD}}"


@pytest.fixture
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the module of a token of one's own where it can be imported, and take its kind away again."""
    with documented(AUTHS, "A token that a server gives", tmp_path / "shop.py", monkeypatch):
        yield


def load_shop(site: Site, folder: Path, user: str) -> ApiSource:
    """Return the source of a pipeline file whose sessions are of the kind of one's own."""
    file = folder / "pipeline.yaml"
    text = PIPELINE.replace("signed_requests:SignedAuth", "shop:ShopSession").replace(
        "/signed?of=all", "/session/header"
    )
    counted = "pagination: {{kind: page, pages_at: pages}}, records_at: items, auth:"
    text = text.replace("auth:", counted)
    file.write_text(text.format(url=site.url, kind="shop_session", keys=SHOP.format(url=site.url, user=user)))
    source = load_pipeline(file).sources["rows"]
    assert isinstance(source, ApiSource)
    return source


@pytest.mark.usefixtures("_shop")
async def test_a_token_of_ones_own_is_asked_for_once(site: Site, tmp_path: Path) -> None:
    """Every page is sent the session that the server gave."""
    source = await asyncio.to_thread(load_shop, site, tmp_path, USER)

    landed = await land_one(source, tmp_path, {"password": PASSWORD})

    assert read_rows(landed.path) == ITEMS
    assert [seen.path for seen in site.seen].count("/login/token") == 1


@pytest.mark.usefixtures("_shop")
async def test_a_token_of_ones_own_that_is_not_given_is_one_error(site: Site, tmp_path: Path) -> None:
    """With the server's words, the kind's cure, and no password."""
    source = await asyncio.to_thread(load_shop, site, tmp_path, "nobody")

    with pytest.raises(
        SourceError, match=r"gave no token but 403 Forbidden: .*no such user.*; check auth.user and the password$"
    ) as raised:
        await land_one(source, tmp_path, {"password": PASSWORD})

    assert PASSWORD not in str(raised.value)
