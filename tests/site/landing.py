"""The routes of the test site that are landed: long ones of every pagination, ones that grow, and ones that say if they changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

LONG_PAGES = 12
LONG_PAGE_ROWS = 3
LONG: dict[str, dict[str, Any]] = {
    "page": {"kind": "page", "pages_at": "pages"},
    "page-until-short": {"kind": "page", "size": LONG_PAGE_ROWS},
    "offset": {"kind": "offset", "size": LONG_PAGE_ROWS},
    "cursor": {"kind": "cursor", "cursor_at": "next"},
    "next-url": {"kind": "next_url", "next_at": "next"},
    "link-header": {"kind": "link_header"},
}
"""How the pages of each long route are asked for."""


@dataclass
class Kept:
    """What a site's landing routes answer, as a test sets it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    broken_from: int = LONG_PAGES + 99
    """The first page of a long route that is refused."""
    pages: int = LONG_PAGES
    """Of a long route."""
    late_s: float = 0.0
    """Seconds that a page of a long route takes."""
    validators: tuple[str, ...] = ("ETag", "Last-Modified")
    etag: str | None = None
    """Where it is not that of the body."""
    modified: str = "Tue, 01 Jan 2030 00:00:00 GMT"


_KEPT: WeakKeyDictionary[Site, Kept] = WeakKeyDictionary()


def kept_at(site: Site) -> Kept:
    """Return what a site's landing routes answer."""
    return _KEPT.setdefault(site, Kept())


def long_rows(part: str | None = None, pages: int = LONG_PAGES) -> list[dict[str, Any]]:
    """Return the rows of a long route, or of a part of it; the last page is short."""
    return [{"id": number} | ({} if part is None else {"part": part}) for number in range(pages * LONG_PAGE_ROWS - 1)]


def landing_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site that are for landing."""
    return {
        **{f"/long/{kind}": _long(site, kind) for kind in LONG},
        "/long/html/{page:int}": _long(site, "html"),
        "/kept": _kept(site, lambda rows: JSONResponse({"items": rows, "pages": 1})),
        "/kept-html": _kept(site, _html),
        "/kept-with-pages-in-header": _pages_in_header(site),
        "/since": _since(site),
    }


def _long(site: Site, kind: str) -> Route:
    async def answer(request: Request) -> Response:
        kept, page, part = kept_at(site), _page_asked(request), request.query_params.get("part")
        await asyncio.sleep(kept.late_s)
        if page >= kept.broken_from:
            return PlainTextResponse("not now", 500)
        rows = long_rows(part, kept.pages)[(page - 1) * LONG_PAGE_ROWS : page * LONG_PAGE_ROWS]
        following = page + 1 if page < kept.pages else None
        if kind == "html":
            return _html(rows, following)
        return _json(kind, {"items": rows, "pages": kept.pages}, following, part)

    return answer


def _page_asked(request: Request) -> int:
    """Return the number of the page that is asked for, in whichever way; the first where nothing says."""
    query = request.query_params
    if "offset" in query:
        return int(query["offset"]) // LONG_PAGE_ROWS + 1
    if "cursor" in query:
        return int(query["cursor"].removeprefix("after ")) + 1
    return int(request.path_params.get("page") or query.get("page", "1"))


def _json(kind: str, body: dict[str, Any], following: int | None, part: str | None) -> Response:
    headers = {}
    address = f"?page={following}" + ("" if part is None else f"&part={part}")
    match kind:
        case "cursor":
            body["next"] = following and f"after {following - 1}"
        case "next-url":
            body["next"] = following and address
        case "link-header" if following:
            headers["Link"] = f'<{address}>; rel="next"'
    return JSONResponse(body, headers=headers)


def _html(rows: list[dict[str, Any]], following: int | None = None) -> Response:
    link = f"<a rel=next href={following}>next</a>" if following else ""
    return HTMLResponse("".join(f"<li><b>{row['id']}</b></li>" for row in rows) + link)


def _kept(site: Site, make: Callable[[list[dict[str, Any]]], Response]) -> Route:
    """Return a route that answers 304 where what it has is what is landed."""

    async def answer(request: Request) -> Response:
        kept = kept_at(site)
        return _unless_landed(request, make(kept.rows), kept)

    return answer


def _pages_in_header(site: Site) -> Route:
    """Return a route that tells of its pages in a header, of which the ETag of the first page's body knows nothing."""

    async def answer(request: Request) -> Response:
        kept, page = kept_at(site), int(request.query_params["page"])
        response = JSONResponse(kept.rows[page - 1 : page], headers={"X-Pages": str(len(kept.rows))})
        return _unless_landed(request, response, kept)

    return answer


def _unless_landed(request: Request, response: Response, kept: Kept) -> Response:
    own = f'"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    validators = {"ETag": own if kept.etag is None else kept.etag, "Last-Modified": kept.modified}
    response.headers.update({name: validators[name] for name in kept.validators})
    asked = {"ETag": request.headers.get("If-None-Match"), "Last-Modified": request.headers.get("If-Modified-Since")}
    same = [asked[name] == validators[name] for name in kept.validators if asked[name]]
    return Response(status_code=304, headers=response.headers) if same and all(same) else response


def _since(site: Site) -> Route:
    """Return a route that gives the rows, of a part, that are as new as `since`, or tell no time; by pages if asked to."""

    async def answer(request: Request) -> Response:
        query = request.query_params
        since, part, path = query["since"], query.get("part"), query.get("path", "at")
        rows = [row for row in kept_at(site).rows if part is None or row["part"] == part]
        rows = [row for row in rows if _is_new(_value_at(row, path), since)]
        if "page" not in query:
            return JSONResponse({"items": rows})
        page = int(query["page"])
        if page >= kept_at(site).broken_from:
            return PlainTextResponse("not now", 500)
        items = rows[(page - 1) * LONG_PAGE_ROWS : page * LONG_PAGE_ROWS]
        return JSONResponse({"items": items, "pages": -(-len(rows) // LONG_PAGE_ROWS)})

    return answer


def _is_new(value: Any, since: str) -> bool:
    if isinstance(value, str) and not value.isdigit():
        return _moment(value) >= _moment(since)
    return value is None or float(value) >= float(since)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _value_at(row: dict[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
