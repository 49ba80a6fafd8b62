"""The shop that README and docs/sources.md tell of: its API, its catalogue, and files as others export them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from flows.cli.temporary_server import HOST
from tests.hosting import hosting
from tests.site.answers import zipped

ORDERS, PRODUCTS = 240, 12
_PAGE = 5
TOKEN = "shop-token"  # noqa: S105 - of this server alone


def order(number: int) -> dict[str, Any]:
    """Return an order of the API: every ninth without items, of every fourth it is not known whether it is sent back."""
    items = [
        {"line": line, "sku": f"{(number + line) % PRODUCTS:03d}", "qty": line, "unit_price": f"{number + 1000:,}.50 €"}
        for line in range(1, 1 + (number % 9 and 1 + number % 3))
    ]
    return {
        "id": f"ord_{number:04d}",
        "returned": None if number % 4 == 3 else number % 5 < 2,
        "total": f"{1000 + number:,}.50 €",
        "customer": {"country": ["DE", "FR"][number % 2]},
        "items": items,
    }


async def _orders(request: Request) -> Response:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return JSONResponse({"error": "who asks?"}, 401)
    start, limit = int(request.query_params.get("cursor", 0)), int(request.query_params["limit"])
    following = start + limit if start + limit < ORDERS else None
    rows = [order(number) for number in range(start, min(start + limit, ORDERS))]
    return JSONResponse({"data": rows, "meta": {"next_cursor": following and str(following)}})


async def _returns(request: Request) -> Response:
    """Tell what came back of an order: its first item, of every tenth there is no word."""
    number = int(request.path_params["id"].removeprefix("ord_"))
    if request.headers.get("authorization") != f"Bearer {TOKEN}" or number % 10 == 0:
        return JSONResponse({"error": "no such thing"}, 404)
    return JSONResponse({"data": [{"line": 1, "reason": f"reason {number}"}]})


async def _daily(request: Request) -> Response:
    """Give the report of the days from one until another."""
    begin, until = (date.fromisoformat(request.query_params[name]) for name in ("from", "until"))
    assert until - begin == timedelta(days=1)
    return JSONResponse({"rows": [{"day": begin.isoformat(), "visits": begin.day * 100}]})


async def _tariffs(request: Request) -> Response:
    """Give a page of two, as a table of texts."""
    place, price = [("Köln", "1,50"), ("Ulm", "2,25")][int(request.query_params["page"]) - 1]
    return Response(f"place;price\n{place};{price}\n".encode("cp1252"), headers={"X-Total-Pages": "2"})


async def _usage(_: Request) -> Response:
    """Give a day in each of two files, packed, beside one that is none of them."""
    days = {f"{day}.jsonl": b'{"day": %d, "used": %d}\n' % (day, day + 6) for day in (1, 2)}
    return Response(zipped({"read.me": b"-", **days}))


async def _articles(request: Request) -> Response:
    """Give a page of two, each of one article."""
    number = int(request.query_params["page"])
    tags = "<tag>red</tag>" if number == 2 else "<tag>new</tag><tag>red</tag>"
    return Response(f'<answer><meta pages="2"/><product id="{number}">{tags}</product></answer>')


async def _order_report(request: Request) -> Response:
    """Make a report of a month, whose number is also that of the report."""
    assert request.headers.get("authorization") == f"Bearer {TOKEN}"
    return JSONResponse({"report": {"id": (await request.json())["month"]}}, 202)


async def _report(request: Request) -> Response:
    return JSONResponse({"report": {"status": "done", "file": f"{request.path_params['id']}.csv"}})


async def _report_file(request: Request) -> Response:
    number = request.path_params["id"]
    return Response(f"month,sold\n{number},{number}00\n")


async def _clients(_: Request) -> Response:
    return JSONResponse([{"id": 7, "email": "a@example.com", "contact": {"phone": "1", "town": "Kiel"}}])


async def _client_orders(_: Request) -> Response:
    lines = [{"sku": "007", "quantity": 2, "note": "for Ann"}]
    return JSONResponse({"data": [{"id": 1, "total": 5, "customer": {"id": 7, "name": "Ann"}, "lines": lines}]})


_SCHEMA = build_schema("""
type Query { orders(first: Int!, after: String, month: Int): Orders! }
type Orders { nodes: [Order!]!, pageInfo: PageInfo! }
type PageInfo { hasNextPage: Boolean!, endCursor: String }
type Order { id: ID!, total: String, customer: Customer }
type Customer { country: String }
""")


async def _graphql(request: Request) -> Response:
    asked = await request.json()
    result = graphql_sync(_SCHEMA, asked["query"], {"orders": _page_of_orders}, variable_values=asked["variables"])
    return JSONResponse(result.formatted)


def _page_of_orders(_: Any, first: int, month: int, after: str | None = None) -> dict[str, Any]:
    rows = [order(number) for number in range(ORDERS) if number % 3 == month % 3]
    start = 0 if after is None else int(after)
    following = start + min(first, 50)
    return {
        "nodes": rows[start:following],
        "pageInfo": {"hasNextPage": following < len(rows), "endCursor": str(following)},
    }


async def _catalogue(request: Request) -> Response:
    start = int(request.query_params.get("from", 0))
    links = [
        f'<a class=product href="/products/{sku:03d}">{sku}</a>'
        for sku in range(start, start + _PAGE)
        if sku < PRODUCTS
    ]
    more = f'<a rel=next href="/catalogue?from={start + _PAGE}">more</a>' if start + _PAGE < PRODUCTS else ""
    return HTMLResponse(f"<main>{''.join(links)}{more}</main>")


async def _product(request: Request) -> Response:
    sku = request.path_params["sku"]
    named = f"<h1>Chair <b>{sku}</b></h1><span class=sku>{sku}</span><p class=number>No. {sku}</p>"
    facts = "<table class=facts><tr><th>Weight (kg)<td>7.5<tr><th>Made in<td>Kiel</table>"
    return HTMLResponse(f"<main>{named}<b class=price>€ 1,{sku}.50</b>{facts}</main>")


async def _sitemap(request: Request) -> Response:
    site = str(request.base_url).rstrip("/")
    pages = [f"{site}/products/{sku:03d}" for sku in range(PRODUCTS)]
    urls = "".join(f"<url><loc>{page}</loc></url>" for page in (*pages, f"{site}/catalogue"))
    return Response(f"<urlset>{urls}</urlset>", media_type="application/xml")


async def _news(_: Request) -> Response:
    entries = "".join(f'<entry><link href="/products/{sku:03d}"/></entry>' for sku in (1, 7))
    return Response(f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>', media_type="application/atom+xml")


async def _departments(_: Request) -> Response:
    return HTMLResponse("<nav><a href=/catalogue>Chairs</a></nav>")


@contextmanager
def open_shop() -> Iterator[str]:
    """Yield the address of the shop, served while the block runs."""
    routes = [
        Route("/v2/orders", _orders),
        Route("/v2/orders/{id}/returns", _returns),
        Route("/v2/reports/daily", _daily),
        Route("/v2/reports", _order_report, methods=["POST"]),
        Route("/v2/reports/{id:int}", _report),
        Route("/v2/reports/{id:int}.csv", _report_file),
        Route("/v2/clients", _clients),
        Route("/v2/client-orders", _client_orders),
        Route("/v2/tariffs.csv", _tariffs),
        Route("/v2/usage.zip", _usage),
        Route("/v2/articles.xml", _articles),
        Route("/graphql", _graphql, methods=["POST"]),
        Route("/catalogue", _catalogue),
        Route("/products/{sku}", _product),
        Route("/sitemap.xml", _sitemap),
        Route("/news.atom", _news),
        Route("/departments", _departments),
        Route("/robots.txt", lambda _request: Response("", 404)),
    ]
    listener = socket.create_server((HOST, 0))
    with hosting(Starlette(routes=routes), listener):
        yield f"http://{HOST}:{listener.getsockname()[1]}"


def write_inbox(inbox: Path) -> None:
    """Write the files of which the pages tell."""
    for folder in ("deliveries", "tills"):
        (inbox / folder).mkdir(parents=True)
    _write(
        inbox / "deliveries" / "may.csv",
        "order_id;shipped_on;cost",
        (f"ord_{n:04d};03.05.2024;1.{n:03d},50 €" for n in range(ORDERS)),
    )
    _write(inbox / "costs.csv", "sku,cost", (f"{sku:03d},{sku}.25" for sku in range(PRODUCTS - 1)))
    tills = inbox / "tills"
    for year, revenue in ((2022, "Umsatz"), (2023, "Umsatz (€)")):
        days = [f"{day:02d}.01.{year};101;1.{day:03d},50;{'ja' if day % 2 else 'nein'}" for day in range(1, 31)]
        head = f"Kassenbericht Nord\nZeitraum: Januar {year}\nDatum;Filiale;{revenue};Aktion"
        _write(tills / f"kasse_{year}.csv", head, [*days, "Summe;;30.480,00;"], "cp1252")
    _write(
        tills / "pos_2022.csv",
        "date,store,revenue,promo",
        (f"{day:02d}.01.2022,201,{day}.25,yes" for day in range(1, 31)),
    )
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Stores")
    for row in (("Nr.", "Town"), (101, "Kiel"), (201, "Füssen")):
        sheet.append(row)
    book.save(tills / "stores.xlsx")


def _write(path: Path, head: str, lines: Any, encoding: str = "utf-8") -> None:
    path.write_text("\n".join([head, *lines, ""]), encoding=encoding)
