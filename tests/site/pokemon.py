"""A local copy of what dlt's example of a REST API asks for: lists that name each next page, and a detail of each thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

NAMES = {
    "pokemon": ["bulbasaur", "ivysaur", "venusaur", "charmander", "mr-mime", "farfetch'd", "nidoran♀"],
    "berry": ["cheri", "chesto", "pecha"],
}


def pokemon_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site that are those of the example."""
    return {f"/api/v2/{kind}": _listed(site, kind) for kind in NAMES} | {
        f"/api/v2/{kind}/{{name}}": _detail(kind) for kind in NAMES
    }


def listed_rows(url: str, kind: str) -> list[dict[str, Any]]:
    """Return the rows of a list."""
    return [{"name": name, "url": f"{url}/api/v2/{kind}/{name}"} for name in NAMES[kind]]


def detail_of(kind: str, name: str) -> dict[str, Any]:
    """Return the detail of a thing."""
    number = NAMES[kind].index(name) + 1
    return {"id": number, "name": name, "weight": 10 * number, "types": [{"slot": 1, "type": {"name": kind}}]}


def _listed(site: Site, kind: str) -> Route:
    async def answer(request: Request) -> Response:
        limit, offset = int(request.query_params["limit"]), int(request.query_params.get("offset", 0))
        rows = listed_rows(site.url, kind)
        more = f"{site.url}/api/v2/{kind}?offset={offset + limit}&limit={limit}" if offset + limit < len(rows) else None
        return JSONResponse({"count": len(rows), "next": more, "results": rows[offset : offset + limit]})

    return answer


def _detail(kind: str) -> Route:
    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(detail_of(kind, name)) if name in NAMES[kind] else PlainTextResponse("Not Found", 404)

    return answer
