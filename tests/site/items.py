"""The routes of the test site that are items by page: right, wrong, or with a fault of the host's on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

ITEMS = [{"id": number, "name": f"item {number}"} for number in range(1, 8)]
PAGE_ITEMS = 3
PAGES = 3
BUSY_S = 0.03
"""Seconds that an answer of a busy route takes, so that requests overlap."""
LATER_S = 1
"""What Retry-After asks for."""
NEVER_S = 30.0


ORDERS: list[dict[str, Any]] = [
    {
        "id": 1,
        "status": "paid",
        "items": [{"sku": "007", "status": "sent", "qty": 2}, {"sku": "8", "status": "open", "qty": 1}],
    },
    {"id": 2, "status": "open", "items": []},
    {"id": 3, "status": "open", "items": "none"},
    {"id": 4, "status": "open", "items": [{"sku": "007", "qty": 3}, {"sku": "007", "qty": 3}]},
]
"""Of which one has no items, one has a text in place of its list, and one an item twice."""


async def _orders_with_items(request: Request) -> Response:
    """Give two orders with each of two cursors."""
    first = int(request.query_params.get("cursor", 0))
    return JSONResponse({"data": ORDERS[first : first + 2], "next": 2 if first == 0 else None})


def item_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site that are pages of items."""
    return {
        "/items": _items,
        "/items/{part:path}": _items,
        "/items-until-empty": _items_until_empty,
        "/empty": _json([]),
        "/orders-with-items": _orders_with_items,
        "/one-record": _json({"id": 1}),
        "/same-page-for-ever": _json({"items": ITEMS}),
        "/same-page-counted": _json({"items": ITEMS, "pages": 3}),
        "/pages-that-lie": _json({"items": ITEMS, "pages": "3"}),
        "/pages-below-zero": _json({"items": ITEMS, "pages": -1}),
        "/too-many-pages": _json({"items": ITEMS, "pages": 1_000_000}),
        "/no-pages": _json({"items": [], "pages": 0}),
        "/no-records": _json({"data": {"rows": ITEMS}, "pages": 1}),
        "/records-not-a-list": _json({"items": {"id": 1}, "pages": 1}),
        "/third-page-broken": _third_page_broken,
        "/busy": _busy,
        "/together": _together(site, 150),
        "/503-once": _once(site, 503),
        "/busy-503-once": _busy_once(site),
        "/500-always": _always(500),
        "/429-once-retry-after-seconds": _once(site, 429, lambda: str(LATER_S)),
        "/429-once-retry-after-date": _once(site, 429, _date_after_next),
        "/429-once-retry-after-rubbish": _once(site, 429, lambda: "\xb2 soon"),
        "/429-retry-after-an-hour": _always(429, {"Retry-After": "3600"}),
        "/429-above-4-in-flight": _crowded(site, 4),
        "/drop-once": _cut_off(site, {}),
        "/truncated-once": _cut_off(site, {"Content-Length": "1000"}),
        "/broken-gzip-once": _broken_gzip(site),
        "/slow": _slow,
        "/broken-json": _text('{"items": [{"id": 1}, {"id"', "application/json"),
        "/deep-json": _text("[" * 100_000, "application/json"),
        "/html-instead-of-json": _text("<h1>Please  log in</h1>", "text/html"),
        "/token-in-a-page": _token_said(200),
        "/401": _token_said(401),
        "/404": _text("no such thing", "text/plain", 404),
        "/redirect": _redirect("items?page=1"),
        "/redirect-to-other-host": _redirect_to(site),
        "/redirect-loop": _redirect("redirect-loop"),
    }


def _numbered(request: Request) -> tuple[list[dict[str, Any]], int]:
    """Return the items of the page that is asked for, and its number; a part asked for is told in each."""
    number = int(request.query_params.get("page", "1"))
    part = request.query_params.get("part", request.path_params.get("part"))
    items = ITEMS[(number - 1) * PAGE_ITEMS : number * PAGE_ITEMS]
    return [item | ({} if part is None else {"part": part}) for item in items], number


async def _items(request: Request) -> Response:
    return JSONResponse({"items": _numbered(request)[0], "pages": PAGES})


async def _items_until_empty(request: Request) -> Response:
    return JSONResponse(_numbered(request)[0])


async def _third_page_broken(request: Request) -> Response:
    items, number = _numbered(request)
    return JSONResponse({"items": items, "pages": PAGES} if number < PAGES else {"error": "no such page"})


async def _busy(request: Request) -> Response:
    await asyncio.sleep(BUSY_S)
    return JSONResponse({"items": [{"page": int(request.query_params["page"])}], "pages": 12})


def _once(site: Site, status: int, retry_after: Callable[[], str] | None = None) -> Route:
    """Return a route that answers `status` to the first request of each path and query."""

    async def answer(request: Request) -> Response:
        if site.is_first(request):
            headers = {} if retry_after is None else {"Retry-After": retry_after()}
            return PlainTextResponse("not now", status, headers)
        return await _items(request)

    return answer


def _date_after_next() -> str:
    """Return the HTTP date that is one to two seconds away: its parts are whole seconds."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2 * LATER_S), usegmt=True)


def _together(site: Site, number: int) -> Route:
    """Return a route that answers when so many requests are in flight."""
    full = asyncio.Event()

    async def answer(_: Request) -> Response:
        if site.is_crowded(number - 1):
            full.set()
        await full.wait()
        return JSONResponse({})

    return answer


def _busy_once(site: Site) -> Route:
    """Return a route that takes its time, and then answers 503 to the first request of each page."""

    async def answer(request: Request) -> Response:
        await asyncio.sleep(BUSY_S)
        answered = await _busy(request)
        return PlainTextResponse("not now", 503) if site.is_first(request) else answered

    return answer


def _always(status: int, headers: dict[str, str] | None = None) -> Route:
    async def answer(_: Request) -> Response:
        return PlainTextResponse("not now", status, headers)

    return answer


def _crowded(site: Site, limit: int) -> Route:
    async def answer(request: Request) -> Response:
        if site.is_crowded(limit):
            return PlainTextResponse("too many at once", 429)
        return await _busy(request)

    return answer


class _CutOff(Response):
    """An answer whose connection is closed after some of its body."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length" or value == b"1000"]
        start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": b'{"items": [', "more_body": True})


def _cut_off(site: Site, headers: dict[str, str]) -> Route:
    async def answer(request: Request) -> Response:
        return _CutOff(headers=headers) if site.is_first(request) else await _items(request)

    return answer


def _broken_gzip(site: Site) -> Route:
    async def answer(request: Request) -> Response:
        if site.is_first(request):
            return Response(b"\x1f\x8b rubbish", headers={"Content-Encoding": "gzip"})
        return await _items(request)

    return answer


async def _slow(request: Request) -> Response:
    """Answer long after the client has gone, which ends the wait."""
    async with asyncio.timeout(NEVER_S):
        while (await request.receive())["type"] != "http.disconnect":
            pass
    return Response()


def _token_said(status: int) -> Route:
    """Return a route whose answer repeats the Authorization header it was sent."""

    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"refused: {request.headers.get('authorization')}", status)

    return answer


def _redirect(to: str) -> Route:
    async def answer(_: Request) -> Response:
        return RedirectResponse(to)

    return answer


def _redirect_to(site: Site) -> Route:
    async def answer(_: Request) -> Response:
        return RedirectResponse(f"{site.redirect_to}/items?page=1")

    return answer


def _json(body: Any) -> Route:
    async def answer(_: Request) -> Response:
        return JSONResponse(body)

    return answer


def _text(body: str, kind: str, status: int = 200) -> Route:
    return _bytes(body.encode(), kind, status)


def _bytes(body: bytes, kind: str, status: int = 200) -> Route:
    async def answer(_: Request) -> Response:
        return Response(body, status, {"Content-Type": kind})

    return answer
