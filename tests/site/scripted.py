"""The routes of the test site whose rows and links are made by scripts, named for their fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from tests.site.api import fail

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

SCRIPTED_PAGES = 3
_ONCE = ("500-once", "429-once-retry-after-seconds", "truncated-once")
_PAGE = """<!doctype html><meta charset=%(charset)s><table id=rows></table><script src="../../rows.js"></script>"""
_SCRIPT = """
const [, fault, number] = location.pathname.match(/scripted\\/([^/]+)\\/(\\d+)/);
const asked = {method: fault == 'posted' ? 'POST' : 'GET', headers: {'X-Requested-With': 'script'}};
if (fault == 'posted') asked.body = 'page=' + number;
fetch(`../../rows/${fault}/${number}`, asked).then(answer => answer.json()).then(rows => {
  const table = document.getElementById('rows');
  setTimeout(() => {
    for (const row of rows) table.insertRow().innerHTML = `<td><b>${row}</b>`;
    if (number < 3) document.body.insertAdjacentHTML('beforeend', `<a rel=next href="${+number + 1}">next</a>`);
  }, 50);
});
"""
_GREEDY = """
<img src="picture.png"><iframe src="within.html"></iframe><link rel=stylesheet href="style.css">
<script>
  new Image().src = 'beacon.png'; navigator.sendBeacon('beacon'); new WebSocket('ws://' + location.host + '/socket');
  fetch('%(other)s/page-3').catch(() => {}); fetch('changed', {method: 'DELETE'}).catch(() => {});
  document.body.append(Object.assign(document.createElement('script'), {src: 'long?' + 'a'.repeat(70000)}));
  new EventSource('events'); window.open('opened.html');
  const ask = () => fetch('news').catch(() => {}); setInterval(ask, 20);
  document.cookie = 'mine=1'; setInterval(() => document.querySelector('i').textContent = Date.now(), 20);
  setTimeout(() => document.querySelector('ul').innerHTML = '<li><b>late</b>', 300);
</script><ul></ul><i></i>
"""
_WITHOUT_END = """<ul><li><b>a</b></ul><script>setTimeout(() => {while (true) {}}, 20)</script>"""
_GROWING = """<ul><li><b>a</b></ul><script>
setInterval(() => document.querySelector('ul').innerHTML += '<li><b>b</b>', 30)</script>"""
_LARGE = """<ul><li><b>a</b></ul><script>document.querySelector('ul').title = 'a'.repeat(2 ** 20)</script>"""
_FAILING = """<p>here</p><script>undefinedFunction('rows')</script>"""


def scripted_routes(site: Site) -> dict[str, Route]:
    """Return the routes of a site whose rows are made by scripts."""
    return {
        "/scripted/{fault}/{number:int}": _page,
        "/rows/{fault}/{number:int}": _rows(site),
        "/rows.js": _script,
        "/greedy": _greedy(site),
        "/script-without-end": _html(_WITHOUT_END),
        "/script-that-adds-for-ever": _html(_GROWING),
        "/script-that-makes-much": _html(_LARGE),
        "/script-that-fails": _html(_FAILING),
        "/script-that-leads-on": _leading,
        "/script-that-renames": _renaming,
    }


async def _page(request: Request) -> Response:
    charset = "windows-1252" if request.path_params["fault"] == "posted" else "utf-8"
    return Response(_PAGE % {"charset": charset}, media_type=f"text/html; charset={charset}")


def _rows(site: Site) -> Route:
    """Return two rows a page; of `faulty` ones each page has another fault."""

    async def answer(request: Request) -> Response:
        fault, number = request.path_params["fault"], request.path_params["number"]
        well = JSONResponse([f"{number}.{row} caf\u00e9 \u017e" for row in (1, 2)])
        if fault == "posted":
            assert (request.method, await request.body()) == ("POST", b"page=%d" % number)
            return well
        fault = _ONCE[number - 1] if fault == "faulty" else fault
        return await fail(fault, well, request, first=site.is_first(request))

    return answer


async def _script(_: Request) -> Response:
    return Response(_SCRIPT, media_type="text/javascript")


def _greedy(site: Site) -> Route:
    async def answer(_: Request) -> Response:
        response = HTMLResponse(_GREEDY % {"other": site.redirect_to})
        response.set_cookie("theirs", "1")
        return response

    return answer


async def _leading(request: Request) -> Response:
    """Answer with a page whose script leads on to `to`."""
    return HTMLResponse(f"<ul><li><b>before</b></ul><script>location.href = {request.query_params['to']!r}</script>")


async def _renaming(_: Request) -> Response:
    """Answer with a page whose script changes its address, and adds links that are relative to the new one."""
    return HTMLResponse(
        "<ul><li><b>a</b></ul><script>history.pushState(0, '', 'deep/er/'); "
        "document.body.insertAdjacentHTML('beforeend', '<a rel=next href=../../page-3>next</a>')</script>"
    )


def _html(body: str) -> Route:
    async def answer(_: Request) -> Response:
        return HTMLResponse(body)

    return answer
