"""What lists pages: sitemaps, indexes of sitemaps, feeds (RSS, Atom), and the sitemaps that a robots.txt names.

Their XML is read without document type, entities or network, and has to be whole.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from xml.parsers import expat

import httpx
from protego import Protego

from tasks.config import PagesSource
from tasks.core.errors import WrongPagesError
from tasks.ingest.http.decompression import Decompression
from tasks.ingest.http.redaction import quoted
from tasks.ingest.scraping.page import ScrapedPage, join_link
from tasks.ingest.scraping.robots import robots_address
from tasks.ingest.scraping.unchanged import DISPUTED

_GZIP = b"\x1f\x8b"
_QUOTED_CHARACTERS = 80
_BASE = "http://www.w3.org/XML/1998/namespace base"
_ENTRIES = {
    ("urlset", "url"),
    ("sitemapindex", "sitemap"),
    ("rss", "channel", "item"),
    ("RDF", "item"),
    ("feed", "entry"),
}
"""Paths of the elements that each list one page, or one sitemap."""
_ROOTS = {path[0] for path in _ENTRIES}
_SITEMAPS = frozenset({"urlset", "sitemapindex"})


class _RefusedError(Exception):
    """The XML has what is not read."""


@dataclass
class _Entry:
    """One entry of a list: its address, as it is written, and the addresses that it is relative to."""

    address: str = ""
    permalink: str = ""
    changed: str = ""
    """When it changed, as a sitemap has it."""
    base: tuple[str, ...] = ()


def read_listing(response: httpx.Response, source: PagesSource) -> ScrapedPage:
    """Return the pages that a sitemap or a feed lists, as links, and the sitemaps, as `follow`.

    Raises:
        WrongPagesError: it is no sitemap and no feed, not whole, or has a document type.

    """
    body = _decompress(response, source.requests.max_body_bytes)
    if response.url == robots_address(response.url):
        named = Protego.parse(body.decode("utf-8-sig", "replace")).sitemaps
        found = _Listed([_Entry(address) for address in named], are_sitemaps=True)
        if not found.entries:
            raise WrongPagesError(f"GET {response.url}: names no sitemap; write the sitemap's own address, or start")
    else:
        found = _parse(response, body)
    rejects = [f"{count:,} of its entries have no address"] if (count := found.nameless) else []
    addresses: dict[httpx.URL, str] = {}
    for url, change in _join(response, found.entries, rejects.append):
        addresses[url] = change if addresses.get(url, change) == change else DISPUTED
    if found.are_sitemaps:
        return ScrapedPage([], Counter(), 0, [], list(addresses), rejects)
    pages = [url for url in addresses if source.match is None or re.search(source.match, str(url))]
    changed = {str(url): addresses[url] for url in pages if addresses[url]}
    return ScrapedPage([], Counter(), len(pages), pages, [], rejects, changed=changed)


def _decompress(response: httpx.Response, most_bytes: int) -> bytes:
    """Return the body of an answer; that of a .gz file as what is in it."""
    body = response.content
    if not body.startswith(_GZIP):
        return body
    undone, size, parts = Decompression("gzip"), 0, []
    try:
        for part in chain(undone.feed(body), _end(undone)):
            size += len(part)
            if size > most_bytes:
                raise WrongPagesError(
                    f"GET {response.url}: is larger than requests.max_body_bytes ({most_bytes:,}) after decompression; "
                    "raise max_body_bytes if that is right"
                )
            parts.append(part)
    except zlib.error as error:
        raise WrongPagesError(
            f"GET {response.url}: cannot be decompressed ({error}); run again, or name another"
        ) from error
    return b"".join(parts)


def _end(undone: Decompression) -> Iterator[bytes]:
    """Yield what is left at the end, which may be asked for only then."""
    yield from undone.end()


def _join(
    response: httpx.Response, entries: Iterable[_Entry], reject: Callable[[str], None]
) -> Iterator[tuple[httpx.URL, str]]:
    """Yield the addresses of entries that are those of pages, and when each changed."""
    for entry in entries:
        base: httpx.URL | None = response.url
        try:
            for link in (*entry.base, entry.address):
                base = join_link(base, link, "utf-8") if base is not None else None
        except ValueError:
            base = None
        if base is None:
            reject(f"{quoted(entry.address, _QUOTED_CHARACTERS)} is no address of a page")
        else:
            yield base, entry.changed


@dataclass
class _Listed:
    """What a sitemap or a feed lists."""

    entries: list[_Entry] = field(default_factory=list)
    are_sitemaps: bool = False
    nameless: int = 0
    """Entries without an address."""


def _parse(response: httpx.Response, body: bytes) -> _Listed:
    reader = _Reader()
    try:
        reader.parse(body)
    except (expat.ExpatError, _RefusedError) as error:
        raise WrongPagesError(
            f"GET {response.url}: is no sitemap and no feed that can be read: {error}; correct the address, or use start"
        ) from error
    return reader.listed


class _Reader:
    """Reads the XML of a sitemap or a feed; namespaces are left out of account, as many sites get them wrong."""

    def __init__(self) -> None:
        self.listed = _Listed()
        self._path: list[str] = []
        self._bases: list[str] = []
        self._text: list[str] = []
        self._entry: _Entry | None = None
        self._is_permalink = False
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser

    def parse(self, body: bytes) -> None:
        """Read a whole document."""
        self._parser.Parse(body.lstrip(), True)

    def _refuse(self, name: str, *_: object) -> None:
        raise _RefusedError(
            f"it has a document type ({name:.{_QUOTED_CHARACTERS}}), which may define entities without end"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        self._path.append(name.rpartition(" ")[2])
        self._bases.append(attributes.get(_BASE, ""))
        if len(self._path) == 1 and self._path[0] not in _ROOTS:
            raise _RefusedError(
                f"its root is {self._path[0]!r:.{_QUOTED_CHARACTERS}}, not one of {', '.join(sorted(_ROOTS))}"
            )
        if tuple(self._path) in _ENTRIES:
            self._entry = _Entry(base=tuple(base for base in self._bases if base))
            self.listed.are_sitemaps = self._path[0] == "sitemapindex"
        if (
            self._entry is not None
            and self._path[0] not in _SITEMAPS  # whose links are the same page in other languages
            and tuple(self._path[:-1]) in _ENTRIES
            and self._path[-1] == "link"
            and attributes.get("rel", "alternate") == "alternate"
        ):
            self._entry.address = self._entry.address or attributes.get("href", "").strip()
        self._is_permalink = attributes.get("isPermaLink", "true") == "true"

    def _end(self, _: str) -> None:
        text, path = "".join(self._text).strip(), tuple(self._path)
        self._text.clear()
        if self._entry is not None and path[:-1] in _ENTRIES and text:
            if path[-1] == ("loc" if path[0] in _SITEMAPS else "link"):
                self._entry.address = self._entry.address or text
            elif path[-1] == "lastmod":
                self._entry.changed = text
            elif path[-1] == "guid" and self._is_permalink:
                self._entry.permalink = text
        elif self._entry is not None and path in _ENTRIES:
            self._entry.address = self._entry.address or self._entry.permalink
            if self._entry.address:
                self.listed.entries.append(self._entry)
            else:
                self.listed.nameless += 1
            self._entry = None
        self._path.pop()
        self._bases.pop()
