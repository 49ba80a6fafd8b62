"""The routes of the test site that are a GraphQL server: one of each fault that such a one answers with."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, build_schema, graphql_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site.items import _CutOff

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

ORDERS = [
    {"id": f"o{number}", "total": number * 1.5, "buyer": {"name": f"b{number % 3}"}, "region": "eu" if number % 2 else "us"}
    for number in range(1, 26)
]  # fmt: skip
QUERY = """
query Orders($first: Int!, $after: String, $region: String) {
  orders(first: $first, after: $after, region: $region) {
    nodes { id total buyer { name } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_SCHEMA = build_schema("""
type Query { orders(first: Int!, after: String, region: String): Connection, user(id: ID!): User }
type User { orders(first: Int!, after: String): Connection }
type Connection { nodes: [Order], pageInfo: PageInfo!, totalCount: Int! }
type PageInfo { hasNextPage: Boolean!, endCursor: String }
type Order { id: ID!, total: Float, buyer: Buyer, region: String }
type Buyer { name: String }
""")


class _Root:
    """What the server resolves queries by; a fault is one of its fields'."""

    def __init__(self, fault: str) -> None:
        self._fault = fault

    def orders(self, _: Any, first: int, after: str | None = None, region: str | None = None) -> dict[str, Any]:
        """Return a page of the orders of a region."""
        rows: list[dict[str, Any]] = [dict(row) for row in ORDERS if region in (None, row["region"])]
        if self._fault == "endless":
            after = None
        ids = [row["id"] for row in rows]
        start = ids.index(after) + 1 if after is not None else 0
        page = rows[start : start + first]
        if self._fault == "partial" and start:
            page[0]["buyer"] = _fail
        more = start + first < len(rows)
        cursor = None if self._fault == "no-cursor" else page[-1]["id"] if page else None
        return {"nodes": page, "pageInfo": {"hasNextPage": more, "endCursor": cursor}, "totalCount": len(rows)}

    def user(self, _: Any, id: str) -> dict[str, Any] | None:  # noqa: A002 - the argument of the schema
        """Return a user, of whom there is one."""
        return {"orders": self.orders} if id == "1" else None


def _fail(_: Any) -> None:
    raise GraphQLError("the buyer is not known")


def graphql_routes(site: Site) -> dict[str, Route]:
    """Return the routes: one for each fault that the second page has once, or that the server always has."""

    async def answer(request: Request) -> Response:
        asked, fault = json.loads(await request.body()), request.path_params["fault"]
        is_second = asked["variables"].get("after") is not None
        if is_second and fault in _ONCE and site.is_first(request):
            return _ONCE[fault]()
        result = graphql_sync(_SCHEMA, asked["query"], _Root(fault), variable_values=asked["variables"])
        return JSONResponse(result.formatted)

    return {"/graphql/{fault}": answer}


def _errors(code: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    error = {"message": "not now", "path": ["orders"], "extensions": {"code": code}}
    return JSONResponse({"errors": [error], "data": None, **more}, headers=headers)


_ONCE: dict[str, Callable[[], Response]] = {
    "500-once": lambda: PlainTextResponse("not now", 500),
    "429-once": lambda: PlainTextResponse("not now", 429),
    "drop-once": _CutOff,
    "truncated-once": lambda: _CutOff(headers={"Content-Length": "1000"}),
    "html-once": lambda: PlainTextResponse("<h1>not now</h1>", 503),
    "internal-once": lambda: _errors("INTERNAL_SERVER_ERROR"),
    "limited-once": lambda: _errors("RATE_LIMITED", {"Retry-After": "1"}),
    "throttled-once": lambda: _errors(
        "THROTTLED",
        extensions={
            "cost": {"requestedQueryCost": 101, "throttleStatus": {"currentlyAvailable": 1, "restoreRate": 100.0}}
        },
    ),
}
FAULTS_ONCE = list(_ONCE)
