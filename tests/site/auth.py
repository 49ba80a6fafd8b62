"""The routes of the test site that ask who asks: tokens, cookies, and what repeats a secret."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site.api import SIZE, read_asked

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

SIGNING_SECRET = "sesame-of-signatures"  # noqa: S105 - of the tests alone

_LASTS = {"short": 0.2, "rubbish": "soon", "text": "3600", "below-zero": -5}


def auth_routes(site: Site, items: list[dict[str, Any]]) -> dict[str, Route]:
    """Return the routes of a site that ask who asks, `items` being what is guarded."""
    return {
        "/token/{kind}": _token(site),
        "/guarded/{kind}": _guarded(items),
        "/echo/{place}": _echo(site),
        "/cookie": _cookie,
        "/signed": _signed(site),
    }


def _signed(site: Site) -> Route:
    """Return a route of one row, for whom signs its address with the secret that the tests have."""

    async def answer(request: Request) -> Response:
        text = f"{request.method} {site.url}{site.seen[-1].path}".encode()
        expected = hmac.new(SIGNING_SECRET.encode(), text, hashlib.sha256).hexdigest()
        if request.headers.get("x-client") != "me" or request.headers.get("x-signature") != expected:
            return PlainTextResponse(f"{SIGNING_SECRET} signs otherwise", 401)
        return JSONResponse([{"id": 1}])

    return answer


def _token(site: Site) -> Route:
    """Return a route that gives tokens, each another; or, by its kind, none."""

    async def answer(request: Request) -> Response:
        kind = request.path_params["kind"]
        said = (await request.body()).decode() + request.headers.get("authorization", "")
        number = len([path for path in site.paths if path.startswith("/token/")])
        token = "token-for-all" if kind == "same" else f"token-number-{number}"
        if kind == "late":
            await asyncio.sleep(0.05)
        if kind == "503-once" and number == 1:
            return PlainTextResponse("not now", 503)
        none: dict[str, Callable[[], Response]] = {
            "refusing": lambda: JSONResponse({"error": "invalid_client", "sent": said}, 401),
            "elsewhere": lambda: Response(status_code=307, headers={"Location": f"{site.redirect_to}/token/plain"}),
            "html": lambda: PlainTextResponse(f"token is {token}"),
            "other-name": lambda: JSONResponse({"accessToken": token, "of": said}),
            "null": lambda: JSONResponse({"access_token": None}),
        }
        if kind in none:
            return none[kind]()
        return JSONResponse(
            {"access_token": token, "token_type": "bearer", "expires_in": _LASTS.get(kind, 3600)},
        )

    return answer


def _guarded(items: list[dict[str, Any]]) -> Route:
    """Return a route of counted pages for those who have a token; `revoking` ends the first token with page 2."""

    async def answer(request: Request) -> Response:
        kind, number = request.path_params["kind"], int(request.query_params.get("page", "1"))
        sent = request.headers.get("authorization", "")
        if kind == "shut" or not sent.startswith("Bearer token-"):
            return PlainTextResponse(f"who are you, {sent}?", 401)
        if kind == "revoking" and number == 2 and sent in {"Bearer token-number-1", "Bearer token-for-all"}:
            return PlainTextResponse("it has ended", 401)
        page = items[(number - 1) * SIZE : number * SIZE]
        return JSONResponse({"items": page, "pages": -(-len(items) // SIZE)})

    return answer


def _echo(site: Site) -> Route:
    """Return a route that repeats a secret where its place says: `site.echo`, or else what it was sent as proof."""

    async def answer(request: Request) -> Response:
        place, asked = request.path_params["place"], await read_asked(request)
        said = site.echo or request.headers.get("authorization", "")
        key = quote(site.echo, safe="")
        number = int(str(asked.get("n", 1)).split()[-1])
        following = f"{place}?n={number + 1}&key={key}" if number < SIZE else None
        cursor = number < SIZE and f"{said} {number + 1}"
        body = {"items": [{"id": number}], "next": following, "cursor": cursor}
        well = JSONResponse(body, headers={"Link": f"<{following}>; rel=next"} if following else {})
        headers = {"ETag": f'"{said}"', "Last-Modified": said, "X-Said": said}
        places: dict[str, Callable[[], Response]] = {
            "body": lambda: Response(site.echo_body, headers={"Content-Type": "application/json"}),
            "typed": lambda: Response(site.echo_body, headers={"Content-Type": site.echo}),
            "header": lambda: JSONResponse(body["items"], headers=headers),
            "error": lambda: PlainTextResponse(f"no: {said}", 400, headers),
            "page": lambda: PlainTextResponse(f"<h1>{said}</h1>"),
            "always-503": lambda: PlainTextResponse(said, 503),
            "location": lambda: Response(status_code=302, headers={"Location": f"ftp://x/?key={key}"}),
            "location-on": lambda: (
                well
                if "moved" in asked
                else Response(status_code=302, headers={"Location": f"location-on?moved=1&key={key}"})
            ),
        }
        return places.get(place, lambda: well)()

    return answer


async def _cookie(request: Request) -> Response:
    """Set a cookie that says `who` asks, and send on, once, to where it is told."""
    asked = request.query_params
    if "to" in asked:
        answer = Response(status_code=302, headers={"Location": asked["to"].removeprefix("/")})
        answer.set_cookie("visit", asked.get("who", "1"))
        return answer
    return JSONResponse([{"cookies": dict(request.cookies)}])
