"""The routes of the test site whose pages are as a test sets them: left out, miscounted, refused or empty in the middle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

Beyond = Literal["empty", "404", "204", "last"]


@dataclass
class Odd:
    """What a site's odd routes answer.

    `pages` are the rows of each page; `told` what each tells of their number, the last
    also for those after it. `first` is the number of the first page, and `beyond` what
    comes behind the last. `beside` stands in the body of a page, and where it has a
    status the answer has this one; those of `once` are answered only the first time.
    """

    pages: list[list[Any]] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    first: int = 1
    beyond: Beyond = "empty"
    beside: dict[int, dict[str, Any]] = field(default_factory=dict)
    once: dict[int, dict[str, Any]] = field(default_factory=dict)
    last_names: Literal["null", "nothing"] = "null"
    """How the last page names the next."""
    shown: list[Any] = field(default_factory=list)
    """The rows that were in an answer."""


_ODD: WeakKeyDictionary[Site, Odd] = WeakKeyDictionary()


def odd_at(site: Site, **changes: Any) -> Odd:
    """Return what a site's odd routes answer, changed as said."""
    odd = _ODD.setdefault(site, Odd())
    for name, value in changes.items():
        setattr(odd, name, value)
    return odd


def odd_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site whose pages are as a test sets them."""

    async def by_page(request: Request) -> Response:
        odd = odd_at(site)
        return _page(odd, int(request.query_params.get("page", odd.first)) - odd.first)

    async def by_offset(request: Request) -> Response:
        """Answer with a window of what there is; rows that are null are left out after it has been cut."""
        odd, query = odd_at(site), request.query_params
        offset, size = int(query["offset"]), int(query.get("limit", 3))
        window = [row for page in odd.pages for row in page][offset : offset + size]
        return _answer(odd, offset // size, [row for row in window if row is not None])

    async def by_cursor(request: Request) -> Response:
        odd, index = odd_at(site), int(request.query_params.get("cursor", "0"))
        following = index + 1 if index + 1 < len(odd.pages) else None
        names = {"next": following} if following is not None or odd.last_names == "null" else {}
        headers = {} if following is None else {"Link": f"<?cursor={following}>; rel=next"}
        return _answer(odd, index, odd.pages[index], {"meta": names}, headers)

    async def by_odata(request: Request) -> Response:
        """Answer as OData does: names with dots beside the rows, and the next left out of the last page."""
        odd, index = odd_at(site), int(request.query_params.get("$skiptoken", "0"))
        last = index + 1 >= len(odd.pages)
        names = {} if last else {"@odata.nextLink": f"?$skiptoken={index + 1}"}
        count = {"@odata.count": sum(map(len, odd.pages))}
        rows = odd.pages[index]
        return JSONResponse(
            {**count, "value": rows, "x.y": {"items": rows, "next.one": names.get("@odata.nextLink")}, **names}
        )

    return {
        "/odd/page": by_page,
        "/odd/offset": by_offset,
        "/odd/cursor": by_cursor,
        "/odd/cursor/{part}": by_cursor,
        "/odd/odata": by_odata,
    }


def _page(odd: Odd, index: int) -> Response:
    if 0 <= index < len(odd.pages):
        return _answer(odd, index, odd.pages[index])
    match odd.beyond:
        case "last" if odd.pages:
            return _answer(odd, index, odd.pages[-1 if index >= 0 else 0])
        case "404":
            return PlainTextResponse("no such page", 404)
        case "204":
            return Response(status_code=204)
        case _:
            return _answer(odd, index, [])


def _answer(
    odd: Odd,
    index: int,
    rows: list[Any],
    names: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    beside = odd.once.pop(index, None) or odd.beside.get(index, {})
    told = {"total": odd.told[max(0, min(index, len(odd.told) - 1))]} if odd.told else {}
    body = {"items": rows, **told, **(names or {}), **beside}
    odd.shown.extend(body["items"] or [])
    return JSONResponse(body, body.pop("status", 200), headers)
