"""The routes of the test site that take what names a page from anywhere in a request."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site.items import ITEMS, PAGE_ITEMS, PAGES
from tests.site.landing import kept_at

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

_MARKED = re.compile(r"from=(\w+)")


def place_routes(site: Site) -> dict[str, Route]:
    """Return the routes: of a kind of pages, whose number, cursor or value stands where the request has `from`, or behind `from=`."""

    async def answer(request: Request) -> Response:
        """Answer each request with 500 once, and then with the page."""
        body = json.loads(await request.body() or b"{}")
        if site.is_first(request, (request.headers.get("X-From"), json.dumps(body))):
            return PlainTextResponse("not now", 500)
        page = _page_of(request.path_params["kind"], _find(request, body))
        items = ITEMS[(page - 1) * PAGE_ITEMS : page * PAGE_ITEMS]
        following = f"c{page + 1}" if page < PAGES else None
        told = {"region": request.headers.get("X-Region"), "q": request.query_params.get("q")}
        return JSONResponse({"items": items, "next": following, "more": page < PAGES, "pages": PAGES, "told": told})

    async def since_anywhere(request: Request) -> Response:
        """Answer with the rows that are kept, whatever is asked; the test reads what was."""
        await request.body()
        return JSONResponse({"items": kept_at(site).rows})

    return {"/from/{kind}": answer, "/from/{kind}/{from}/items": answer, "/since-anywhere": since_anywhere}


def _find(request: Request, body: Any) -> str:
    """Return what names the page; of two places that do the request is wrong."""
    texts = " ".join([*request.query_params.values(), *request.headers.values(), json.dumps(body)])
    found = [
        request.path_params.get("from"),
        request.query_params.get("from"),
        request.headers.get("X-From"),
        body.get("variables", {}).get("from"),
        *(each.get("from") for each in body.get("asks", [])),
        *_MARKED.findall(texts),
    ]
    named = [str(value) for value in found if value is not None]
    return named[0] if len(named) == 1 else "" if not named else "two"


def _page_of(kind: str, value: str) -> int:
    match kind:
        case "page":
            return int(value)
        case "offset":
            return int(value) // PAGE_ITEMS + 1
        case "cursor":
            return int(value.removeprefix("c") or 1)
        case _:
            return int(value or 0) // PAGE_ITEMS + 1
