"""The routes of the test site whose partitions are dates, or what another route lists; each partition may have a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site.api import fail

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

DAY_ROWS = 3


@dataclass
class Partitioned:
    """What a site's partitioned routes answer, as a test sets it."""

    faults: dict[str, str] = field(default_factory=dict)
    """Faults of days and orders, by what stands for each in a request."""
    version: int = 1
    """Of all reports; another one has other rows."""
    late_s: float = 0.0
    """Seconds that an answer takes."""


_PARTITIONED: WeakKeyDictionary[Site, Partitioned] = WeakKeyDictionary()


def partitioned_at(site: Site) -> Partitioned:
    """Return what a site's partitioned routes answer."""
    return _PARTITIONED.setdefault(site, Partitioned())


def report_rows(day: str, version: int = 1) -> list[dict[str, Any]]:
    """Return the rows of a day's report."""
    return [{"day": day, "line": line, "version": version} for line in range(DAY_ROWS)]


def partitioned_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site whose partitions are dates, or what another one lists."""
    return {"/reports": _reports(site)}


def _reports(site: Site) -> Route:
    """Return a route of one report for each day; what else is asked for stands in its rows."""

    async def answer(request: Request) -> Response:
        kept, asked = partitioned_at(site), dict(request.query_params)
        body = await request.json() if request.method == "POST" else {}
        day = asked.pop("day", None) or body.get("day", "")
        await asyncio.sleep(kept.late_s)
        rows = [
            {**row, **asked, **{k: v for k, v in body.items() if k != "day"}} for row in report_rows(day, kept.version)
        ]
        return await _with_fault(site, kept.faults.get(day, "none"), request, rows)

    return answer


async def _with_fault(site: Site, fault: str, request: Request, rows: list[dict[str, Any]]) -> Response:
    if fault == "gone":
        return PlainTextResponse("no such thing", 404)
    return await fail(fault, JSONResponse({"items": rows}), request, first=site.is_first(request))
