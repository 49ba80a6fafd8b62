"""The routes of the test site whose answers are no JSON, or packed: pages of items, with a fault on one of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from tests.site.api import fail

if TYPE_CHECKING:
    from tests.site.server import Site

Route = Callable[[Request], Awaitable[Response]]

SIZE = 3
PAGES = 3


def answer_routes(site: Site, items: Sequence[dict[str, Any]]) -> dict[str, Route]:
    """Return the routes of a site that give `items` in pages of a form, packed in some way; page 2 has the fault."""

    async def answer(request: Request) -> Response:
        number = int(request.query_params.get("page", 1))
        form, packing = request.path_params["form"], request.path_params["packing"]
        body, kind = FORMS[form](items[(number - 1) * SIZE : number * SIZE])
        if form == "xml":
            body = body.replace(b"<meta/>", _meta(number, len(items), packing).encode())
        headers = {"X-Total-Pages": str(PAGES), "Content-Type": kind}
        if number < PAGES:
            headers |= {"X-Next": str(number + 1), "Link": f"<{packing}?page={number + 1}>; rel=next"}
        well = Response(PACKINGS[packing](body), headers=headers)
        fault = request.query_params.get("fault", "none")
        return await fail(fault, well, request, first=site.is_first(request)) if number == PAGES - 1 else well

    return {"/answers/{form}/{packing}": answer}


def _csv(items: Sequence[dict[str, Any]]) -> tuple[bytes, str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([["id", "name"], *([item["id"], item["name"]] for item in items)])
    return text.getvalue().encode(), "text/csv"


def _ndjson(items: Sequence[dict[str, Any]]) -> tuple[bytes, str]:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items), "application/x-ndjson"


def _json(items: Sequence[dict[str, Any]]) -> tuple[bytes, str]:
    return json.dumps({"items": items}).encode(), "application/json"


def _xml(items: Sequence[dict[str, Any]]) -> tuple[bytes, str]:
    rows = "".join(f"<item><id>{item['id']}</id><name>{escape(item['name'])}</name></item>" for item in items)
    return f"<answer><meta/><items>{rows}</items></answer>".encode(), "application/xml"


def _meta(number: int, total: int, packing: str) -> str:
    """Return what page of a number tells of the others, in all ways there are."""
    following = (
        f"<next>{number + 1}</next><link>{packing}?page={number + 1}</link>" if number < PAGES else "<next/><link/>"
    )
    more = f"<last>{number + 1}</last><more>{'true' if number < PAGES else 'false'}</more>"
    return f'<meta pages="{PAGES}"><total>{total}</total>{following}{more}</meta>'


def zipped(files: dict[str, bytes]) -> bytes:
    """Return files in a .zip, the same at any time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


FORMS: dict[str, Callable[[Sequence[dict[str, Any]]], tuple[bytes, str]]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "json": _json,
    "xml": _xml,
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda body: body,
    "gzip": gzip.compress,
    "zip": lambda body: zipped({"rows": body}),
    "zip-of-gzip": lambda body: zipped({"rows.gz": gzip.compress(body)}),
}
