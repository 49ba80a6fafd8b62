"""Pages of which each tells where the next is: by cursor, address or Link header."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import httpx

from tasks.errors import PermanentSourceError
from tasks.ingest.asking import Ask, Fetch, PageGroup
from tasks.ingest.asks import turn_page
from tasks.ingest.document import Document, read_document
from tasks.spec import ApiSource, CursorPagination, LinkHeaderPagination, NextUrlPagination

Sequential = CursorPagination | NextUrlPagination | LinkHeaderPagination


@dataclass(frozen=True)
class _Page:
    """One page, and what it says of the next; None where it is the last."""

    records: list[bytes]
    following: str | int | None


async def read_sequence(
    source: ApiSource, pagination: Sequential, first: Ask, fetch: Fetch, state: Any
) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page, each of which says where the next is."""
    following, pages = (state["following"], state["pages"]) if state else (None, 0)
    seen = {_digest(following)}
    while True:
        ask = first if following is None else _turn(first, pagination, following)
        page = await _fetch(source, pagination, ask, fetch)
        pages += 1
        following = page.following
        if following is not None:
            _check_next(ask, pagination, following, pages, seen)
            seen.add(_digest(following))
        yield PageGroup(page.records, 1, None if following is None else {"following": following, "pages": pages})
        if following is None:
            return


async def _fetch(source: ApiSource, pagination: Sequential, ask: Ask, fetch: Fetch) -> _Page:
    response = await fetch(ask)
    return await read_document(
        response, lambda document: _Page(document.records(source.records_at), _following(pagination, response, document))
    )


def _following(pagination: Sequential, response: httpx.Response, document: Document) -> str | int | None:
    """Return what an answer says of the next page."""
    match pagination:
        case CursorPagination(cursor_header=str(header)):
            found: Any = response.headers.get(header)
        case CursorPagination(cursor_at=path):
            found = document.find(str(path))
        case NextUrlPagination(next_at=path):
            found = _address(response, document.find(path), "next_at")
        case LinkHeaderPagination(rel=rel):
            found = _address(response, response.links.get(rel, {}).get("url"), "rel")
    if found is None or found == "" or found is False:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise PermanentSourceError(
            f"GET {response.url}: pagination: the next page's cursor is {found!r:.60}, not a text or a number; correct its place"
        )
    return found


def _address(response: httpx.Response, found: Any, key: str) -> Any:
    """Return the address of the next page, whole where it is relative; other values as they are."""
    if not isinstance(found, str) or not found:
        return found
    try:
        address = response.url.join(found)
    except httpx.InvalidURL as error:
        raise PermanentSourceError(
            f"GET {response.url}: pagination.{key}: {found!r:.80} is no address ({error}); correct {key}"
        ) from None
    if address.scheme not in ("http", "https"):
        raise PermanentSourceError(f"GET {response.url}: pagination.{key}: {found!r:.80} is no address; correct {key}")
    return str(address)


def _turn(first: Ask, pagination: Sequential, following: str | int) -> Ask:
    match pagination:
        case CursorPagination(place=place, param=param):
            return turn_page(first, place, param, following)
        case _:
            return replace(first, url=httpx.URL(str(following)))


def _check_next(ask: Ask, pagination: Sequential, following: str | int, pages: int, seen: set[bytes]) -> None:
    """Raise where the next page is one that was read, or one too many."""
    if _digest(following) in seen or following == str(ask.url):
        raise PermanentSourceError(
            f"GET {ask.url}: the next page is {following!r:.80}, which was read before; the pages go in a circle: "
            "correct pagination, or tell the server's owner"
        )
    if pages >= pagination.max_pages:
        raise PermanentSourceError(
            f"GET {ask.url}: more pages than pagination.max_pages ({pagination.max_pages}): "
            "this one still names a next; raise max_pages if that is right"
        )


def _digest(following: str | int | None) -> bytes:
    """Return eight bytes that stand for a cursor: a hundred thousand cursors take little room."""
    return blake2b(repr(following).encode("utf-8", "surrogatepass"), digest_size=8).digest()
