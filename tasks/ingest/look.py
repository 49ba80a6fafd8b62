"""A look at a source: the first request that a run would make of it, and what its answer shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, assert_never

import httpx

from tasks.config import ApiSource, PagesSource, SinglePagination
from tasks.config.answers import JsonAnswer
from tasks.config.pagination import FollowedPagination, NumberedPagination
from tasks.core.body_paths import sibling_of
from tasks.core.errors import PermanentSourceError, SourceError
from tasks.core.escaping import count
from tasks.core.json_text import to_value
from tasks.ingest.api.bodies import read_answer
from tasks.ingest.api.counts import counts_rows, find_place
from tasks.ingest.api.outline import Paging, outline_api
from tasks.ingest.api.response import Document, ListNames
from tasks.ingest.api.sequential import Answer, why_unproven
from tasks.ingest.api.shape import records_of
from tasks.ingest.first_page import Warn, guard_for_show, open_access, read_from_start
from tasks.ingest.http.rate_limit_headers import retry_after_s
from tasks.ingest.http.redaction import excerpt, redacting
from tasks.ingest.http.requests import Fetch, PageRequest, has_content, refusal
from tasks.ingest.landing.private import clean_records, tell_unmet
from tasks.ingest.scraping.listing import read_listing
from tasks.ingest.scraping.outline import outline_page
from tasks.ingest.scraping.page import read_page
from tasks.ingest.scraping.robots import NO_RULES
from tasks.raw.completeness import is_certain

_NO_SUCCESS = frozenset(range(300, 600))
_MOST_S = 20.0
_RATE_LIMIT = ("ratelimit", "rate-limit")
_RETRY_AFTER = "retry-after"


@dataclass(frozen=True)
class Look:
    """What came of one request: nothing of it is secret. Without a `status` there was no answer."""

    request: str
    """Method and address; empty where none was made."""
    status: int | None = None
    reason: str = ""
    led_to: str = ""
    """The address that redirects have led to."""
    milliseconds: float = 0.0
    content_type: str = ""
    body_bytes: int = 0
    rate_limits: Mapping[str, str] = field(default_factory=dict)
    """Headers that tell of a limit."""
    wait_s: float = 0.0
    """For how long the host asks to be left alone."""
    challenge: str = ""
    """How the host asks for proof of who asks."""
    rows: str = ""
    """What the answer has, in a sentence."""
    has_rows: bool = False
    pages: str = ""
    """How its pages go on, in a sentence; empty where there is nothing to say."""
    proposed: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the source as the answer shows them, where what is declared, or nothing, does not fit."""
    perhaps: Mapping[str, Any] = field(default_factory=dict)
    """Those of which the answer is no proof."""
    mistake: str = ""
    """Why a run would fail; empty where nothing shows that it would."""


class _AnsweredError(Exception):
    """The one request is answered."""


class _OneRequest:
    """Makes one request, whatever it is answered with, and no other but those of a robots.txt."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.asked: PageRequest | None = None
        self.response: httpx.Response | None = None
        self.seconds = 0.0

    async def fetch(self, page_request: PageRequest) -> httpx.Response:
        """Return the answer of a robots.txt; keep the answer to the first other request, and go no further."""
        if page_request.answers == NO_RULES:
            return await self._fetch(page_request)
        self.asked, began = page_request, time.monotonic()
        self.response = await self._fetch(page_request._replace(answers=_NO_SUCCESS))
        self.seconds = time.monotonic() - began
        raise _AnsweredError


async def look_at(source: ApiSource | PagesSource, warn: Warn) -> Look:
    """Make the first request of a source, once, and return what came; beside it one of a robots.txt or for a token may be made."""
    if isinstance(source, ApiSource) and source.job is not None:
        return Look(
            "", rows="a job, which the first request would make: nothing was asked; preview --ask shows its rows"
        )
    once = {"max_in_flight": 1, "start_in_flight": 1, "min_in_flight": 1, "attempts": 1, "retry_statuses": ()}
    patience = {"timeout_s": min(source.requests.timeout_s, _MOST_S)}
    source = guard_for_show(source)
    asked = source.model_copy(update={"requests": source.requests.model_copy(update={**once, **patience})})
    one: _OneRequest | None = None
    try:
        async with open_access(asked, warn) as access:
            one = _OneRequest(access.fetch)
            with redacting(secrets := access.client.secrets_of(asked)):
                try:
                    async with aclosing(read_from_start(asked, one.fetch, access)) as pages:
                        await anext(pages)
                except _AnsweredError:
                    pass
                look = await _read(source, one)
                if source.privacy is not None and source.private_fields is not None and look.has_rows:
                    for sentence in tell_unmet(source.privacy, source.private_fields.met, 1):
                        warn(sentence)
                request = secrets.redact(one.asked.label if one.asked else "")
                return replace(
                    look, request=request, led_to=secrets.redact(look.led_to), mistake=secrets.redact(look.mistake)
                )
    except SourceError as error:
        return Look(one.asked.label if one is not None and one.asked is not None else "", mistake=str(error))


async def _read(source: ApiSource | PagesSource, one: _OneRequest) -> Look:
    """Return what an answer is, and what it shows."""
    response, asked = one.response, one.asked
    assert response is not None
    assert asked is not None
    look = Look(
        "",
        response.status_code,
        response.reason_phrase,
        str(response.url) if response.url.copy_with(query=None) != asked.url.copy_with(query=None) else "",
        one.seconds * 1000,
        response.headers.get("Content-Type", ""),
        len(response.content),
        {name: value for name, value in response.headers.items() if _tells_limit(name)},
        retry_after_s(response.status_code, response.headers),
        response.headers.get("WWW-Authenticate", ""),
    )
    if response.status_code in source.requests.retry_statuses:
        said = f"{asked.label} was answered with {look.status} {look.reason}: {excerpt(response)!r}"
        return replace(look, mistake=f"{said}, which may pass: a run asks up to {source.requests.attempts} times")
    if not response.is_success:
        return replace(look, mistake=str(refusal(response)))
    if not has_content(response):
        return replace(look, rows="none: an answer without content")
    try:
        if isinstance(source, PagesSource):
            return await asyncio.to_thread(_read_page, source, response, look)
        return await _read_api(source, response, asked, look)
    except PermanentSourceError as error:
        return replace(look, mistake=str(error))


def _tells_limit(name: str) -> bool:
    return name.lower() == _RETRY_AFTER or any(word in name.lower() for word in _RATE_LIMIT)


# -- APIs

_PLACE = ("records_at", "shape", "id_column")


class _Answered(NamedTuple):
    """An answer of an API as it is read."""

    asked: PageRequest
    response: httpx.Response
    document: Document
    records: list[bytes]


async def _read_api(source: ApiSource, response: httpx.Response, asked: PageRequest, look: Look) -> Look:
    def read(document: Document) -> Look:
        outline = outline_api(to_value(document.value_at(None)), response.headers, dict(response.url.params))
        elsewhere = _unless_declared(source, outline.rows) if isinstance(source.answer, JsonAnswer) else {}
        try:
            records = ListNames(source.names).name(records_of(document, source))
        except PermanentSourceError as error:
            return replace(look, mistake=str(error), proposed=elsewhere)
        where = f" at records_at: {source.records_at}" if source.records_at else ""
        if source.private_fields is not None:
            clean_records(records, source.private_fields)
        shown = replace(look, rows=f"{count(len(records), 'row')}{where}", has_rows=bool(records))
        if elsewhere and (document.is_record or not records):
            what = "the answer itself is the one row" if document.is_record else "none"
            shown = replace(
                shown, rows=f"{what}{where}, where the answer seems to have them elsewhere", proposed=elsewhere
            )
        shown = replace(shown, mistake=document.complaint(has_rows=bool(records)) or "")
        paging = outline.paging if source.graphql is None else _paging_of_connection(source, document)
        return _with_pages(shown, source, paging, _Answered(asked, response, document, records))

    return await read_answer(source, response, read)


def _unless_declared(source: ApiSource, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that say where an answer's rows are, where a source declares another place."""
    declared = source.model_dump(mode="json", include={*_PLACE}, exclude_defaults=True)
    return dict(found) if any(found.get(key) != declared.get(key) for key in _PLACE) else {}


def _paging_of_connection(source: ApiSource, document: Document) -> Paging | None:
    """Return how the pages of a GraphQL connection go on, where it says that there are more."""
    at = sibling_of(source.records_at or "", "pageInfo")
    if document.find(f"{at}.hasNextPage") is not True:
        return None
    return Paging({"kind": "graphql"}, f"{at} says that there are more")


def _with_pages(look: Look, source: ApiSource, paging: Paging | None, answered: _Answered) -> Look:
    """Return a look with what is to be said of pages: what is declared, and what the answer shows."""
    match source.pagination:
        case SinglePagination():
            if paging is None:
                return replace(look, pages="none is declared, and nothing in the answer tells of more")
            return _propose(look, f"none is declared, and {paging.why}", paging)
        case NumberedPagination() as declared:
            return replace(
                look, pages=f"{declared.kind} by {declared.param}, as declared: {_counted(declared, answered)}"
            )
        case FollowedPagination() as declared:
            answer = Answer(source, answered.response, answered.document, answered.records)
            if declared.following(answer) is not None:
                return replace(look, pages=f"{declared.kind}, as declared: the answer names the next page")
            why = why_unproven(source, declared, answer) or ""
            look = replace(look, mistake=look.mistake or why) if is_certain(source) else look
            if paging is not None and paging.is_certain:
                return _propose(look, f"{declared.kind} is declared and names no next page, but {paging.why}", paging)
            return replace(look, pages=f"{declared.kind}, as declared: the answer names no next page")
        case _:
            assert_never(source.pagination)


def _counted(declared: NumberedPagination, answered: _Answered) -> str:
    place = find_place(declared)
    if place is None:
        return "asked for until one has no rows"
    told = place.read(answered.response, answered.document, answered.asked)
    return f"{count(told, 'row' if counts_rows(declared) else 'page')} by {place.name}"


def _propose(look: Look, said: str, paging: Paging) -> Look:
    keys = {"pagination": dict(paging.declared)}
    if paging.is_certain:
        return replace(look, pages=said, proposed={**look.proposed, **keys})
    return replace(look, pages=said, perhaps={**look.perhaps, **keys})


# -- web pages


def _read_page(source: PagesSource, response: httpx.Response, look: Look) -> Look:
    if source.listed_at:
        listed = read_listing(response, source)
        if listed.follow:
            return replace(look, rows=f"a list of {count(len(listed.follow), 'sitemap')}")
        lacks = "" if listed.links or source.match is None else f"; none of those listed has {source.match!r}"
        return replace(look, rows=f"a list of {count(len(listed.links), 'page')} of the source{lacks}")
    if source.render is not None:
        return replace(look, rows="a page whose rows its scripts make: preview --ask shows them")
    page = read_page(response, source)
    on = _follows(source, len(page.follow))
    if source.levels:
        return replace(
            look, rows=f"a list with {count(len(page.links), 'link')} to pages", pages=on, mistake=_first(page.rejects)
        )
    empty = [name for name in source.selected if page.lines and not page.filled[name]]
    lacking = f"; without a value in any of them: {', '.join(empty)}" if empty else ""
    shown = replace(look, rows=f"{count(len(page.lines), 'row')}{lacking}", pages=on, has_rows=bool(page.lines))
    if page.lines:
        return shown
    outline = outline_page(response)
    proposed = {"rows": outline.rows, "columns": dict(outline.columns)} if outline is not None else {}
    return replace(look, pages=on, mistake=_first(page.rejects), perhaps=proposed)


def _follows(source: PagesSource, links: int) -> str:
    if source.follow is None:
        return ""
    return f"follow leads on to {count(links, 'page')}" if links else "follow leads nowhere on this page"


def _first(rejects: Sequence[str]) -> str:
    return next(iter(rejects), "")
