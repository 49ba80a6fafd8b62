"""Requests of a partition: sent, counted where they are made, and read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote_plus

import httpx

from tasks.config import Scalar
from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.redaction import excerpt

_EXTENSION = "tidemill"
_DETAILS = re.compile(r"[:(\n]")
_CAUSE_CHARACTERS = 80


@dataclass
class RequestStats:
    """What one partition has cost and brought so far; retries are the attempts after each first, refused are answers of 429."""

    rows: int = 0
    pages: int = 0
    requests: int = 0
    retries: int = 0
    refused: int = 0
    body_bytes: int = 0
    in_flight: int = 0
    coming_bytes: int = 0
    """Of bodies that are not there whole yet, as they are sent."""
    causes: Counter[str] = field(default_factory=Counter)
    """Why requests were made again, in short."""

    def note_cause(self, said: str) -> None:
        """Count why a request is made again: what is said before it comes to details, which differ."""
        self.causes[_DETAILS.split(said, maxsplit=1)[0].strip()[:_CAUSE_CHARACTERS]] += 1


@dataclass(slots=True)
class RequestContext:
    """One request's part: whose tally it goes into, what is asked, and how long it has stood in line for its host.

    `url` is without what proves who asks.
    """

    stats: RequestStats
    method: str
    url: httpx.URL
    stood_s: float = 0.0
    coming_bytes: int = 0
    max_bytes: int | None = None
    """Of its body, where that is not what the source's requests say."""

    def add(self, received: int) -> None:
        """Count a part of the body, which is on its way."""
        self.coming_bytes += received
        self.stats.coming_bytes += received

    def end_body(self) -> None:
        """Count the body as on its way no more, whether it is there or failed."""
        self.stats.coming_bytes -= self.coming_bytes
        self.coming_bytes = 0

    @property
    def label(self) -> str:
        """Return what the request is called where something is said of it."""
        return f"{self.method} {self.url}"


def with_context(
    stats: RequestStats, method: str, url: httpx.URL, *, max_bytes: int | None = None
) -> dict[str, RequestContext]:
    """Return the extensions of a request to `url` that goes into `stats`."""
    return {_EXTENSION: RequestContext(stats, method, url, max_bytes=max_bytes)}


def context_of(request: httpx.Request) -> RequestContext:
    """Return the account of a request."""
    account: RequestContext = request.extensions[_EXTENSION]
    return account


_NO_CONTENT = 204


class PageRequest(NamedTuple):
    """One request to be made; a tuple, as every page has one, and a frozen dataclass takes four times as long to make."""

    url: httpx.URL
    headers: Mapping[str, str] = MappingProxyType({})
    """Headers beside the source's own."""
    body: Any = None
    """JSON value of a POST, or its bytes as they are, whose type is among the headers."""
    answers: frozenset[int] = frozenset()
    """Statuses beside 2xx that are an answer, not an error."""
    max_bytes: int | None = None
    """Of its body, where that is not what the source's requests say."""
    fill: Callable[[str, Scalar], PageRequest] | None = None
    """Returns the request with a value wherever the placeholder of a name stands."""

    @property
    def method(self) -> str:
        """Return the method: what has a body is a POST."""
        return "GET" if self.body is None else "POST"

    @property
    def label(self) -> str:
        """Return what the request is called where something is said of it."""
        return f"{self.method} {self.url}"


Fetch = Callable[[PageRequest], Awaitable[httpx.Response]]
"""Makes a request and returns its whole answer, after retries, or raises SourceError."""


PIECE = "a piece of a page"
"""State after a part of a page: it is written, and a run that goes on begins with the page anew."""


class PageGroup(NamedTuple):
    """What some pages in a row gave; a tuple as a request is."""

    lines: list[bytes]
    """One JSON value each, as it goes to the raw file, without its line break."""
    pages: int
    state: object
    """From where reading goes on after these pages, as who reads them knows it; None after the last."""
    warnings: tuple[str, ...] = ()
    """What the pages give reason to doubt, one sentence each; it is kept with the rows."""
    unproven: str | None = None
    """Of an only page that names no next: why it may not be the last, unless another partition shows that it is."""
    elements_skipped: int = 0
    """Elements of web pages that are no rows, as no column matches in them."""
    ignored: bool = False
    """Whether the answer was passed over, as `requests.ignore` says."""
    records: Sequence[Any] = ()
    """After the last of the pages, what is kept of those that a sitemap says the last change of."""
    pages_with_rows: int | None = None
    """Of a crawl, the pages so far that are no sitemaps and no lists, also those of a run before."""
    fields_met: tuple[str, ...] = ()
    """The paths of private fields that were in a record."""
    is_due: bool = False
    """Whether the state is to be on the disk before anything else is asked for: it tells of what must not be made twice."""


def label_of(response: httpx.Response) -> str:
    """Return what an answer's request is called where something is said of it."""
    return f"{response.request.method} {response.request.url}"


def refusal(response: httpx.Response) -> PermanentSourceError:
    """Return what a status that is no answer means."""
    status = response.status_code
    cure = {
        401: "check what auth names",
        403: "check that what auth names may read this",
        404: "correct the address or the partitions",
    }.get(status, "correct the request")
    said = f"{label_of(response)} was refused with {status} {response.reason_phrase}".strip()
    return PermanentSourceError(f"{said}: {excerpt(response)!r}; {cure}")


def has_content(response: httpx.Response) -> bool:
    """Return whether an answer brings anything: 204 is the answer of a page without records."""
    return response.status_code != _NO_CONTENT


_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
_SHORT = 64  # characters, as numbers and most cursors have; with more an address may be too long, which httpx finds


def with_param(url: httpx.URL, name: str, value: Scalar) -> httpx.URL:
    """Return an address with a query parameter; the others stay as they are written."""
    query, text = url.query.decode("ascii"), str(value)
    is_plain = text.isascii() and text.isalnum()
    quoted = text if is_plain else quote(text, safe="")
    if name in query or url.fragment or not (name.isascii() and name.isidentifier()):
        return set_param(url, name, quoted)
    added = f"{query}{'&' if query else ''}{name}={quoted}"
    if len(text) <= _SHORT and is_plain and (replaced := _with_query(url, added)) is not None:
        return replaced
    return httpx.URL(f"{str(url).removesuffix('?')}{'&' if query else '?'}{name}={quoted}")


def set_param(url: httpx.URL, name: str, quoted: str) -> httpx.URL:
    """Return an address whose query has a pair in the place of those of its name, or behind the others.

    These stay as they are written, where httpx would quote them in its own way.
    """
    pairs = url.query.decode("ascii").split("&") if url.query else []
    own = [place for place, pair in enumerate(pairs) if unquote_plus(pair.partition("=")[0]) == name]
    kept = [pair for place, pair in enumerate(pairs) if place not in own]
    kept.insert(own[0] if own else len(kept), f"{quote_plus(name)}={quoted}")
    query = "&".join(kept)
    is_plain = len(quoted) <= _SHORT and _PLAIN.fullmatch(name) and _PLAIN.fullmatch(quoted)
    if is_plain and (replaced := _with_query(url, query)) is not None:
        return replaced
    return url.copy_with(query=query.encode("ascii"))


def _with_query(url: httpx.URL, query: str) -> httpx.URL | None:
    """Return an address with another query that needs no quoting; None where httpx keeps its parts otherwise than 0.28 does.

    httpx parses a whole address for each one it makes: for pages that differ in a
    number this was a sixth of the processor time of an ingest; pydantic/httpx2#1139 is to halve it.
    """
    parts: Any = vars(url).get("_uri_reference")
    if not hasattr(parts, "_replace"):
        return None
    changed = object.__new__(httpx.URL)
    vars(changed)["_uri_reference"] = parts._replace(query=query)
    return changed
