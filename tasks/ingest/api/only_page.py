"""An only page that names no next: the last one, or one whose next is named elsewhere than the pipeline file says."""

from __future__ import annotations

import httpx

from tasks.ingest.api.document import Document
from tasks.ingest.http.asking import said_of
from tasks.proof import size_of
from tasks.spec import ApiSource, CursorPagination, LinkHeaderPagination, NextUrlPagination

_SIZES = frozenset({10, 20, 25, 30, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000})
"""Rows of a full page where nobody says otherwise: by these an only page is likely not to be the last."""


def why_unproven(
    source: ApiSource,
    pagination: CursorPagination | NextUrlPagination | LinkHeaderPagination,
    response: httpx.Response,
    document: Document,
    rows: int,
) -> str | None:
    """Return why a page that names no next may not be the last; None where it says so, or has fewer rows than a full one.

    In a body the place of the next is expected: what is null says that there is none.
    A header that is not there says so as well; then only a full page is doubted.
    """
    size = size_of(source)
    if size is not None and rows < size:
        return None
    match pagination:
        case CursorPagination(cursor_at=str(path)):
            return _of_body("cursor_at", path, response, document)
        case NextUrlPagination(next_at=path):
            return _of_body("next_at", path, response, document)
        case CursorPagination(cursor_header=header):
            key, missing = "cursor_header", str(header)
        case LinkHeaderPagination():
            key, missing = "kind: link_header", "Link"
    if missing in response.headers or (size is None and rows not in _SIZES):
        return None
    return (
        f"{said_of(response)}: pagination.{key}: no answer has the header {missing!r}, and its {rows} rows may be a "
        "full page with others after it; correct pagination, or tell pagination.size where they are not"
    )


def _of_body(key: str, path: str, response: httpx.Response, document: Document) -> str | None:
    missing = document.missing(path)
    return missing and (
        f"{said_of(response)}: pagination.{key}: {path!r} is in no answer, {missing}; correct {key}, or tell "
        "pagination.size where the server leaves it out of an only page that is not full"
    )
