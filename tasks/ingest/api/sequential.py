"""Pages that name their next one: fetched one after the other, until none is named."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from copy import copy
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import httpx

from tasks.config import ApiSource
from tasks.config.pagination import FollowedPagination, Following
from tasks.core.body_paths import sibling_of
from tasks.core.errors import PermanentSourceError, WrongPagesError
from tasks.ingest.api.bodies import read_answer
from tasks.ingest.api.paging import digest_records
from tasks.ingest.api.response import BodyKind, Document, ListNames
from tasks.ingest.api.shape import records_of
from tasks.ingest.api.urls import find_link, turn_page
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import Fetch, PageGroup, PageRequest, has_content, label_of
from tasks.raw.completeness import size_of

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


class Answer:
    """An answer as its kind of pagination sees it; one without a body has no document."""

    def __init__(
        self, source: ApiSource, response: httpx.Response, document: Document | None, records: list[bytes]
    ) -> None:
        self._source = source
        self._response = response
        self._document = document
        self.records = records

    @property
    def label(self) -> str:
        """Return what the request is called where something is said of it."""
        return label_of(self._response)

    def find(self, path: str) -> Any:
        """Return the value at a path in the body, or None where there is no such path."""
        return self._document and self._document.find(path)

    def missing(self, path: str) -> str | None:
        """Return what stands where a path ends too early; None where there is such a path."""
        return self._document.missing(path) if self._document else "the answer has no body"

    def beside(self, name: str) -> str:
        """Return the path of what stands by a name beside the list of records."""
        return sibling_of(self._source.records_at or "", name)

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None where there is none."""
        value: str | None = self._response.headers.get(name)
        return value

    def link(self, rel: str) -> str | None:
        """Return the first target of a relation in the Link header."""
        return find_link(self._response.headers, rel)

    def cursor(self, value: Any) -> Following | None:
        """Return a value that can be sent; None where there is none."""
        return _cursor(self._response, value)

    def address(self, value: Any, key: str) -> str | None:
        """Return an address, made absolute; None where there is none."""
        return find_address(self._response, value, f"pagination.{key}")


@dataclass
class Walk:
    """How far the pages have come; the state from which reading goes on."""

    following: str | int | float | None = None
    """What the page before says of the next."""
    pages: int = 0
    previous: str | None = None
    """What stands for the page before."""
    names: list[str] | None = None
    """Names of the values, where records are lists that the first page names."""


async def read_sequence(
    source: ApiSource, pagination: FollowedPagination, first: PageRequest, fetch: Fetch, walk: Walk
) -> AsyncGenerator[PageGroup, None]:
    """Yield page after page, each of which says where the next is."""
    names, kind = ListNames(source.names, walk.names), BodyKind()
    if pagination.begins_with is not None:
        first = _turn(first, pagination, pagination.begins_with)
    seen = {_digest(_here(pagination, first, walk.following))}
    is_last = False
    while not is_last:
        page_request = first if walk.following is None else _turn(first, pagination, walk.following)
        page = await _fetch(source, pagination, page_request, fetch, names, kind)
        if page.is_nothing and walk.following is not None and not pagination.ends_empty:
            page = replace(page, warnings=(_no_content(page_request),))
        here, walk.following = _here(pagination, first, walk.following), page.following
        if walk.following == here and not page.records:
            walk.following = None  # a server that names the last page again, for what may be added to it
        walk.pages, walk.names = walk.pages + 1, names.names
        _check_turned(page_request, page, walk)
        is_last = walk.following is None
        if walk.following is not None:
            _check_next(page_request, pagination, walk.following, walk.pages, seen)
            seen.add(_digest(walk.following))
        unproven = page.unproven if walk.pages == 1 else None
        doubts = (*page.warnings, *(names.doubts if is_last else ()))
        yield PageGroup(page.records, 1, None if is_last else copy(walk), doubts, unproven)


def _here(pagination: FollowedPagination, first: PageRequest, following: Following | None) -> Following | None:
    """Return what names a page where the one before names it; the first has an address, but a cursor only where one is declared."""
    if following is not None:
        return following
    return str(first.url) if pagination.sent_as is None else pagination.begins_with


async def _fetch(
    source: ApiSource,
    pagination: FollowedPagination,
    page_request: PageRequest,
    fetch: Fetch,
    names: ListNames,
    kind: BodyKind,
) -> _Page:
    response = await fetch(page_request)
    if not has_content(response):
        following = pagination.following(Answer(source, response, None, []))
        return _Page([], following, is_nothing=following is None)

    def read(document: Document) -> _Page:
        records = records_of(document, source)
        kind.check(document, records, page_request)
        records = names.name(records)
        answer = Answer(source, response, document, records)
        following = pagination.following(answer)
        unproven = None if following is not None else why_unproven(source, pagination, answer)
        complaint = document.complaint(has_rows=bool(records))
        return _Page(records, following, unproven, (complaint,) if complaint else ())

    return await read_answer(source, response, read)


def why_unproven(source: ApiSource, pagination: FollowedPagination, answer: Answer) -> str | None:
    """Return why a page that names no next may not be the last; one with fewer rows than a full one surely is."""
    size, rows = size_of(source), len(answer.records)
    if not rows or (size is not None and rows < size):
        return None
    return pagination.why_unproven(answer, is_full=None if size is None else True)


def _cursor(response: httpx.Response, value: Any) -> Following | None:
    """Return the next page's cursor; None where there is none."""
    if value is None or value == "" or value is False:
        return None
    if not _is_cursor(value):
        raise PermanentSourceError(
            f"{label_of(response)}: pagination: the next page's cursor is {quoted(value, _QUOTED_CHARACTERS)}, "
            "not a text or a number; correct its place"
        )
    following: Following = value
    return following


def _is_cursor(value: Any) -> bool:
    """Return whether a value can be sent: a whole text, or a number."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() == value  # else it has half of a surrogate pair
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def find_address(response: httpx.Response, value: Any, key: str) -> str | None:
    """Return an address that an answer names, whole where it is relative; None where there is none.

    Raises:
        PermanentSourceError: it is no address; `key` is what the pipeline file calls its place.

    """
    if value is None or value == "" or value is False:
        return None
    try:
        address = response.request.url.join(value.strip() if isinstance(value, str) else value)
    except (httpx.InvalidURL, UnicodeError, TypeError):
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise PermanentSourceError(
            f"{label_of(response)}: {key}: {quoted(value, _QUOTED_CHARACTERS)} is no address; "
            f"correct {key.rpartition('.')[2]}"
        )
    return str(address)


def _turn(first: PageRequest, pagination: FollowedPagination, following: Following) -> PageRequest:
    if pagination.sent_as is None:
        return first._replace(url=httpx.URL(str(following)))
    return turn_page(first, *pagination.sent_as, following)


def _no_content(page_request: PageRequest) -> str:
    return (
        f"{page_request.label}: the page before named this one, and it answered 204 without a body that could name a next: "
        "rows after it are not fetched; fetch again with --fresh, or tell the server's owner"
    )


def _check_turned(page_request: PageRequest, page: _Page, walk: Walk) -> None:
    """Raise where a page is the one before once more, though it names another next; two single records may well be the same."""
    before, walk.previous = walk.previous, digest_records(page.records)
    if len(page.records) > 1 and walk.previous == before:
        raise WrongPagesError(
            f"{page_request.label} gave the same {len(page.records)} records as the page before; "
            "what names the next page does not turn it: correct pagination.param or its place"
        )


def _check_next(
    page_request: PageRequest, pagination: FollowedPagination, following: Following, pages: int, seen: set[bytes]
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
