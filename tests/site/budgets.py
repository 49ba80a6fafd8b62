"""The route of the test site that gives each token so many pages, and then asks it to rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

PER_TOKEN = 10
"""Pages that the first token is given; the others have no bound."""
BUDGETED = 40
"""Pages that there are."""
REST_S = 30


def budget_routes(site: Site) -> dict[str, Route]:
    """Return the route of counted pages."""

    async def answer(request: Request) -> Response:
        token = request.query_params.get("key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith(("token-one", "token-two")):
            return PlainTextResponse(f"who is {token}?", 401)
        if token.startswith("token-one") and site.given[token] >= PER_TOKEN:
            return PlainTextResponse("not now", 429, {"Retry-After": str(REST_S)})
        site.given[token] += 1
        return JSONResponse({"items": [{"page": int(request.query_params.get("page", "1"))}], "pages": BUDGETED})

    return {"/budgeted": answer}
