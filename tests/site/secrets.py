"""The routes of the test site that repeat what proves who asked, as careless servers do, wherever an answer has text."""

from __future__ import annotations

import html
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.site.server import Site

Answer = Callable[[Request], Awaitable[Response]]

SIGNS = '/+"&%<\\='
"""Signs that are written in more than one way."""
TOKEN = f"token9d1c{SIGNS}"
"""The token that the site gives."""
REFRESH = f"refresh7b3e{SIGNS}"
"""The refresh token that the site gives in place of the one it is sent."""
SESSION = "session2a9e51-of-the-site"
"""The cookie that the site sets who logs in."""
SIGNED = "signed4c1d77"
"""The token in the addresses that the site gives."""
SAID_PAGES = 3
_PROOFS = ("authorization", "x-api-key", "cookie")


def said_routes(site: Site) -> list[Route]:
    """Return the routes of a site that repeat what they were sent."""
    answers = {
        "/said/page": _page(site),
        "/said/half": _page(site, broken_from=SAID_PAGES),
        "/said/html": _html,
        "/said/broken": _broken,
        "/said/401": _refused(401),
        "/said/500": _refused(500),
        "/said/moved": _moved("page"),
        "/said/moved-for-ever": _moved("moved-for-ever"),
        "/said/moved-to-nowhere": _moved("ftp://"),
        "/said/token": _token,
        "/said/next-with-token": _signed,
        "/said/page-with-token": _linked,
        "/said/session": _session,
        "/said/no-token": _refused(400),
    }
    return [Route(path, answer, methods=["GET", "POST"]) for path, answer in answers.items()]


def _page(site: Site, broken_from: int = SAID_PAGES + 1) -> Answer:
    """Return a route of pages, each of which repeats in a record what it was sent, and in the address of the next."""

    async def answer(request: Request) -> Response:
        number = int(request.query_params.get("page", "1"))
        if number >= broken_from:
            return await _refused(500)(request)
        following = f"{site.url}{request.url.path}?{_query(request, page=str(number + 1))}"
        items = [{"id": number, "said": await _said(request)}]
        return JSONResponse({"items": items, "next": following if number < SAID_PAGES else None})

    return answer


async def _html(request: Request) -> Response:
    """Answer with a page whose rows and link repeat what it was sent."""
    number = int(request.query_params.get("page", "1"))
    link = f"<a rel=next href='?{html.escape(_query(request, page=str(number + 1)))}'>next</a>"
    row = f"<li><b>{html.escape(await _said(request))}</b></li>"
    return HTMLResponse(row + (link if number < SAID_PAGES else ""))


async def _signed(request: Request) -> Response:
    """Answer with a page whose next address has a token of the server's own, which it wants; the third fails at first."""
    number = int(request.query_params.get("page", "1"))
    if number > 1 and request.query_params.get("access_token") != SIGNED:
        return PlainTextResponse("no such page without its token", 403)
    if number == SAID_PAGES and request.query_params.get("fail"):
        return PlainTextResponse(f"access_token={SIGNED}", 500)
    fail = "&fail=1" if request.query_params.get("fail") else ""
    following = f"next-with-token?page={number + 1}&access_token={SIGNED}{fail}"
    return JSONResponse({"items": [{"id": number}], "next": following if number < SAID_PAGES else None})


async def _linked(_: Request) -> Response:
    """Answer with a page that leads to one without rows, by an address with a token."""
    return HTMLResponse(f"<li><b>a</b></li><a rel=next href='../no-match?access_token={SIGNED}'>next</a>")


async def _broken(request: Request) -> Response:
    return Response('{"items": [' + await _said(request), media_type="application/json")


def _refused(status: int) -> Answer:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"I do not like {await _said(request)}", status)

    return answer


def _moved(to: str) -> Answer:
    """Return a route that repeats in an address what it was sent."""

    async def answer(request: Request) -> Response:
        return RedirectResponse(f"{to}?{_query(request, said=await _said(request))}")

    return answer


async def _token(request: Request) -> Response:
    tokens = {"access_token": TOKEN, "refresh_token": REFRESH, "expires_in": 3600}
    return JSONResponse({**tokens, "said": await _said(request)})


async def _session(request: Request) -> Response:
    answer = PlainTextResponse(await _said(request))
    answer.set_cookie("sid", SESSION)
    return answer


def _query(request: Request, **changed: str) -> str:
    """Return a request's query, changed as said."""
    return urlencode({**request.query_params, **changed})


async def _said(request: Request) -> str:
    """Return what a request says of who asks, written in every way that servers do."""
    proofs = [request.headers[name] for name in _PROOFS if name in request.headers]
    pairs = [b64decode(proof.partition(" ")[2]).decode() for proof in proofs if proof.startswith("Basic ")]
    query = {name: value for name, value in request.query_params.items() if name != "said"}
    text = " ".join([*proofs, *pairs, urlencode(query), unquote(urlencode(query)), (await request.body()).decode()])
    return " ".join([text, quote(text, safe=""), html.escape(text), json.dumps(text), repr(text)])
