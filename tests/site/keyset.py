"""The routes of the test site whose next page is asked for by a value of the last row, as Stripe and GitLab have them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

SIZE = 3
"""Rows of a full page."""


@dataclass
class Keyset:
    """What the routes of a site answer: `rows` in their order, of which those of `dropped` go once they were sent."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    text: bytes | None = None
    """The body of the first page, where it is to be as it is written."""
    dropped: set[Any] = field(default_factory=set)
    refused_after: str | None = None
    """The value that is answered with 500 once."""


_KEYSETS: WeakKeyDictionary[Site, Keyset] = WeakKeyDictionary()


def keyset_at(site: Site, **changes: Any) -> Keyset:
    """Return what a site's routes answer, changed as said."""
    keyset = _KEYSETS.setdefault(site, Keyset())
    for name, value in changes.items():
        setattr(keyset, name, value)
    return keyset


def keyset_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site."""

    async def stripe(request: Request) -> Response:
        """Answer with what follows the row of an id, and whether there is more."""
        rows, more = _after(keyset_at(site), request.query_params.get("starting_after"))
        return JSONResponse({"object": "list", "data": rows, "has_more": more})

    async def gitlab(request: Request) -> Response:
        """Answer with a list of what follows an id; once with 500, where that is set."""
        keyset, after = keyset_at(site), request.query_params.get("id_after")
        if after is not None and after == keyset.refused_after:
            keyset.refused_after = None
            return PlainTextResponse("not now", 500)
        return JSONResponse(_after(keyset, after)[0])

    async def posted(request: Request) -> Response:
        """Answer a body that may have a value."""
        after = json.loads(await request.body()).get("after")
        return JSONResponse({"data": _after(keyset_at(site), None if after is None else str(after))[0]})

    async def deaf(_: Request) -> Response:
        """Answer with the first rows, whatever is asked."""
        return JSONResponse({"data": keyset_at(site).rows[:SIZE], "has_more": True})

    async def exact(request: Request) -> Response:
        """Answer with a text as it is written, and after it with no rows."""
        after = request.query_params.get("starting_after")
        body = keyset_at(site).text if after is None else b'{"data": [], "has_more": false}'
        return Response(body, media_type="application/json")

    async def nothing(request: Request) -> Response:
        """Answer with all rows, and after them with 204."""
        after = request.query_params.get("id_after")
        return JSONResponse(keyset_at(site).rows) if after is None else Response(status_code=204)

    async def span(request: Request) -> Response:
        """Answer with the rows after a place, where they end, and how many there are."""
        rows, start = keyset_at(site).rows, int(request.headers.get("X-Continue-After", "0"))
        page = rows[start : start + SIZE]
        return JSONResponse({"items": page, "span": {"end": start + len(page), "of": len(rows)}})

    return {
        "/keyset/span": span,
        "/keyset/stripe": stripe,
        "/keyset/gitlab": gitlab,
        "/keyset/posted": posted,
        "/keyset/deaf": deaf,
        "/keyset/exact": exact,
        "/keyset/204": nothing,
    }


def _after(keyset: Keyset, value: str | None) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows after the one whose id is a value, and whether there are more; ids grow in the order of rows."""
    places = [place for place, row in enumerate(keyset.rows) if str(row["id"]) == value]
    start = places[-1] + 1 if places else 0
    rows = keyset.rows[start : start + SIZE]
    left = [row for row in rows if row["id"] not in keyset.dropped]
    return left, start + SIZE < len(keyset.rows)
