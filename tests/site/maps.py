"""The routes of the test site that list pages: sitemaps and feeds, whole and wrong, and the pages that they list."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tests.site.api import fail
from tests.site.landing import kept_at

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

LISTED = 5
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_BOMB = "<!DOCTYPE urlset [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><urlset><url><loc>/leaf/&b;</loc></url></urlset>"


def map_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site that list pages."""
    leaves = [f"{site.url}/leaf/{number}" for number in range(1, LISTED + 1)]
    return {
        "/leaf/{number:int}": _leaf(site, "none"),
        "/leaf/{fault}/{number:int}": _leaf(site, None),
        "/sitemap.xml": _xml(sitemap_of([*leaves, f"{site.url}/about"])),
        "/sitemap.xml.gz": _bytes(gzip.compress(sitemap_of(leaves).encode())),
        "/sitemap-index.xml": _xml(index_of([f"{site.url}/sitemap.xml.gz", f"{site.url}/sitemap-more.xml"])),
        "/sitemap-more.xml": _xml(sitemap_of([f"{site.url}/leaf/9", leaves[0]])),
        "/sitemap-index-with-a-gap.xml": _xml(index_of([f"{site.url}/sitemap-more.xml", f"{site.url}/gone.xml"])),
        "/sitemap-long.xml": _long(site),
        "/sitemap-elsewhere.xml": _xml(sitemap_of(["http://other.example.com/1", "http://other.example.com/2"])),
        "/sitemap-index-elsewhere.xml": _xml(index_of(["http://other.example.com/1.xml"])),
        "/sitemap-partly-elsewhere.xml": _xml(sitemap_of([leaves[0], "http://other.example.com/2"])),
        "/sitemap-with-dead-links.xml": _xml(sitemap_of([leaves[0], f"{site.url}/gone"])),
        "/sitemap-with-languages.xml": _xml(
            f"<urlset xmlns:x='urn:x'><url><x:link rel='alternate' hreflang='de' href='{leaves[1]}'/>"
            f"<loc>{leaves[0]}</loc><link>{leaves[2]}</link></url></urlset>"
        ),
        "/sitemap-of-itself.xml": _xml(index_of([f"{site.url}/sitemap-of-itself.xml", f"{site.url}/sitemap-more.xml"])),
        "/sitemap-without-pages.xml": _xml(sitemap_of([])),
        "/sitemap-cut-off.xml": _xml(sitemap_of(leaves)[:-40]),
        "/sitemap-bomb.xml": _xml(_BOMB),
        "/sitemap-of-{fault}.xml": _faulty(site),
        "/rss.xml": _xml(_RSS.format(site=site.url)),
        "/atom.xml": _xml(_ATOM),
        "/shelves": _html("<a class=shelf href=shelf/1>1</a><a class=shelf href=shelf/2>2</a>"),
        "/shelf/{number:int}": _shelf,
        "/long-leaf/{number:int}": _long_leaf(site),
        "/pictures": _html(_PICTURES),
        "/pictures-with-pairs": _html(
            "<li><b>a</b><img src=picture/1.png><dl><dt>Picture type<dd>oil<dt>Year<dd>1901</dl>"
        ),
        "/picture/{name}": _picture(site, "truncated-once"),
        "/long-pictured/{number:int}": _long_pictured(site),
        "/long-picture/{number:int}.png": _long_picture(site),
        "/pictured/{fault}": _pictured,
        "/{fault}-picture/{name}": _picture(site),
        "/sitemap-dated.xml": _dated(site),
        "/sitemap-dated-stale.xml": _dated(site, "2020-01-01"),
        "/dated/{name}": _dated_leaf(site),
    }


def sitemap_of(addresses: Iterable[str]) -> str:
    """Return a sitemap of some addresses, each with a picture of its own."""
    urls = (
        f"<url><loc> {address} </loc><lastmod>2020-01-01</lastmod><i:image><i:loc>{address}.png</i:loc></i:image></url>"
        for address in addresses
    )
    return f'<?xml version="1.0"?><urlset xmlns="{_SITEMAP}" xmlns:i="urn:image">{"".join(urls)}</urlset>'


def index_of(addresses: Iterable[str]) -> str:
    """Return an index of sitemaps."""
    inner = "".join(f"<sitemap><loc>{address}</loc></sitemap>" for address in addresses)
    return f'<sitemapindex xmlns="{_SITEMAP}">{inner}</sitemapindex>'


_RSS = """
<?xml version="1.0"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
<link>{site}/about</link><atom:link rel="self" href="{site}/rss.xml"/>
<item><title>1</title><link>{site}/leaf/1</link></item>
<item><guid>{site}/leaf/2</guid></item>
<item><guid isPermaLink="false">3</guid><link><![CDATA[{site}/leaf/3]]></link></item>
<item><title>none</title></item></channel></rss>
"""
_ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="leaf/"><link href="../about"/>
<entry><link rel="edit" href="9"/><link href="1"/><link rel="alternate" href="8"/></entry>
<entry xml:base="../leaf/"><link rel="alternate" href="2"/><source><link href="7"/></source></entry></feed>
"""


_PICTURES = """
<li><b>a</b><img src="picture/1.png"><img src="picture/9.png"><li><b>b</b><img src="gone.png">
<li><b>c</b><img src="picture/same-as-1"><li><b>d</b><li><b>e</b><img src="picture/1.png">
<li><b>f</b><img src="http://other.example.com/3.png">
"""


async def _pictured(request: Request) -> Response:
    """Answer with rows of which the first and the last have a picture, and the other one that has the fault."""
    of = f"{request.path_params['fault']}-picture"
    return HTMLResponse(
        f"<li><b>a</b><img src='../{of}/1.png'><li><b>b</b><img src='../{of}/2.png'><li><b>c</b><img src='../{of}/3.png'>"
    )


def _picture(site: Site, fault: str | None = None) -> Route:
    """Return pictures, of which one fails once, or has the fault that its path names."""

    async def answer(request: Request) -> Response:
        well = Response(b"\x89PNG 1", media_type="image/png; q=1")
        of = fault or (request.path_params["fault"] if request.path_params["name"] == "2.png" else "none")
        return await fail(of, well, request, first=site.is_first(request))

    return answer


def _leaf(site: Site, fault: str | None) -> Route:
    async def answer(request: Request) -> Response:
        number = request.path_params["number"]
        well = HTMLResponse(f"<main><b>leaf {number}</b></main>")
        of = fault or request.path_params["fault"]
        return await fail(of if number == LISTED - 1 else "none", well, request, first=site.is_first(request))

    return answer


def _faulty(site: Site) -> Route:
    """Return a sitemap that has a fault itself, and lists pages one of which has it."""

    async def answer(request: Request) -> Response:
        fault = request.path_params["fault"]
        pages = [f"{site.url}/leaf/{fault}/{number}" for number in range(1, LISTED + 1)]
        well = Response(sitemap_of(pages), media_type="application/xml")
        return await fail(fault, well, request, first=site.is_first(request))

    return answer


def _long(site: Site) -> Route:
    async def answer(_: Request) -> Response:
        pages = range(1, kept_at(site).pages + 1)
        return Response(sitemap_of(f"{site.url}/long-leaf/{number}" for number in pages))

    return answer


def _long_leaf(site: Site) -> Route:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(kept_at(site).late_s)
        return HTMLResponse(f"<li><b>{request.path_params['number']}</b></li>")

    return answer


def _dated(site: Site, changed: str | None = None) -> Route:
    """Return a sitemap of the site's kept rows: each has the name of a page, when it changed, unless told otherwise, and its text."""

    async def answer(_: Request) -> Response:
        urls = (
            f"<url><loc>{site.url}/dated/{row['name']}</loc>"
            + (f"<lastmod>{changed or row['changed']}</lastmod>" if row["changed"] else "")
            + "</url>"
            for row in kept_at(site).rows
        )
        return Response(f"<urlset>{''.join(urls)}</urlset>")

    return answer


def _dated_leaf(site: Site) -> Route:
    async def answer(request: Request) -> Response:
        texts = {row["name"]: row["text"] for row in kept_at(site).rows}
        return HTMLResponse(f"<li><b>{texts[request.path_params['name']]}</b><li><b>more</b>")

    return answer


def _long_pictured(site: Site) -> Route:
    """Return pages with two rows: each with a picture of its own, and one that all have."""

    async def answer(request: Request) -> Response:
        await asyncio.sleep(kept_at(site).late_s)
        number = request.path_params["number"]
        rows = (f"<li><b>{number}</b><img src='../long-picture/{name}.png'>" for name in (number, 0))
        return HTMLResponse("".join(rows))

    return answer


def _long_picture(site: Site) -> Route:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(kept_at(site).late_s)
        return Response(long_picture(request.path_params["number"]), media_type="image/png")

    return answer


def long_picture(number: int) -> bytes:
    """Return the bytes of a picture."""
    return b"PNG %d" % number * 9999


async def _shelf(request: Request) -> Response:
    """Answer with a page of two levels: two leaves of its own, and another shelf, which has one more."""
    number = request.path_params["number"]
    leaves = "".join(f"<a class=leaf href=../leaf/{number}{place}>leaf</a>" for place in (1, 2))
    more = "<a rel=next href=3>next</a>" if number == 1 else ""
    return HTMLResponse(f"{leaves}{more}")


def _html(body: str) -> Route:
    async def answer(_: Request) -> Response:
        return HTMLResponse(body)

    return answer


def _xml(body: str) -> Route:
    return _bytes(body.encode())


def _bytes(body: bytes) -> Route:
    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/xml")

    return answer
