"""The routes of the test site where one logs in, and the rows that a session guards."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tests.site.api import SIZE

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

USER, PASSWORD = "reader", "pass&word=77c2d1"


def session_routes(site: Site, items: list[dict[str, Any]]) -> dict[str, Route]:
    """Return a route of sessions, by what its answer is, and one of counted pages for who sends one in some place."""
    sessions: list[str] = []

    async def login(request: Request) -> Response:
        how, sent = request.path_params["how"], await _read(request)
        if sent != (USER, PASSWORD):
            return JSONResponse({"message": f"no such user: {sent}"}, 403)
        sessions.append(f"session-3f1c-{len(sessions) + 1}")
        if how == "cookies":
            answer: Response = RedirectResponse("welcome", 302)
            answer.set_cookie("sid", sessions[-1], httponly=True)
            answer.set_cookie("lang", "de")
            return answer
        if how == "form-again":
            return PlainTextResponse("<form>wrong password</form>", media_type="text/html")
        return JSONResponse({"data": {"token": sessions[-1], "user": 7}})

    async def rows(request: Request) -> Response:
        number, kind = int(request.query_params.get("page", "1")), request.path_params["kind"]
        places = {
            "bearer": request.headers.get("authorization", "").removeprefix("Bearer "),
            "header": request.headers.get("x-session", ""),
            "cookie": request.cookies.get("sid", ""),
        }
        if request.query_params.get("ends") and number == 2 and site.is_first(request):
            sessions[-1] = "ended"
        if not sessions or places[kind] != sessions[-1]:
            return PlainTextResponse(f"who are you, {places[kind]}?", 401)
        answer = JSONResponse({"items": items[(number - 1) * SIZE : number * SIZE], "pages": -(-len(items) // SIZE)})
        answer.set_cookie("seen", str(number))
        return answer

    return {"/login/{how}": login, "/session/{kind}": rows}


async def _read(request: Request) -> tuple[str | None, str | None]:
    """Return the name and the password of a request: in a form, the address, or JSON with both within `login`."""
    body = (await request.body()).decode()
    if request.headers.get("content-type") == "application/json":
        fields = json.loads(body)["login"]
    else:
        fields = dict(parse_qsl(body or request.url.query))
    return fields.get("user"), fields.get("password")
