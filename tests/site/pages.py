"""The routes of the test site that are web pages, named for their fault, or for what they are good at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

Route = Callable[[Request], Awaitable[Response]]

FAN = 8
LATE_S = 0.004

_VALUES = """
    <p class=title> All of it </p>
    <li><b> one </b><i>x</i><i> </i><i>y</i><a href="/of/one">more</a></li>
    <li><b> two </b><span>blue</span></li>
"""

_HEADED = """
    <table><tr><th>name<th>n<tr><td><b>a</b><td>1<tr><th>name<th>n<tr><td><b> </b><td><tr><td><b>c</b><td>3</table>
"""
_SPANNED = """
    <table><thead><tr><th>country<th>city<th>n</thead>
    <tr><td rowspan=2 id=de>Germany<td>Berlin<td>1<tr><td>Hamburg<td>2
    <tr><td>Malta<td colspan=2>none
    <tr><td rowspan=0>France<td>Paris<td rowspan=2>4<tr><td>Lyon<tr></table>
"""
_PAIRS = """
    <li><b>a</b><table class=facts><tr><th colspan=2>Size<tr><th>Weight (kg):<td>1,5<tr><td>Colour<td>red<br>and blue
    <tr><td>Length<td>2<td>Width<td>3<tr><td rowspan=2>Use<td>in<tr><td>out<tr><td>Name<td>other<tr><td>Empty<td></table>
    <li><b>b</b><dl><dt>Weight (kg)</dt><dd>2</dd>
    <div><dt>Use</dt><dd>here</dd><dd>there</dd></div><dt>None</dt><dt>Colour</dt><dd><i>white</i></dd></dl>
    <li><b>c</b><table class=facts><tr><td>alone<tr><td>1<td>2<td>3<tr><td> <td>nameless</table>
"""
_PAIRS_WITHIN = """
    <li><b>a</b><table class=facts><tr><td>Box<td><table><tr><td>Width<td>2<tr><td>Height<td>3</table>
    <tr><td>Notes<td><dl><dt>Weight<dd>5<dl><dt>Net<dd>4</dl></dl><tr><td>Width<td>9</table>
    <li><b>b</b><table class=facts><tr><td><table><tr><td>Width<td>2</table><tr><td><dl><dt>Net<dd>1</dl></table>
    <li><b>c</b><dl class=facts><dt>Weight<dd><dl><dt>Net<dd>4</dl></dd><dd>6</dl>
"""
_NESTED = """
    <table id=outer><tr><td rowspan=2>a<td><table><tr><td rowspan=2>x<td>y<tr><td>z</table>
    <tr><td>b</table>
"""
_TEXTS = """
    <ul><li><b>a<!-- c -->b</b><li><b>1<sup>99</sup></b><li><b> <i>x</i> late </b><li><b>p<br>q&nbsp;&nbsp;r</b>
    <li><b>s<script>no()</script><i hidden>no</i><i style="display: none">no</i>t</b><li><b>u<?php echo 1 ?>v</b></ul>
"""


def page_routes() -> dict[str, Route]:
    """Return the routes of a site that are HTML."""
    return {
        "/page-1": _html(_page(["a", "b"], "page-2")),
        "/page-2": _html(_page(["c"], " page-3#rows ")),
        "/page-3": _html(_page([" d ", ""], None)),
        "/part/{part:path}": _part,
        "/loop-1": _html(_page(["a"], "loop-2")),
        "/loop-2": _html(_page(["b"], "loop-1#top")),
        "/endless/{number:int}": _endless,
        "/page-that-links-nowhere": _html(_page(["a"], "javascript:void(0)")),
        "/page-that-links-wrongly": _html(_page(["a"], "http://[wrong")),
        "/page-that-links-on": _linking,
        "/page-with-base": _html(f"<base href='deep/er/'>{_page(['a'], '../../page-3')}"),
        "/page-that-redirects": _redirecting,
        "/fan": _html(_page(["all"], *(f"late/{number}" for number in range(FAN)))),
        "/late/{number:int}": _late,
        "/same-page-twice": _html(_page(["a"], "page-3", "./x/../page-3", "page-3#end", "page-3")),
        "/moved-to-page-3": _moved("page-3"),
        "/same-page-moved": _html(_page(["a"], "moved-to-page-3", "page-3", "moved-to-page-3?again")),
        "/list-1": _html(_list(["item/1", "item/2"], "list-2")),
        "/list-2": _html(_list(["item/2", "item/3", "list-1"], "list-1")),
        "/list-without-links": _html(_list([], "list-1")),
        "/item/{number:int}": _item,
        "/values": _html(_VALUES),
        "/json-instead-of-html": _bytes(b'["li"]', "application/json"),
        "/list-with-circles": _html(_list(["item/1", "redirects-for-ever", "redirects-to-an-app"], "list-2")),
        "/redirects-for-ever": _moved("redirects-for-ever"),
        "/redirects-to-an-app": _moved("app://open"),
        "/counted/{number:int}": _counted,
        "/no-match": _html("<p>nothing here</p>"),
        "/no-match-then-rows": _html("<p>nothing here</p><a rel=next href=page-3>next</a>"),
        "/blank": _html(""),
        **_encoded(),
        **_tables(),
    }


def _rows(number: int, every: int) -> str:
    """Return a table of rows with a name in b, and after `every` of these one that has it in i."""
    rows = (f"<tr><td><b>{n}</b>" + f"<tr><td><i>other {n}</i>" * (n % every == 0) for n in range(number))
    return "<table><tr><th>name" + "".join(rows)


def _tables() -> dict[str, Route]:
    """Return the routes whose rows are not as simple as they look."""
    return {
        "/table-with-spans": _html(_SPANNED),
        "/table-with-heading-rows": _html(_HEADED),
        "/table-within-a-table": _html(_NESTED),
        "/table-that-claims-millions": _html("<table><tr>" + "<td rowspan=999 colspan=1000>a" * 9 + "<tr>" * 99),
        "/only-headings": _html("<table><tr><th>name<tr><th>name</table>"),
        "/rows-of-two-templates": _html(_rows(5, every=1)),
        "/rows-with-few-of-another-template": _html(_rows(40, every=20)),
        "/rows-with-many-headings": _html("<table>" + "<tr><th>name<tr><td><b>a</b><tr class=space><td>" * 2),
        "/texts": _html(_TEXTS),
        "/pairs": _html(_PAIRS),
        "/pairs-within-pairs": _html(_PAIRS_WITHIN),
        "/meta-refresh": _html("<meta http-equiv=Refresh content='0; url=page-3'><p>We have moved"),
    }


def _encoded() -> dict[str, Route]:
    """Return the routes that are not, or not rightly, declared to be UTF-8."""
    czech = _page(["\u017elu\u0165"], "page-that-links-on?q=\u017e")
    return {
        "/latin-1": _bytes(_page(["caf\xe9"]).encode("latin-1"), "text/html; charset=iso-8859-1"),
        "/latin-1-declared-utf-8": _bytes(_page(["caf\xe9"]).encode("latin-1"), "text/html; charset=utf-8"),
        "/meta-charset": _bytes(b'<meta charset="windows-1250">' + czech.encode("windows-1250"), "text/html"),
        "/utf-16": _bytes(_page(["\u017elu\u0165"]).encode("utf-16"), "text/html"),
    }


def _page(names: list[str], *following: str | None) -> str:
    rows = "".join(f"<li><b>{name}</b><a href='of/{name.strip()}'>more</a></li>" for name in names)
    return f"<ul>{rows}</ul>" + "".join(f"<a rel=next href='{link}'>next</a>" for link in following if link is not None)


def _list(links: list[str], following: str) -> str:
    return "".join(f"<a href='{link}'>to it</a>" for link in links) + f"<a rel=next href='{following}'>next</a>"


async def _part(request: Request) -> Response:
    return HTMLResponse(_page([request.path_params["part"]]))


async def _endless(request: Request) -> Response:
    number = request.path_params["number"]
    return HTMLResponse(_page([str(number)], f"{number + 1}"))


async def _linking(request: Request) -> Response:
    """Answer with a page that leads on to `to`, however often it is named."""
    return HTMLResponse(_page(["a"], *request.query_params.getlist("to")))


async def _redirecting(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"])


def _moved(to: str) -> Route:
    async def answer(_: Request) -> Response:
        return RedirectResponse(to)

    return answer


async def _counted(request: Request) -> Response:
    """Answer with one of two pages, each time with another text beside the rows; the second leads to the first by another address."""
    number = request.path_params["number"]
    shown = f"<i>shown at {time.monotonic_ns()}</i>"
    return HTMLResponse(_page([f"{number}a", f"{number}b"], {1: "2", 2: "1?again"}.get(number)) + shown)


async def _late(request: Request) -> Response:
    """Answer the later, the lower the number is."""
    number = request.path_params["number"]
    await asyncio.sleep((FAN - number) * LATE_S)
    return HTMLResponse(_page([str(number)]))


async def _item(request: Request) -> Response:
    """Answer with a detail page that leads to another, as "next item" does."""
    number = request.path_params["number"]
    return HTMLResponse(_page([f"item {number}"], f"{number + 1}"))


def _html(body: str) -> Route:
    return _bytes(body.encode(), "text/html; charset=utf-8")


def _bytes(body: bytes, kind: str) -> Route:
    async def answer(_: Request) -> Response:
        return Response(body, headers={"Content-Type": kind})

    return answer
