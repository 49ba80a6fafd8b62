"""Pages that name their next one: fetched one after the other, until none is named."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import httpx

from tasks.config import ApiSource, CursorPagination, LinkHeaderPagination, NextUrlPagination
from tasks.core.errors import PermanentSourceError, WrongPagesError
from tasks.ingest.api.response import BodyKind, Document, ListNames, read_document
from tasks.ingest.api.urls import find_link, turn_page
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest, has_content, label_of
from tasks.raw.completeness import size_of

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
        f"{label_of(response)}: pagination.{key}: no answer has the header {missing!r}, and its {rows} rows may be a "
        "full page with others after it; correct pagination, or tell pagination.size where they are not"
    )


def _of_body(key: str, path: str, response: httpx.Response, document: Document) -> str | None:
    missing = document.missing(path)
    return missing and (
        f"{label_of(response)}: pagination.{key}: {path!r} is in no answer, {missing}; correct {key}, or tell "
        "pagination.size where the server leaves it out of an only page that is not full"
    )


Sequential = CursorPagination | NextUrlPagination | LinkHeaderPagination
Following = str | int | float

_QUOTED_CHARACTERS = 80


@dataclass(frozen=True)
class _Page:
    """One page, and what it says of the next; None where it is the last."""

    records: list[bytes]
    following: Following | None
    unproven: str | None = None
    warnings: tuple[str, ...] = ()
    is_nothing: bool = False
    """Whether the answer has no body, in which the next could be named."""


@dataclass
class Walk:
    """How far the pages have come; as a dict, the state from which reading goes on."""

    following: str | int | float | None = None
    """What the page before says of the next."""
    pages: int = 0
    previous: str | None = None
    """What stands for the page before."""
    names: list[str] | None = None
    """Names of the values, where records are lists that the first page names."""


async def read_sequence(
    source: ApiSource, pagination: Sequential, first: PageRequest, fetch: Fetch, state: Any
) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page, each of which says where the next is."""
    walk = Walk(**state) if state else Walk()
    names, kind = ListNames(source.names, walk.names), BodyKind()
    seen = {_digest(_here(pagination, first, walk.following))}
    is_last = False
    while not is_last:
        page_request = first if walk.following is None else _turn(first, pagination, walk.following)
        page = await _fetch(source, pagination, page_request, fetch, names, kind)
        if page.is_nothing and walk.following is not None:
            page = replace(page, warnings=(_no_content(page_request),))
        here, walk.following = _here(pagination, first, walk.following), page.following
        if walk.following == here and not page.records:
            walk.following = None  # a server that names the last page again, for what may be added to it
        walk.pages, walk.names = walk.pages + 1, names.found
        _check_turned(page_request, page, walk)
        is_last = walk.following is None
        if walk.following is not None:
            _check_next(page_request, pagination, walk.following, walk.pages, seen)
            seen.add(_digest(walk.following))
        unproven = page.unproven if walk.pages == 1 else None
        doubts = (*page.warnings, *(names.doubts if is_last else ()))
        yield PageGroup(page.records, 1, None if is_last else dict(vars(walk)), doubts, unproven)


def _here(pagination: Sequential, first: PageRequest, following: Following | None) -> Following | None:
    """Return what names a page where the one before names it; the first has an address, but no cursor."""
    return str(first.url) if following is None and not isinstance(pagination, CursorPagination) else following


async def _fetch(
    source: ApiSource, pagination: Sequential, page_request: PageRequest, fetch: Fetch, names: ListNames, kind: BodyKind
) -> _Page:
    response = await fetch(page_request)
    if not has_content(response):
        following = _following_in_header(pagination, response)
        return _Page([], following, is_nothing=following is None)

    def read(document: Document) -> _Page:
        records = document.records(source.records_at)
        kind.check(document, records, page_request.label)
        records = names.name(records)
        following = _following(pagination, response, document)
        unproven = None
        if following is None and records:
            unproven = why_unproven(source, pagination, response, document, len(records))
        complaint = document.complaint(has_rows=bool(records))
        return _Page(records, following, unproven, (complaint,) if complaint else ())

    return await read_document(response, read)


def _following(pagination: Sequential, response: httpx.Response, document: Document) -> Following | None:
    """Return what an answer says of the next page."""
    match pagination:
        case CursorPagination(cursor_at=str(path)):
            return _cursor(response, document.find(path))
        case NextUrlPagination(next_at=path):
            return _address(response, document.find(path), "next_at")
        case _:
            return _following_in_header(pagination, response)


def _following_in_header(pagination: Sequential, response: httpx.Response) -> Following | None:
    """Return what the headers of an answer say of the next page."""
    match pagination:
        case CursorPagination(cursor_header=str(header)):
            return _cursor(response, response.headers.get(header))
        case LinkHeaderPagination(rel=rel):
            return _address(response, find_link(response.headers, rel), "rel")
        case _:
            return None


def _cursor(response: httpx.Response, found: Any) -> Following | None:
    """Return the next page's cursor; None where there is none."""
    if found is None or found == "" or found is False:
        return None
    if not _is_cursor(found):
        raise PermanentSourceError(
            f"{label_of(response)}: pagination: the next page's cursor is {quoted(found, _QUOTED_CHARACTERS)}, "
            "not a text or a number; correct its place"
        )
    following: Following = found
    return following


def _is_cursor(found: Any) -> bool:
    """Return whether a value can be sent: a whole text, or a number."""
    if isinstance(found, str):
        return found.encode("utf-8", "replace").decode() == found  # else it has half of a surrogate pair
    return isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)


def _address(response: httpx.Response, found: Any, key: str) -> str | None:
    """Return the address of the next page, whole where it is relative; None where there is none."""
    if found is None or found == "" or found is False:
        return None
    try:
        address = response.request.url.join(found.strip() if isinstance(found, str) else found)
    except (httpx.InvalidURL, UnicodeError, TypeError):
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise PermanentSourceError(
            f"{label_of(response)}: pagination.{key}: {quoted(found, _QUOTED_CHARACTERS)} is no address; correct {key}"
        )
    return str(address)


def _turn(first: PageRequest, pagination: Sequential, following: Following) -> PageRequest:
    match pagination:
        case CursorPagination(place=place, param=param):
            return turn_page(first, place, param, following)
        case _:
            return replace(first, url=httpx.URL(str(following)))


def _no_content(page_request: PageRequest) -> str:
    return (
        f"{page_request.label}: the page before named this one, and it answered 204 without a body that could name a next: "
        "rows after it are not fetched; fetch again with --fresh, or tell the server's owner"
    )


def _check_turned(page_request: PageRequest, page: _Page, walk: Walk) -> None:
    """Raise where a page is the one before once more, though it names another next; two single records may well be the same."""
    before, walk.previous = walk.previous, _digest_records(page.records)
    if len(page.records) > 1 and walk.previous == before:
        raise WrongPagesError(
            f"{page_request.label} gave the same {len(page.records)} records as the page before; "
            "what names the next page does not turn it: correct pagination.param or its place"
        )


def _check_next(
    page_request: PageRequest, pagination: Sequential, following: Following, pages: int, seen: set[bytes]
) -> None:
    """Raise where the next page is one that was read, or one too many."""
    if _digest(following) in seen:
        raise WrongPagesError(
            f"{page_request.label}: the next page is {quoted(following, _QUOTED_CHARACTERS)}, which was read before; "
            "the pages go in a circle: correct pagination, or tell the server's owner"
        )
    if pages >= pagination.max_pages:
        raise PermanentSourceError(
            f"{page_request.label}: more pages than pagination.max_pages ({pagination.max_pages}): "
            "this one still names a next; raise max_pages if that is right"
        )


def _digest(following: Following | None) -> bytes:
    """Return eight bytes that stand for a cursor: a hundred thousand cursors take little room."""
    return blake2b(repr(following).encode(), digest_size=8).digest()


def _digest_records(records: list[bytes]) -> str:
    return blake2b(b"\n".join(records), digest_size=8).hexdigest()
