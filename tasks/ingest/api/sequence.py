"""Pages of which each tells where the next is: by cursor, address or Link header."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import httpx

from tasks.errors import PermanentSourceError, WrongPagesError
from tasks.ingest.api.asks import turn_page
from tasks.ingest.api.document import Document, read_document
from tasks.ingest.api.links import find_link
from tasks.ingest.http.asking import Ask, Fetch, PageGroup, has_content, said_of
from tasks.spec import ApiSource, CursorPagination, LinkHeaderPagination, NextUrlPagination

Sequential = CursorPagination | NextUrlPagination | LinkHeaderPagination
Following = str | int | float

_QUOTED_CHARACTERS = 80


@dataclass(frozen=True)
class _Page:
    """One page, and what it says of the next; None where it is the last."""

    records: list[bytes]
    following: Following | None


async def read_sequence(
    source: ApiSource, pagination: Sequential, first: Ask, fetch: Fetch, state: Any
) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page, each of which says where the next is."""
    following, pages = (state["following"], state["pages"]) if state else (None, 0)
    seen = {_digest(_here(pagination, first, following))}
    while True:
        ask = first if following is None else _turn(first, pagination, following)
        page = await _fetch(source, pagination, ask, fetch)
        pages += 1
        here, following = _here(pagination, first, following), page.following
        if following == here and not page.records:
            following = None  # a server that names the last page again, for what may be added to it
        if following is not None:
            _check_next(ask, pagination, following, pages, seen)
            seen.add(_digest(following))
        yield PageGroup(page.records, 1, None if following is None else {"following": following, "pages": pages})
        if following is None:
            return


def _here(pagination: Sequential, first: Ask, following: Following | None) -> Following | None:
    """Return what names a page where the one before names it; the first has an address, but no cursor."""
    return str(first.url) if following is None and not isinstance(pagination, CursorPagination) else following


async def _fetch(source: ApiSource, pagination: Sequential, ask: Ask, fetch: Fetch) -> _Page:
    response = await fetch(ask)
    if not has_content(response):
        return _Page([], None)
    return await read_document(
        response,
        lambda document: _Page(document.records(source.records_at), _following(pagination, response, document)),
    )


def _following(pagination: Sequential, response: httpx.Response, document: Document) -> Following | None:
    """Return what an answer says of the next page."""
    match pagination:
        case CursorPagination(cursor_header=str(header)):
            found: Any = response.headers.get(header)
        case CursorPagination(cursor_at=path):
            found = document.find(str(path))
        case NextUrlPagination(next_at=path):
            return _address(response, document.find(path), "next_at")
        case LinkHeaderPagination(rel=rel):
            return _address(response, find_link(response.headers, rel), "rel")
    if found is None or found == "" or found is False:
        return None
    if not _is_cursor(found):
        raise PermanentSourceError(
            f"{said_of(response)}: pagination: the next page's cursor is {found!r:.{_QUOTED_CHARACTERS}}, "
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
            f"{said_of(response)}: pagination.{key}: {found!r:.{_QUOTED_CHARACTERS}} is no address; correct {key}"
        )
    return str(address)


def _turn(first: Ask, pagination: Sequential, following: Following) -> Ask:
    match pagination:
        case CursorPagination(place=place, param=param):
            return turn_page(first, place, param, following)
        case _:
            return replace(first, url=httpx.URL(str(following)))


def _check_next(ask: Ask, pagination: Sequential, following: Following, pages: int, seen: set[bytes]) -> None:
    """Raise where the next page is one that was read, or one too many."""
    if _digest(following) in seen:
        raise WrongPagesError(
            f"{ask.said}: the next page is {following!r:.{_QUOTED_CHARACTERS}}, which was read before; "
            "the pages go in a circle: correct pagination, or tell the server's owner"
        )
    if pages >= pagination.max_pages:
        raise PermanentSourceError(
            f"{ask.said}: more pages than pagination.max_pages ({pagination.max_pages}): "
            "this one still names a next; raise max_pages if that is right"
        )


def _digest(following: Following | None) -> bytes:
    """Return eight bytes that stand for a cursor: a hundred thousand cursors take little room."""
    return blake2b(repr(following).encode(), digest_size=8).digest()
