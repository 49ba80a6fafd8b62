"""A route of the test site that pages as a test has drawn: by number, offset, cursor, address or header, with its faults."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Way = Literal["page", "offset", "cursor", "next_url", "link_header"]
Counts = Literal["", "pages", "rows"]
Shape = Literal["object", "nested", "list", "lines", "rows"]


@dataclass
class Drawn:
    """What a site's drawn route answers: `rows`, of which those that are None are left out after paging, in pages of `size`.

    `first` is the number of the first page, or of the first row. A client may ask for other
    pages where `obeys` says so, up to `size`. What it tells of their number is `told` more than there is, and
    grows by `grows` from page to page. `faults` are bodies that come in place of pages, by their index, `often` times each.
    """

    way: Way = "page"
    rows: list[Any] = field(default_factory=list)
    size: int = 3
    first: int = 0
    obeys: bool = True
    counts: Counts = ""
    told: int = 0
    grows: int = 0
    beyond: Literal["empty", "404", "204", "last", "null", "first"] = "empty"
    shape: Shape = "object"
    overlap: int = 0
    """So many rows of a page come again at the beginning of the next one, where a cursor is that of a row."""
    faults: dict[int, Any] = field(default_factory=dict)
    often: int = 99
    stamps: bool = False
    """Whether each row tells in which answer it came, as one with a signed address does."""
    refuses: int = 0
    """Status with which an offset that is not the beginning of a page is refused; 200 with the body of an error."""
    shown: list[Any] = field(default_factory=list)
    """The rows that were in an answer."""

    @property
    def there(self) -> list[Any]:
        """Return the rows that a client can come to."""
        return [row for row in self.rows if row is not None]

    def window(self, start: int, size: int) -> list[Any]:
        """Return the rows from one on; those that are left out are not there."""
        return [row for row in self.rows[max(start, 0) : start + size] if row is not None]


_DRAWN: WeakKeyDictionary[Site, Drawn] = WeakKeyDictionary()


def draw_at(site: Site, drawn: Drawn) -> Drawn:
    """Have a site answer as drawn."""
    _DRAWN[site] = drawn
    return drawn


def drawn_routes(site: Site) -> dict[str, Callable[[Request], Awaitable[Response]]]:
    """Return the route of a site that pages as drawn."""

    async def answer(request: Request) -> Response:
        drawn, query = _DRAWN[site], request.query_params
        size = min(drawn.size, int(query.get("limit", drawn.size))) if drawn.obeys else drawn.size
        match drawn.way:
            case "page":
                start = (int(query.get("page", drawn.first)) - drawn.first) * size
            case "offset":
                start = max(int(query.get("offset", drawn.first)), drawn.first) - drawn.first
            case _:
                start = int(query.get("cursor", "0"))
        return _answer(drawn, start, size)

    return {"/drawn": answer}


def _answer(drawn: Drawn, start: int, size: int) -> Response:
    index, end = start // size, start + size
    if drawn.faults.get(index) is not None and drawn.often > 0:
        drawn.often -= 1
        return _respond(json.dumps(drawn.faults[index]), {})
    if drawn.refuses and start % size:
        return Response('{"error": "no multiple of the limit"}', drawn.refuses, media_type="application/json")
    rows = drawn.window(start, size)
    if not 0 <= start < max(1, len(drawn.rows)):
        match drawn.beyond:
            case "404":
                return PlainTextResponse("no such page", 404)
            case "204":
                return Response(status_code=204)
            case "last" if drawn.rows:
                rows = drawn.window((len(drawn.rows) - 1) // size * size, size)
            case "first":
                rows = drawn.window(0, size)
            case _:
                rows = []
    drawn.shown.extend(rows)
    if drawn.stamps:
        rows = [row | {"seen": len(drawn.shown)} for row in rows]
    following = end - drawn.overlap if end < len(drawn.rows) else None
    headers = {"Link": f"<?cursor={following}>; rel=next"} if following and drawn.way == "link_header" else {}
    return _respond(_body(drawn, rows, index, size, following), headers, lines=drawn.shape == "lines")


def _respond(body: str, headers: dict[str, str], *, lines: bool = False) -> Response:
    return Response(body, media_type="application/x-ndjson" if lines else "application/json", headers=headers)


def _body(drawn: Drawn, rows: list[Any], index: int, size: int, following: int | None) -> str:
    if drawn.shape == "lines":
        return "\n".join(map(json.dumps, rows))
    if drawn.shape == "list":
        return json.dumps(rows)
    if drawn.shape == "rows":
        rows = [list(row.values()) for row in rows]
    number = len(drawn.there) if drawn.counts == "rows" else -(-len(drawn.rows) // size)
    total = {"total": max(0, number + drawn.told + drawn.grows * index)} if drawn.counts else {}
    following_of: dict[str, Any] = {
        "cursor": {"next": following},
        "next_url": {"next": None if following is None else f"?cursor={following}"},
    }
    records: Any = None if not rows and drawn.beyond == "null" else rows
    inner = {"data": {"items": records}} if drawn.shape == "nested" else {"items": records}
    return json.dumps({**inner, **total, **following_of.get(drawn.way, {})})
