"""The sample site: a JSON API behind a token, HTML tables over many pages, and a blog."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from typing import TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from deployments.sample.data import AIRLINE_COLUMNS, AIRPORT_COLUMNS, Value, read_airlines, read_airports, read_weather
from deployments.sample.faults import FaultMiddleware, Faults
from deployments.sample.invented import ARTICLES, USERS
from deployments.sample.pages import blog_page, missing_page, table_page

AIRPORTS_PER_PAGE = 100
AIRLINES_PER_PAGE = 10
ARTICLES_PER_PAGE = 5
MOST_ITEMS_PER_PAGE = 500

Row = TypeVar("Row")


class ParameterError(ValueError):
    """A query parameter has a value that the site does not take."""


def sample_site(token: str, faults: Faults | None = None) -> Starlette:
    """Return the site as an ASGI application; `token` opens its weather API."""
    return Starlette(
        routes=[
            Route("/health", _health),
            Route("/robots.txt", _robots),
            Route("/api/weather", WeatherApi(token, read_weather())),
            Route("/api/users/{number:int}", _user),
            *_table_routes(),
            Route("/blog/{number:int}", _blog),
        ],
        middleware=[Middleware(FaultMiddleware, faults=faults or Faults())],
        exception_handlers={404: _not_found},
    )


class WeatherApi:
    """The endpoint of the weather: hours of one origin and month, page by page, for those with the token."""

    def __init__(self, token: str, months: dict[tuple[str, int], list[dict[str, Value]]]) -> None:
        self._authorization = f"Bearer {token}".encode()
        self._months = months

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._respond(Request(scope))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(given, self._authorization):
            return JSONResponse(
                {"detail": "this needs the header Authorization: Bearer <token>, with the token the site printed"},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        try:
            return JSONResponse(self._page(request))
        except ParameterError as error:
            return JSONResponse({"detail": str(error)}, status_code=422)

    def _page(self, request: Request) -> dict[str, object]:
        origin = request.query_params.get("origin", "")
        origins = sorted({origin for origin, _ in self._months})
        if origin not in origins:
            raise ParameterError(f"origin is {origin!r}; give one of {', '.join(origins)}")
        month = _whole_number(request, "month", None, 12)
        number = _whole_number(request, "page", 1, None)
        per_page = _whole_number(request, "per_page", 100, MOST_ITEMS_PER_PAGE)
        rows = self._months[origin, month]
        pages = _pages(rows, per_page)
        return {"items": _slice(rows, number, per_page), "page": number, "pages": pages, "total": len(rows)}


def _whole_number(request: Request, name: str, default: int | None, most: int | None) -> int:
    """Return a query parameter that is a whole number from 1 to `most`."""
    text = request.query_params.get(name, "" if default is None else str(default))
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1 or (most is not None and number > most):
        allowed = "from 1" if most is None else f"from 1 to {most}"
        raise ParameterError(f"{name} is {text!r}; give a whole number {allowed}")
    return number


async def _health(_: Request) -> Response:
    return JSONResponse({"ok": True})


async def _robots(_: Request) -> Response:
    return PlainTextResponse("User-agent: *\nAllow: /\n")


async def _user(request: Request) -> Response:
    number = request.path_params["number"]
    if number not in USERS:
        return JSONResponse({"detail": f"there is no user {number}; the users are 1 to {len(USERS)}"}, status_code=404)
    return JSONResponse(USERS[number])


async def _blog(request: Request) -> Response:
    number = request.path_params["number"]
    pages = _pages(ARTICLES, ARTICLES_PER_PAGE)
    if not 1 <= number <= pages:
        return _missing(request)
    next_url = f"/blog/{number + 1}" if number < pages else None
    return HTMLResponse(blog_page(number, _slice(ARTICLES, number, ARTICLES_PER_PAGE), next_url))


def _table_routes() -> list[BaseRoute]:
    return [
        _table_route("airports", AIRPORT_COLUMNS, read_airports(), AIRPORTS_PER_PAGE),
        _table_route("airlines", AIRLINE_COLUMNS, read_airlines(), AIRLINES_PER_PAGE),
    ]


def _table_route(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], per_page: int) -> Route:
    pages = _pages(rows, per_page)

    async def show(request: Request) -> Response:
        try:
            number = _whole_number(request, "page", 1, pages)
        except ParameterError:
            return _missing(request)
        next_url = f"/{name}?page={number + 1}" if number < pages else None
        return HTMLResponse(table_page(name, columns, _slice(rows, number, per_page), next_url))

    return Route(f"/{name}", show)


async def _not_found(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": f"there is no {request.url.path} here"}, status_code=404)
    return _missing(request)


def _missing(request: Request) -> Response:
    url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return HTMLResponse(missing_page(url), status_code=404)


def _pages(rows: Sequence[Row], per_page: int) -> int:
    return math.ceil(len(rows) / per_page)


def _slice(rows: Sequence[Row], number: int, per_page: int) -> Sequence[Row]:
    """Return the rows of the page `number`, counted from 1."""
    return rows[(number - 1) * per_page : number * per_page]
