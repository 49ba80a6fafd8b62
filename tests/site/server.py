"""A real HTTP server whose routes are named for their fault, or for what they are good at."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from deployments.sample.server import HOST, listen
from tests.hosting import hosting
from tests.site.answers import answer_routes
from tests.site.api import api_routes
from tests.site.auth import auth_routes
from tests.site.budgets import budget_routes
from tests.site.drawn import drawn_routes
from tests.site.graphql import graphql_routes
from tests.site.items import ITEMS, item_routes
from tests.site.jobs import job_routes
from tests.site.keyset import keyset_routes
from tests.site.landing import landing_routes
from tests.site.maps import map_routes
from tests.site.oauth2 import Issued, oauth2_routes
from tests.site.odd import odd_routes
from tests.site.pages import page_routes
from tests.site.partitioned import partitioned_routes
from tests.site.people import people_routes
from tests.site.places import place_routes
from tests.site.pokemon import pokemon_routes
from tests.site.scripted import scripted_routes
from tests.site.secrets import said_routes
from tests.site.sessions import session_routes


@dataclass(frozen=True)
class Seen:
    """One request as it came in; `path` is still quoted, and has its query."""

    path: str
    headers: dict[str, str]
    at_s: float
    """Of the monotonic clock."""
    method: str = "GET"
    body: bytearray = field(default_factory=bytearray)
    """As much of it as the route has read."""


class Site:
    """One test's site: what was asked of it, and its own memory of which faults it has had."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[Seen] = []
        self.most_in_flight = 0
        self.redirect_to = ""
        self.echo = ""
        self.echo_body = b""
        self.issued = Issued()
        self.given: Counter[str] = Counter()
        self._in_flight = 0
        self._times: Counter[str] = Counter()
        self._app = Starlette(routes=_routes(self))

    @property
    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [seen.path for seen in self.seen]

    def is_first(self, request: Request, what: object = None) -> bool:
        """Return whether a request is the first to its path and query, for `what`."""
        self._times[f"{request.url} {what}"] += 1
        return self._times[f"{request.url} {what}"] == 1

    def is_crowded(self, limit: int) -> bool:
        """Return whether more requests than `limit` are in flight."""
        return self._in_flight > limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a request and answer it."""
        seen = _seen(scope)
        self.seen.append(seen)

        async def receive_noting() -> Message:
            message = await receive()
            seen.body.extend(message.get("body", b""))
            return message

        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await self._app(scope, receive_noting, send)
        finally:
            self._in_flight -= 1


class Sites:
    """One server for many sites; the first part of a path says which."""

    def __init__(self) -> None:
        self._sites: dict[str, Site] = {}
        self._numbers = count(1)
        self._listener = listen(0)

    def add(self) -> Site:
        """Return a fresh site."""
        number = str(next(self._numbers))
        self._sites[number] = Site(f"http://{HOST}:{self._listener.getsockname()[1]}/{number}")
        return self._sites[number]

    @contextmanager
    def serving(self) -> Iterator[Sites]:
        """Serve the sites while the block runs."""
        with hosting(self, self._listener):
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it tells of every answer cut off on purpose
            yield self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to its site, without the site's number in the path; the host has no robots.txt."""
        if scope["path"] == "/robots.txt":
            await PlainTextResponse("no such thing", 404)(scope, receive, send)
            return
        _, number, path = scope["path"].split("/", 2)
        quoted = scope["raw_path"].split(b"/", 2)[2]
        inner = {**scope, "path": f"/{path}", "raw_path": b"/" + quoted}
        await self._sites[number](inner, receive, send)


def _seen(scope: Scope) -> Seen:
    query = scope["query_string"].decode()
    path = scope["raw_path"].decode() + (f"?{query}" if query else "")
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    return Seen(path, headers, time.monotonic(), scope["method"])


def _routes(site: Site) -> list[Route]:
    """Return the routes of a site; all are relative, so that they work under its number."""
    routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
        **item_routes(site),
        **landing_routes(site),
        **odd_routes(site),
        **keyset_routes(site),
        **drawn_routes(site),
        **partitioned_routes(site),
        **page_routes(),
        **map_routes(site),
        **scripted_routes(site),
        **place_routes(site),
        **people_routes(site),
        **graphql_routes(site),
        **pokemon_routes(site),
        **api_routes(site, ITEMS),
        **answer_routes(site, ITEMS),
        **job_routes(site),
        **auth_routes(site, ITEMS),
        **oauth2_routes(site, ITEMS),
        **session_routes(site, ITEMS),
        **budget_routes(site),
    }
    return [
        *said_routes(site),
        *(Route(path, answer, methods=["GET", "POST", "PUT"]) for path, answer in routes.items()),
    ]
