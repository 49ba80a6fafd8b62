"""The routes of the test site that tell of people: with values that are private, and faults in whose answers these stand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

PEOPLE: list[dict[str, Any]] = [
    {
        "id": number,
        "email": f"planted{number}@mail.example",
        "customer": {"number": 739264810 + number, "phone": f"planted-phone-{number}"},
        "orders": [{"total": number * 1.5, "note": f"planted-note-{number}"}],
    }
    for number in range(1, 10)
]
PLANTED = ("planted", *(str(each["customer"]["number"]) for each in PEOPLE))
"""What no file may hold where email, customer.number, customer.phone and orders.note are private."""
_SIZE = 3
_LATE_PAGE, _LATE_S = 2, 2.6  # after which what came before it is committed
_NEVER_S = 30.0


def people_routes(site: Site) -> dict[str, Route]:
    """Return the routes: pages of people, of which the second has a fault, and the same as web pages."""

    async def answer(request: Request) -> Response:
        page, fault = int(request.query_params.get("page", 1)), request.path_params["fault"]
        rows = PEOPLE[(page - 1) * _SIZE : page * _SIZE]
        if page > 1 and fault in _FAULTS:
            return await _FAULTS[fault](rows)
        if fault == "stalls-once" and page > 1 and site.is_first(request):
            await asyncio.sleep(_LATE_S if page == _LATE_PAGE else _NEVER_S)
        more = page * _SIZE < len(PEOPLE)
        following = f"?page={page + 1}" if more else None
        return JSONResponse({"items": rows, "pages": len(PEOPLE) // _SIZE, "next": following})

    async def page(_: Request) -> Response:
        cells = ("email", "customer", "orders")
        rows = "".join(
            f"<li><b>{each['id']}</b>{''.join(f'<i class={name}>{each[name]}</i>' for name in cells)}"
            f"<dl><dt>Phone<dd>{each['customer']['phone']}<dt>Size<dd>{each['id']}<dt>{each['email']}</dl></li>"
            for each in PEOPLE
        )
        return HTMLResponse(f"<ul>{rows}<li>planted elsewhere</li></ul>")

    return {"/people/{fault}": answer, "/people.html": page}


async def _malformed(rows: list[dict[str, Any]]) -> Response:
    return Response(f"{{'items': {rows}".encode(), headers={"Content-Type": "application/json"})


async def _refused(rows: list[dict[str, Any]]) -> Response:
    return PlainTextResponse(f"{rows} are not yours", 403)


async def _broken(rows: list[dict[str, Any]]) -> Response:
    return PlainTextResponse(f"no {rows}", 500)


async def _other(rows: list[dict[str, Any]]) -> Response:
    return JSONResponse({"items": rows[0]["email"], "error": str(rows)})


async def _scalars(rows: list[dict[str, Any]]) -> Response:
    return JSONResponse({"items": [each["email"] for each in rows]})


_FAULTS: dict[str, Callable[[list[dict[str, Any]]], Awaitable[Response]]] = {
    "malformed": _malformed,
    "refused": _refused,
    "broken": _broken,
    "other": _other,
    "scalars": _scalars,
}
