"""The proxy that the environment names: what it is asked, and who asks."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tasks.core.errors import ConfigError, SourceError
from tasks.ingest.http.connections import Connections
from tests.ingest.sources import QUICK, land_one, read_rows
from tests.ingest.test_exact_addresses import answer, source
from tests.site.raw import serving_raw

ONCE = QUICK | {"attempts": 1}
PROOF = f"Proxy-Authorization: Basic {b64encode(b'me:p@ss').decode()}".encode()


def name_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, url: str) -> None:
    """Have the environment name a proxy, with a name and a password."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, url.replace("http://", "http://me:p%40ss@"))


async def test_a_proxy_is_asked_for_the_address_and_told_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address of http is asked of the proxy whole, as it is written, with the name and password that stand in its own."""
    async with serving_raw(answer([{"id": 1}])) as (proxy, asked):
        name_proxy(monkeypatch, "HTTP_PROXY", proxy)
        landed = await land_one(source("http://api.test/%7ea?b=%3A"), tmp_path)

    assert read_rows(landed.path) == [{"id": 1}]
    assert asked[0].startswith(b"GET http://api.test/%7ea?b=%3A HTTP/1.1\r\n")
    assert PROOF in asked[0]


async def test_a_proxy_that_refuses_is_named_and_not_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tunnel to a host of https is asked for with the name and password, which the host itself is never told."""
    async with serving_raw(answer("", "407 Proxy Authentication Required")) as (proxy, asked):
        name_proxy(monkeypatch, "HTTPS_PROXY", proxy)
        said = "the proxy that HTTPS_PROXY names refused with 407 Proxy Authentication Required"
        with pytest.raises(SourceError, match=re.escape(said)) as error:
            await land_one(source("https://api.test/", requests=ONCE), tmp_path)

    assert asked[0].startswith(b"CONNECT api.test:443 HTTP/1.1\r\n")
    assert PROOF in asked[0]
    assert "p@ss" not in str(error.value)


async def test_a_host_that_needs_no_proxy_is_asked_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY names it; neither is the password told to it."""
    async with serving_raw(answer([{"id": 1}])) as (host, asked), serving_raw(answer([])) as (proxy, of_proxy):
        name_proxy(monkeypatch, "HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        await land_one(source(f"{host}/items"), tmp_path)

    assert (len(asked), len(of_proxy)) == (1, 0)
    assert b"Proxy-" not in asked[0]


@pytest.mark.parametrize("proxy", ["ftp://me:s3cret@proxy:1", "socks5://me:s3cret@proxy:1"])
async def test_a_proxy_of_another_kind_is_one_sentence(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the variable and the cure, and not the password within."""
    monkeypatch.setenv("http_proxy", proxy)

    async with ClientSession() as session:
        with pytest.raises(ConfigError) as raised:
            Connections(session)

    assert str(raised.value) == (
        f"HTTP_PROXY begins with {proxy.partition(':')[0]}://, and a proxy is asked by http:// or https://; "
        "correct the variable, or unset it"
    )
