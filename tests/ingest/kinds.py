"""Every way to ask for a page, as the test site takes them all."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tasks.config import ApiSource
from tests.ingest.sources import QUICK, api
from tests.site.api import SIZE
from tests.site.server import Site

_PAGE: dict[str, Any] = {"kind": "page"}
_OFFSET: dict[str, Any] = {"kind": "offset", "size": SIZE}
_CURSOR: dict[str, Any] = {"kind": "cursor", "cursor_at": "next_cursor"}
_IN_BODY: dict[str, Any] = {"place": "body"}
_IN_HEADER: dict[str, Any] = {"place": "header"}

COUNTED: dict[str, dict[str, Any]] = {
    "page, pages in the body": _PAGE | {"pages_at": "pages"},
    "page, pages in a header": _PAGE | {"pages_header": "X-Total-Pages"},
    "page, rows in the body": _PAGE | {"total_at": "total", "size": SIZE, "size_param": "limit"},
    "page, rows in a header": _PAGE | {"total_header": "X-Total-Count", "size": SIZE},
    "page in a header": _PAGE | _IN_HEADER | {"param": "X-Page", "pages_at": "pages"},
    "page in the body": _PAGE | _IN_BODY | {"pages_at": "pages"},
    "page, from 10 in steps of 10": _PAGE | {"start": 10, "step": 10, "pages_at": "pages"},
}
"""Pages whose number the server tells."""

COUNTED_OFFSETS: dict[str, dict[str, Any]] = {
    "offset, rows in the body": _OFFSET | {"total_at": "total"},
    "offset, rows in a header": _OFFSET | {"total_header": "X-Total-Count", "size_param": None},
}

UNCOUNTED: dict[str, dict[str, Any]] = {
    "page, until empty": _PAGE,
    "page, until short": _PAGE | {"size": SIZE},
    "page, until none": _PAGE | {"end_statuses": [404]},
    "offset, until short": _OFFSET,
    "offset in the body": _OFFSET | _IN_BODY,
    "offset in a header": _OFFSET | _IN_HEADER | {"param": "X-Offset", "size_param": "X-Limit"},
}
"""Pages that are asked for until there is none, or a short one."""

FOLLOWED: dict[str, dict[str, Any]] = {
    "cursor": _CURSOR,
    "cursor from a header": {"kind": "cursor", "cursor_header": "X-Next-Cursor"},
    "cursor in the body": _CURSOR | _IN_BODY,
    "cursor in a header": _CURSOR | _IN_HEADER | {"param": "X-Cursor"},
    "next address, relative": {"kind": "next_url", "next_at": "next"},
    "next address, absolute": {"kind": "next_url", "next_at": "next"},
    "link header": {"kind": "link_header"},
    "link header, absolute": {"kind": "link_header", "rel": "LAST"},
}
"""Pages of which each names the next."""

SINGLE: dict[str, dict[str, Any]] = {"single": {"kind": "single"}, "single, posted": {"kind": "single"}}

KINDS = SINGLE | COUNTED | COUNTED_OFFSETS | UNCOUNTED | FOLLOWED

_PARAMS: dict[str, dict[str, Any]] = {
    "page, from 10 in steps of 10": {"first": 10, "step": 10},
    "page, until none": {"beyond": "404"},
    "next address, absolute": {"next": "absolute"},
    "link header, absolute": {"next": "absolute"},
}


def of_kind(kind: str, site: Site, fault: str, **requests: Any) -> ApiSource:
    """Return a source of a kind of pages, of which the second has a fault, or the only one where there is but one."""
    is_posted = KINDS[kind].get("place") == "body" or kind == "single, posted"
    posted: dict[str, Any] = {"method": "POST", "body": {"query": "all"}, "idempotent": True} if is_posted else {}
    params = {"of": list(KINDS).index(kind), "at": 0 if kind in SINGLE else 1} | _PARAMS.get(kind, {})
    return api(site, f"/paged/{fault}", pagination=KINDS[kind], params=params, requests=QUICK | requests, **posted)


def count_asked(site: Site) -> Counter[str]:
    """Return how many requests came for each kind of pages."""
    names = list(KINDS)
    return Counter(names[int(path.partition("of=")[2].partition("&")[0])] for path in site.paths)
