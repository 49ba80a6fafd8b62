"""Redirects: what goes with a request to where it is sent on, and what stays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tasks.core.errors import PermanentSourceError
from tasks.core.hosts import AllowedHosts
from tasks.ingest.http.auth import is_own, origin_of
from tasks.ingest.http.redirects import RedirectTransport
from tasks.ingest.http.requests import RequestStats, with_context
from tests.ingest.sources import api, land_one, list_files, read_rows
from tests.site.items import ITEMS
from tests.site.server import Site

SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}}
BEARER: dict[str, Any] = {"auth": {"kind": "bearer", "token": {"env": "T"}}, "headers": {"X-Plan": "free"}}
KEY: dict[str, Any] = {"auth": {"kind": "api_key", "name": "key", "place": "query", "key": {"env": "T"}}}
ANY_PORT: dict[str, Any] = {"allow_hosts": ["127.0.0.1"]}
POSTED: dict[str, Any] = {"method": "POST", "body": {"q": 1}, "idempotent": True}
SECRET = "sesame-open-7"  # noqa: S105 - a test's secret


def moved(to: str, status: int = 302) -> str:
    """Return the path of a redirect."""
    return f"/redirect/{status}?to={quote(to, safe='')}"


async def test_the_same_host_keeps_what_proves_who_asks(site: Site, tmp_path: Path) -> None:
    """A redirect within the source's host takes its token and its headers along."""
    landed = await land_one(api(site, moved("../paged/none"), **SINGLE, **BEARER), tmp_path, {"token": SECRET})

    assert read_rows(landed.path) == ITEMS[:3]
    assert [(seen.headers["authorization"], seen.headers["x-plan"]) for seen in site.seen] == [
        (f"Bearer {SECRET}", "free")
    ] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_host_gets_neither_credentials_nor_headers(
    site: Site, other_site: Site, tmp_path: Path, status: int
) -> None:
    """What leaves the source's host is a request like anybody's: only what every request says goes along."""
    headers = {"X-Plan": "free", "User-Agent": "ours", "Accept": "application/vnd.x+json", "Cookie": "seen=1"}
    source = api(
        site, moved(f"{other_site.url}/paged/none", status), **SINGLE, **ANY_PORT, **BEARER | {"headers": headers}
    )

    landed = await land_one(source, tmp_path, {"token": SECRET})

    assert read_rows(landed.path) == ITEMS[:3]
    assert {name: site.seen[0].headers[name.lower()] for name in headers} == headers
    (elsewhere,) = other_site.seen
    assert elsewhere.headers.keys() == {"host", "user-agent", "accept", "accept-encoding"}
    assert (elsewhere.headers["user-agent"].split("/")[0], elsewhere.headers["accept"]) == ("tidemill", "*/*")


async def test_a_key_in_the_query_stays_with_its_host(site: Site, other_site: Site, tmp_path: Path) -> None:
    """A key is added to each address of the source's own, and to none other; one that the server repeats is sent once."""
    to = quote(f"{other_site.url}/paged/none?a=1", safe="")
    source = api(site, moved(f"302?key={SECRET}&to={to}"), **SINGLE, **KEY, **ANY_PORT)

    await land_one(source, tmp_path, {"key": SECRET})

    keys = [httpx.URL(f"http://x{path}").params.get_list("key") for path in [*site.paths, *other_site.paths]]
    assert keys == [[SECRET], [SECRET], []]


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
async def test_a_post_stays_one_only_where_the_status_says_so(
    site: Site, tmp_path: Path, status: int, method: str
) -> None:
    """307 and 308 send the method and the body on; the others ask for the answer with a GET, without a body."""
    landed = await land_one(api(site, moved("../paged/none", status), **SINGLE, **POSTED), tmp_path)

    assert read_rows(landed.path) == ITEMS[:3]
    first, second = site.seen
    assert (first.method, json.loads(first.body), first.headers["content-type"]) == (
        "POST",
        {"q": 1},
        "application/json",
    )
    assert (second.method, bytes(second.body)) == (method, bytes(first.body) if method == "POST" else b"")
    assert second.headers.get("content-type") == ("application/json" if method == "POST" else None)


async def test_a_key_in_the_body_is_not_sent_where_there_is_none(site: Site, tmp_path: Path) -> None:
    """What became a GET by a redirect has no body for a key, and is sent without."""
    auth = {"kind": "api_key", "name": "key", "place": "body", "key": {"env": "T"}}

    await land_one(api(site, moved("../paged/none", 303), **SINGLE, **POSTED, auth=auth), tmp_path, {"key": SECRET})

    assert [(seen.method, bytes(seen.body)) for seen in site.seen] == [
        ("POST", b'{"q": 1, "key": "%s"}' % SECRET.encode()),
        ("GET", b""),
    ]


async def test_the_page_asked_for_in_a_header_goes_along(site: Site, tmp_path: Path) -> None:
    """A header with the page's number is the request's own, and survives a redirect of its host."""
    pagination = {"kind": "page", "place": "header", "param": "X-Page", "pages_at": "pages"}

    landed = await land_one(api(site, moved("../paged/none"), pagination=pagination), tmp_path)

    assert read_rows(landed.path) == ITEMS


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/redirect-loop", "more than 20 redirects, one after the other; correct the address"),
        (moved("ftp://x/y"), "the redirect to 'ftp://x/y' leads to no web address; correct the address"),
        (moved("javascript:alert(1)"), "the redirect to 'javascript:alert(1)' leads to no web address"),
        (moved("file:///etc/passwd"), "the redirect to 'file:///etc/passwd' leads to no web address"),
        (moved("http://x:port/"), "the redirect to 'http://x:port/' leads to no web address"),
    ],
)
async def test_a_redirect_to_nowhere_is_one_error(site: Site, tmp_path: Path, path: str, sentence: str) -> None:
    """A circle ends after as many steps as browsers allow; what is no web address is not followed."""
    with pytest.raises(PermanentSourceError, match=re.escape(f"GET {site.url}{path}: {sentence}")):
        await land_one(api(site, path, **SINGLE), tmp_path)

    assert list_files(tmp_path) == []
    assert len(site.seen) == (20 if path == "/redirect-loop" else 1)


async def test_a_redirect_that_names_no_place_is_refused(site: Site, tmp_path: Path) -> None:
    """A status of a redirect without a Location is an answer, and none that brings rows."""
    with pytest.raises(PermanentSourceError, match="was refused with 304 Not Modified"):
        await land_one(api(site, moved("x", 304), **SINGLE), tmp_path)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://api.example.com/other", True),
        ("http://api.example.com:80/", True),
        ("http://API.example.com/", True),
        ("https://api.example.com/", True),
        ("https://api.example.com:8443/", False),
        ("http://api.example.com:8080/", False),
        ("http://example.com/", False),
        ("http://api.example.com.evil.com/", False),
        ("http://api.example.com@evil.com/", False),
        ("https://safe.example.com/", True),
        ("http://safe.example.com/", False),
    ],
)
def test_an_address_is_own_by_scheme_host_and_port(url: str, own: bool) -> None:
    """Only the same origin is trusted, or its https where it was http, never the other way."""
    origins = {origin_of(httpx.URL(own)) for own in ("http://api.example.com/a", "https://safe.example.com/")}

    assert is_own(httpx.URL(url), origins) is own


@pytest.mark.parametrize(
    ("to", "kept"),
    [("https://api.example.com/", True), ("/there", True), ("http://other.example.com/", False)],
)
async def test_a_request_keeps_its_own_headers_on_the_way_to_https(to: str, kept: bool) -> None:
    """A host that sends on to its https is the same host: the request's headers go along, and to no other."""
    asked: list[httpx.Request] = []

    class Moving(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200) if len(asked) > 1 else httpx.Response(301, headers={"Location": to})

    url = httpx.URL("http://api.example.com/")
    request = httpx.Request("GET", url, headers={"X-Page": "2"}, extensions=with_context(RequestStats(), "GET", url))
    hosts = AllowedHosts([url], ["other.example.com"])
    await RedirectTransport(Moving(), httpx.Headers({"Accept": "*/*"}), hosts).handle_async_request(request)

    assert ("X-Page" in asked[1].headers, str(asked[1].url)) == (kept, str(url.join(to)))
