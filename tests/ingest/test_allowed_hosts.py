"""Where a server may lead a source: to the source's own hosts and to those the pipeline allows, and nothing is asked of others."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tasks.core.errors import OtherHostError, PermanentSourceError
from tasks.core.hosts import AllowedHosts, PinnedResolver, is_public, open_connector
from tasks.ingest.api.response import find_in_body
from tasks.ingest.http.client import Client
from tasks.ingest.http.connections import Connections
from tests.ingest.fetching import open_throttle
from tests.ingest.sources import api, job_of, land_one, land_with, pages, read_rows
from tests.site.items import ITEMS
from tests.site.server import Site

SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}}
PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


class Names(AbstractResolver):
    """What a name service says of every name, answer after answer; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=0) for a in addresses]

    async def close(self) -> None:
        """Close nothing."""


class Here(AbstractResolver):
    """Has every address that another resolver lets through be one of this machine, where the tests' server is."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner
        self.let_through: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        self.let_through += [result["host"] for result in found]
        return [{**found[0], "host": "127.0.0.1", "family": socket.AF_INET}]

    async def close(self) -> None:
        """Close the resolver within."""
        await self._inner.close()


def named(site: Site, name: str, path: str) -> str:
    """Return the address of a route by another name of its host."""
    return f"{site.url.replace('127.0.0.1', name)}{path}"


async def land_by(resolver: AbstractResolver, source: Any, folder: Path, times: int = 1) -> Path:
    """Land a source so often with one client that makes a connection for each request, its names resolved as given."""
    connector = open_connector(resolver, force_close=True, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        client = Client(Connections(session), open_throttle(), lambda _: None, find_in_body)
        for _ in range(times):
            landed = await land_with(client, job_of(source, folder), fresh=True)
    return landed.path


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/redirect-to-other-host", SINGLE),
        ("/paged/none?next=elsewhere", {"pagination": {"kind": "next_url", "next_at": "next"}}),
        ("/paged/none?next=elsewhere", {"pagination": {"kind": "link_header"}}),
    ],
)
async def test_an_api_leads_to_no_other_host(
    site: Site, other_site: Site, tmp_path: Path, path: str, changes: dict[str, Any]
) -> None:
    """A redirect, a next address and a Link header are refused before anything is asked there; the cure names the host."""
    site.redirect_to = other_site.redirect_to = other_site.url
    other = httpx.URL(other_site.url).netloc.decode()

    with pytest.raises(
        OtherHostError,
        match=re.escape(
            "leads to another host than the source's own, and nothing was asked there; "
            f"add {other} to allow_hosts if the source may go there"
        ),
    ):
        await land_one(api(site, path, **changes), tmp_path)

    assert (len(site.seen), other_site.seen) == (1, [])

    landed = await land_one(api(site, path, **changes, allow_hosts=[other]), tmp_path)
    assert read_rows(landed.path)[:3] == ITEMS[:3]
    assert other_site.seen


async def test_a_page_that_redirects_elsewhere_is_a_reject_and_is_not_asked_for(
    site: Site, other_site: Site, tmp_path: Path
) -> None:
    """The other pages are landed."""
    other = httpx.URL(other_site.url).netloc.decode()
    source = pages(site, "/page-2", f"/page-that-redirects?to={other_site.url}/page-3", follow=None)

    landed = await land_one(source, tmp_path)

    assert [row.get("name", row.get("$reject")) for row in read_rows(landed.path)] == [
        "c",
        f"this page leads on to another host; add {other} to allow_hosts to follow it",
    ]
    assert other_site.seen == []


async def test_a_name_that_was_public_leads_to_no_private_address_later(site: Site, tmp_path: Path) -> None:
    """Whoever owns a name may have it lead to this machine from the second connection on: it is refused."""
    resolver = Here(PinnedResolver(Names([PUBLIC], ["127.0.0.1"])))
    source = api(site, "", **SINGLE, records_at=None).model_copy(update={"url": named(site, "api.test", "/items")})

    with pytest.raises(
        PermanentSourceError, match=r"api.test, a public host before, now has the address 127.0.0.1, .* allow_hosts"
    ):
        await land_by(resolver, source, tmp_path, times=2)

    assert (resolver.let_through, len(site.seen)) == ([PUBLIC], 1)


async def test_of_a_public_name_only_public_addresses_are_connected_to(site: Site, tmp_path: Path) -> None:
    """A name with addresses of both kinds has its private ones left out."""
    resolver = Here(PinnedResolver(Names(["10.0.0.1", PUBLIC, "::1", OTHER_PUBLIC])))
    source = api(site, "", **SINGLE, records_at=None).model_copy(update={"url": named(site, "api.test", "/items")})

    await land_by(resolver, source, tmp_path)

    assert resolver.let_through == [PUBLIC, OTHER_PUBLIC]


@pytest.mark.parametrize(("answers", "allowed"), [([["10.0.0.1"]], ()), ([[PUBLIC], ["10.0.0.1"]], ("api.test",))])
async def test_a_private_host_of_the_pipeline_s_own_is_asked(
    site: Site, tmp_path: Path, answers: list[list[str]], allowed: tuple[str, ...]
) -> None:
    """A source may be one of this network from the beginning, and one that is allowed may become one."""
    resolver = Here(PinnedResolver(Names(*answers), allowed=allowed))
    source = api(site, "", **SINGLE, records_at=None).model_copy(update={"url": named(site, "api.test", "/items")})

    await land_by(resolver, source, tmp_path, times=2)

    assert len(site.seen) == 2


def test_a_public_host_does_not_lead_to_this_machine_by_whatever_name() -> None:
    """Names and numbers of this machine are other hosts, however they are written."""
    allowed = AllowedHosts([httpx.URL("https://api.example.com/v1")], ["cdn.example.com:8080"])
    inside = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0"]

    assert [allowed.allow(httpx.URL(f"https://{host}/")) for host in inside] == [False] * len(inside)
    assert [
        allowed.allow(httpx.URL(url))
        for url in (
            "https://API.example.com/other",
            "https://api.example.com:444/",
            "https://api.example.com@127.0.0.1/",
            "http://cdn.example.com:8080/",
            "http://cdn.example.com/",
        )
    ] == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        (OTHER_PUBLIC, True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.31.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound to it
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        (f"::ffff:{PUBLIC}", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    """Of this machine, its links and private networks, also where one of IPv4 is written within one of IPv6."""
    assert is_public(address) is public
