"""The routes of the test site that are APIs: every kind of page, and every fault on the way to it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

SIZE = 3
"""Items of a full page, and no more however many are asked for."""
CHANGED = [{"id": "four"}, {"id": [5], "name": {"first": 5}}, {"id": None, "name": 6.0}]
"""The second page of a route whose records change their type."""
BOMB_BYTES = 2**30
WISH_S = 0.25
"""Seconds that a host asks to be left alone."""


_NEVER_S = 30.0
_MIB = 2**20


def api_routes(site: Site, items: list[dict[str, Any]]) -> dict[str, Route]:
    """Return the routes of a site that are APIs of `items`."""
    return {
        "/paged/{fault}": _paged(site, items),
        "/turning/{kind}": _turning,
        "/rows-from/{kind}": _rows_from(items),
        "/failing-from/{number:int}": _failing_from(items),
        "/endless/{kind}": _endless,
        "/circle/{kind}": _circle,
        "/body/{name}": _body,
        "/wish/{name}": _wish(site),
        "/redirect/{status:int}": _redirect,
    }


# -- every kind of page, with a fault on one of them


def _paged(site: Site, items: list[dict[str, Any]]) -> Route:
    """Return a route that takes and tells the page in every way there is; the page `at`, from 0, has the fault."""

    async def answer(request: Request) -> Response:
        asked = await read_asked(request)
        offset, size = _offset(asked), min(int(asked.get("limit", SIZE)), SIZE)
        fault = request.path_params["fault"]
        records = items[offset : offset + size]
        is_faulty = offset // SIZE == int(asked.get("at", 1))
        if is_faulty and fault in _RECORDS:
            records = _RECORDS[fault]
        more = offset + size < len(items)
        body: dict[str, Any] = {"items": records, "pages": -(-len(items) // SIZE), "total": len(items)}
        headers = {"X-Total-Pages": str(body["pages"]), "X-Total-Count": str(body["total"])}
        if more:
            cursor = f"after {offset + size}/+&=%"
            body |= {"next_cursor": cursor, "next": _next(site, request, cursor)}
            headers |= {"X-Next-Cursor": cursor, "Link": _links(body["next"])}
        if not records and asked.get("beyond") == "404":
            return PlainTextResponse("no such page", 404)
        well = JSONResponse(body, headers=headers)
        return await fail(fault, well, request, first=site.is_first(request, offset)) if is_faulty else well

    return answer


async def read_asked(request: Request) -> dict[str, Any]:
    """Return all that a request says, wherever it says it."""
    body = await request.body()
    of_headers = {name.removeprefix("x-"): value for name, value in request.headers.items() if name.startswith("x-")}
    return {**request.query_params, **of_headers, **((await request.json()) if body else {})}


def _offset(asked: dict[str, Any]) -> int:
    """Return the number of items before the page that is asked for."""
    if "cursor" in asked:
        return int(asked["cursor"].removeprefix("after ").removesuffix("/+&=%"))
    if "offset" in asked:
        return int(asked["offset"])
    first, step = int(asked.get("first", 1)), int(asked.get("step", 1))
    return (int(asked.get("page", first)) - first) // step * SIZE


def _next(site: Site, request: Request, cursor: str) -> str:
    """Return the address of the next page, relative unless the request says otherwise."""
    kept = "".join(f"{name}={quote(value)}&" for name, value in request.query_params.items() if name != "cursor")
    address = f"{request.path_params['fault']}?{kept}cursor={quote(cursor, safe='')}"
    match request.query_params.get("next"):
        case "absolute":
            return f"{site.url}/paged/{address}"
        case "elsewhere":
            return f"{site.redirect_to}/paged/{address}"
    return address


def _links(following: str) -> str:
    """Return a Link header of which one link, not the first, is the next page."""
    return (
        f'<x?first>; rel="first"; title="a, <b>; rel=\\"next\\"", <x?other>; rel=next; anchor="#other" , '
        f'<{following}>; title="on, and on"; REL="last Next", <x?prev>;rel=prev'
    )


# -- the faults

_RECORDS: dict[str, Any] = {"empty": [], "null": None, "changed-types": CHANGED, "short": CHANGED[:1]}


async def fail(fault: str, well: Response, request: Request, *, first: bool) -> Response:
    """Return an answer with a fault; those whose name ends in `-once` are well the second time."""
    if fault in _RECORDS or fault == "none" or ("-once" in fault and not first):
        return well
    return await _FAULTS[fault](well, request)


def _status(status: int, retry_after: Callable[[], str] | None = None) -> Callable[..., Awaitable[Response]]:
    async def answer(_well: Response, _request: Request) -> Response:
        headers = {} if retry_after is None else {"Retry-After": retry_after()}
        return PlainTextResponse("not now", status, headers)

    return answer


def _sent(
    change: Callable[[bytes], Iterable[bytes]], *, ends: bool = True, pause_s: float = 0, **headers: str
) -> Callable[..., Awaitable[Response]]:
    """Return a fault by which a body is sent otherwise than it should be."""

    async def answer(well: Response, _request: Request) -> Response:
        kept = {name: value for name, value in well.headers.items() if name != "content-length"}
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return Parts(change(bytes(well.body)), kept | changed, ends=ends, pause_s=pause_s)

    return answer


async def _silence(_well: Response, request: Request) -> Response:
    """Answer long after the client has gone, which ends the wait."""
    async with asyncio.timeout(_NEVER_S):
        while (await request.receive())["type"] != "http.disconnect":
            pass
    return Response()


async def _no_content(_well: Response, _request: Request) -> Response:
    return Response(status_code=204)


def _next_second() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


@cache
def bomb() -> bytes:
    """Return the gzip of a GiB of zeros: blocks of 16 MiB that are all alike."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    first = packer.compress(b"0" * 16 * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"0" * 16 * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (BOMB_BYTES // (16 * _MIB) - 1) + packer.flush()


_FAULTS: dict[str, Callable[..., Awaitable[Response]]] = {
    "500-once": _status(500),
    "500-always": _status(500),
    "404-always": _status(404),
    "403-always": _status(403),
    "truncated-always": _sent(lambda body: [body[:5]], ends=False, content_length="1000"),
    "429-once-retry-after-seconds": _status(429, lambda: "1"),
    "429-once-retry-after-date": _status(429, _next_second),
    "503-once-retry-after-seconds": _status(503, lambda: "1"),
    "204": _no_content,
    "drop-once": _sent(lambda _: [], ends=False),
    "chunks-cut-off-once": _sent(lambda body: [body[:9]], ends=False),
    "truncated-once": _sent(lambda body: [body[:9]], ends=False, content_length="1000"),
    "truncated-gzip-once": _sent(lambda body: [gzip.compress(body)[:-9]], content_encoding="gzip"),
    "broken-gzip-once": _sent(lambda _: [b"\x1f\x8b rubbish"], content_encoding="gzip"),
    "silence-once": _silence,
    "slow-body-once": _sent(lambda body: (body[at : at + 1] for at in range(len(body))), pause_s=0.1),
    "slow-drip": _sent(lambda body: (body[at : at + 20] for at in range(0, len(body), 20)), pause_s=0.02),
    "chunks": _sent(lambda body: [body[:9], body[9:]]),
    "gzip": _sent(lambda body: [gzip.compress(body[:9]), gzip.compress(body[9:])], content_encoding="gzip"),
    "deflate": _sent(lambda body: [zlib.compress(body)], content_encoding="deflate"),
    "br": _sent(lambda body: [pa.compress(body, codec="brotli", asbytes=True)], content_encoding="br"),
    "zstd": _sent(lambda body: [pa.compress(body, codec="zstd", asbytes=True)], content_encoding="zstd"),
    "br-bomb": _sent(lambda _: [pa.compress(bytes(2**26), codec="brotli", asbytes=True)], content_encoding="br"),
    "zstd-bomb": _sent(lambda _: [pa.compress(bytes(2**26), codec="zstd", asbytes=True)], content_encoding="zstd"),
    "compress": _sent(lambda body: [body], content_encoding="compress"),
    "huge-by-length": _sent(lambda body: [body], ends=False, content_length=str(10**9)),
    "huge": _sent(lambda _: (b" " * _MIB for _ in range(64))),
    "br-huge": _sent(lambda _: (b"\0" * _MIB for _ in range(16)), content_encoding="br"),
    "zstd-huge": _sent(lambda _: (b"\0" * _MIB for _ in range(16)), content_encoding="zstd"),
    "gzip-bomb": _sent(lambda _: [bomb()], content_encoding="gzip"),
    "broken-json": _sent(lambda body: [body[:-1]], content_type="application/json"),
    "truncated-xml": _sent(lambda body: [body[:-9]]),
    "html": _sent(lambda _: [b"<h1>Please  log in</h1>"], content_type="text/html"),
    "wrong-charset": _sent(lambda body: [body], content_type="application/json; charset=base64"),
}


class Parts(Response):
    """An answer sent in parts; without `ends` its connection is closed after them."""

    def __init__(self, parts: Iterable[bytes], headers: dict[str, str], *, ends: bool, pause_s: float) -> None:
        super().__init__(headers=headers)
        self._parts = parts
        self._ends = ends
        self._pause_s = pause_s

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in self.raw_headers if (name, value) != (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(self._pause_s)
        if self._ends:
            await send({"type": "http.response.body", "body": b""})


# -- numbers and offsets beyond the end


async def _turning(request: Request) -> Response:
    """Answer with three pages: `round` and round, or `one` record each, and then 404."""
    number = int(request.query_params["page"])
    if request.path_params["kind"] == "round":
        page = (number - 1) % 3 + 1
        return JSONResponse({"items": [{"page": page, "row": 1}, {"page": page, "row": 2}]})
    return JSONResponse({"page": number}) if number <= 3 else PlainTextResponse("no such page", 404)


def _rows_from(items: list[dict[str, Any]]) -> Route:
    """Return a route of all the rows from an offset on; `clamped` has the last page for those beyond the end."""

    async def answer(request: Request) -> Response:
        offset = int(request.query_params["offset"])
        is_beyond = request.path_params["kind"] == "clamped" and offset >= len(items)
        return JSONResponse({"items": items if is_beyond else items[offset:]})

    return answer


def _failing_from(items: list[dict[str, Any]]) -> Route:
    """Return a route of pages that are refused from a number on."""

    async def answer(request: Request) -> Response:
        number = int(request.query_params["page"])
        if number >= request.path_params["number"]:
            return PlainTextResponse("not yours", 403)
        return JSONResponse(items[(number - 1) * SIZE : number * SIZE])

    return answer


# -- next pages that never end


async def _endless(request: Request) -> Response:
    """Name a next page that was never named before, for ever."""
    number = int((await read_asked(request)).get("cursor", 0)) + 1
    records = [] if request.path_params["kind"] == "empty" else [{"id": number}]
    following = f"{request.path_params['kind']}?cursor={number}"
    return JSONResponse(
        {"items": records, "cursor": number, "next": following}, headers={"Link": f"<{following}>; rel=next"}
    )


async def _circle(request: Request) -> Response:
    """Name a next page that leads round: of one, two or three pages, or, `at-end`, from the last to itself, empty."""
    kind, here = request.path_params["kind"], int(request.query_params.get("cursor", 1))
    if kind == "at-end":
        following, records = min(here + 1, 3), [{"id": here}] if here < 3 else []
    else:
        following, records = here % int(kind) + 1, [{"id": here}]
    address = kind if following == 1 else f"{kind}?cursor={following}"
    headers = {"Link": f"<{address}>; rel=next", "X-Cursor": str(following)}
    return JSONResponse({"items": records, "cursor": following, "next": address}, headers=headers)


# -- bodies as they are

_BODIES: dict[str, tuple[bytes, str]] = {
    "exact": (
        b'[{"big": 123456789012345678901234567890, "price": 1.10, "e": "\\u00e9", "a": 1, "a": 2, "x": 1E5}]',
        "application/json",
    ),
    "pretty": (b'\r\n[\r\n  {\n    "a": 1.10,\n\t"b": [\n 1, "x\\ny" ]\n  },\r\n  2\n]\n', "application/json"),
    "nan": (b'[{"a": NaN, "b": 1.10,\n "c": "\\u00e9"}, {"a": -Infinity}]', "application/json"),
    "bom": (b'\xef\xbb\xbf[{"a": 1.10}]', "application/json"),
    "utf-16": ('[{"a": 1.10, "b": "\u017e"}]'.encode("utf-16"), "application/json"),
    "utf-16-without-mark": ('[{"a": 1.10, "b": "\u017e"}]'.encode("utf-16-le"), "application/json"),
    "latin-1": ('[{"a": "caf\xe9"}]'.encode("latin-1"), "application/json; charset=iso-8859-1"),
    "not-utf-8": (b'[{"a": "caf\xe9", "b": 1.10}, {"a": "\xc3\xa9"}]', "application/json"),
    "half-a-pair": (b'[{"a": "\\ud83d", "b": 1.10}]', "application/json"),
    "line-separators": ('[{"a": "\u2028\x85"}]'.encode(), "application/json"),
    "spaces": (b' \n{"items" : [ 1 , {"a" : 2} ,3 ] } ', "application/json"),
    "null": (b"null", "application/json"),
    "null-items": (b'{"items": null}', "application/json"),
    "scalar": (b'"text"', "text/plain"),
    "nothing": (b"", "application/json"),
    "control": (b'["a\nb"]', "application/json"),
    "two": (b"[1] [2]", "application/json"),
    "large": (b"[" + b",".join(b'{"id": %d}' % number for number in range(20_000)) + b"]", "application/json"),
}


async def _body(request: Request) -> Response:
    body, kind = _BODIES[request.path_params["name"]]
    return Response(body, headers={"Content-Type": kind})


# -- rate limits


def _soon() -> float:
    return datetime.now(UTC).timestamp() + WISH_S


def _wish(site: Site) -> Route:
    """Return a route whose first answer asks for a pause of a moment; those in an error's headers are refusals."""
    wishes: dict[str, tuple[int, Callable[[], dict[str, str]]]] = {
        "epoch": (200, lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{_soon():.3f}"}),
        "milliseconds": (200, lambda: {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{_soon() * 1000:.0f}"}),
        "seconds": (200, lambda: {"RateLimit-Remaining": "0", "RateLimit-Reset": str(WISH_S)}),
        "hour": (200, lambda: {"RateLimit": '"burst";r=5;t=9, "day";r=0;t=3600'}),
        "after": (429, lambda: {"X-RateLimit-Reset-After": str(WISH_S)}),
        "forbidden": (403, lambda: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{_soon():.3f}"}),
        "forbidden-with-retry-after": (403, lambda: {"Retry-After": str(WISH_S)}),
    }

    async def answer(request: Request) -> Response:
        number = int(request.query_params["page"])
        well = JSONResponse({"items": [{"page": number}], "pages": 3})
        if number == 1 and site.is_first(request):
            status, headers = wishes[request.path_params["name"]]
            if status == 200:
                well.headers.update(headers())
            else:
                return PlainTextResponse("no more", status, headers())
        return well

    return answer


# -- redirects


async def _redirect(request: Request) -> Response:
    await request.body()
    return Response(status_code=request.path_params["status"], headers={"Location": request.query_params["to"]})
