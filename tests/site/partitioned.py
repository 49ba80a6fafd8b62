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
ORDERS = 8
"""Orders that the list has, unless a test says otherwise."""
LIST_ROWS = 3
"""Orders on a page of the list."""


@dataclass
class Partitioned:
    """What a site's partitioned routes answer, as a test sets it."""

    faults: dict[str, str] = field(default_factory=dict)
    """Faults of days and orders, by what stands for each in a request."""
    version: int = 1
    """Of all reports; another one has other rows."""
    late_s: float = 0.0
    """Seconds that an answer takes."""
    orders: list[dict[str, Any]] = field(default_factory=lambda: order_rows(ORDERS))


_PARTITIONED: WeakKeyDictionary[Site, Partitioned] = WeakKeyDictionary()


def partitioned_at(site: Site) -> Partitioned:
    """Return what a site's partitioned routes answer."""
    return _PARTITIONED.setdefault(site, Partitioned())


def report_rows(day: str, version: int = 1) -> list[dict[str, Any]]:
    """Return the rows of a day's report."""
    return [{"day": day, "line": line, "version": version} for line in range(DAY_ROWS)]


def order_rows(orders: int) -> list[dict[str, Any]]:
    """Return the rows of a list of orders; every third is closed."""
    return [
        {"id": number, "status": "open" if number % 3 else "closed", "at": f"2024-01-{number % 28 + 1:02}T00:00:00Z"}
        for number in range(1, orders + 1)
    ]


def item_rows(order: int) -> list[dict[str, Any]]:
    """Return the items of an order, of which there are one or two."""
    return [{"item": f"{order}-{line}", "qty": order + line} for line in range(order % 2 + 1)]


def partitioned_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site whose partitions are dates, or what another one lists."""
    return {
        "/reports": _reports(site),
        "/orders": _orders(site),
        "/orders/{order}/items": _items(site),
        "/orders/{order}/items/{item}": _item(site),
    }


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


def _orders(site: Site) -> Route:
    """Return a route of a list of orders, by pages."""

    async def answer(request: Request) -> Response:
        kept, page = partitioned_at(site), int(request.query_params.get("page", "1"))
        await asyncio.sleep(kept.late_s)
        body = {
            "items": kept.orders[(page - 1) * LIST_ROWS : page * LIST_ROWS],
            "pages": -(-len(kept.orders) // LIST_ROWS),
        }
        return await fail(
            kept.faults.get(f"page {page}", "none"), JSONResponse(body), request, first=site.is_first(request)
        )

    return answer


def _items(site: Site) -> Route:
    """Return a route of the items of an order."""

    async def answer(request: Request) -> Response:
        kept, order = partitioned_at(site), request.path_params["order"]
        await asyncio.sleep(kept.late_s)
        rows = item_rows(int(order)) if order.isdecimal() else []
        return await _with_fault(site, kept.faults.get(order, "none"), request, rows)

    return answer


def _item(site: Site) -> Route:
    """Return a route of one item of an order."""

    async def answer(request: Request) -> Response:
        await asyncio.sleep(partitioned_at(site).late_s)
        return JSONResponse(
            {"items": [{"of": request.path_params["item"], "order": int(request.path_params["order"])}]}
        )

    return answer


async def _with_fault(site: Site, fault: str, request: Request, rows: list[dict[str, Any]]) -> Response:
    if fault == "gone":
        return PlainTextResponse("no such thing", 404)
    return await fail(fault, JSONResponse({"items": rows}), request, first=site.is_first(request))
