"""Rows and links out of an HTML page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from parsel import Selector

from tasks.errors import PermanentSourceError
from tasks.ingest.pages.addresses import join_link
from tasks.ingest.pages.encoding import decode_page
from tasks.ingest.pages.selectors import find_mistake, is_text, parse_html, select
from tasks.spec import PagesSource
from tasks.spec.columns import PagesColumn

Value = str | list[str] | None

_QUOTED_CHARACTERS = 80


@dataclass(frozen=True)
class Page:
    """What one page gave: its rows, and the addresses it leads on to."""

    lines: list[bytes]
    """Its rows, as they go to the raw file."""
    filled: Counter[str]
    """In how many rows each column's selector matched."""
    matches: int
    """Of `links` on a list page, of `rows` on others."""
    links: list[httpx.URL]
    follow: list[httpx.URL]
    rejects: list[str]
    """Why the page, or a link on it, gave nothing."""


def read_page(response: httpx.Response, source: PagesSource, *, is_detail: bool) -> Page:
    """Return what a page gives.

    Of a source with `links` the list pages give links, and the detail pages rows; of others every page gives rows.

    Raises:
        PermanentSourceError: a selector has no value, or one of another kind, on this page.

    """
    text, encoding = decode_page(response.headers.get("Content-Type"), response.content)
    document = _Document(response.url, parse_html(text), encoding)
    follow = [] if source.follow is None or is_detail else document.links("follow", source.follow)[1]
    filled: Counter[str] = Counter()
    if source.links is not None and not is_detail:
        matches, links = document.links("links", source.links)
        return Page([], filled, matches, links, follow, document.rejects)
    rows = [_read_row(document, element, source, filled) for element in document.elements("rows", source.rows)]
    return Page([_line(row) for row in rows], filled, len(rows), [], follow, document.rejects)


def check_selectors(source: PagesSource) -> list[str]:
    """Return one sentence for each selector of a source that is neither CSS nor XPath, or selects what it cannot use."""
    selectors = {
        **{f"columns.{name}": column.select for name, column in source.columns.items()},
        **{key: getattr(source, key) for key in ("follow", "links") if getattr(source, key) is not None},
    }
    mistakes = {"rows": find_mistake(source.rows, of_text=False)}
    mistakes |= {key: find_mistake(selector, of_text=True) for key, selector in selectors.items()}
    return [f"{key}: {mistake}" for key, mistake in mistakes.items() if mistake]


def reject_line(reason: str, url: str) -> bytes:
    """Return the line that stands in the raw file for a page that gave nothing."""
    return _line({"$reject": reason, "url": url})


class _Document:
    """A page that is being read; `rejects` says what on it gave nothing."""

    def __init__(self, url: httpx.URL, root: Selector, encoding: str) -> None:
        self.rejects: list[str] = []
        self._url = url
        self._root = root
        self._encoding = "utf-8" if encoding.startswith("utf") else encoding

    def elements(self, key: str, selector: str) -> list[Selector]:
        """Return the elements that a selector matches."""
        matches = self.select(key, self._root, selector)
        if any(is_text(match) for match in matches):
            raise self._mistake(key, selector, "selects a text, not an element")
        if not matches:
            self.rejects.append(f"{key}: {selector!r} matches nothing on this page")
        return matches

    def links(self, key: str, selector: str) -> tuple[int, list[httpx.URL]]:
        """Return how many links a selector matches, and the addresses they lead to."""
        matches = self.select(key, self._root, selector)
        if not all(is_text(match) for match in matches):
            raise self._mistake(key, selector, "selects an element, not an address; end it in /@href")
        if not matches and key == "links":
            self.rejects.append(f"{key}: {selector!r} matches nothing on this page")
        base = self._base()
        found = dict.fromkeys(match.get() for match in matches)
        return len(matches), [address for link in found for address in self._follow(key, base, link)]

    def select(self, key: str, element: Selector, selector: str) -> list[Selector]:
        """Return what a selector matches in an element."""
        try:
            return select(element, selector)
        except ValueError as error:
            raise self._mistake(key, selector, f"cannot be evaluated ({error})") from error

    def _base(self) -> httpx.URL:
        """Return the address that relative links start from."""
        declared = self._root.css("base::attr(href)").get()
        try:
            return (join_link(self._url, declared, self._encoding) if declared else None) or self._url
        except ValueError:
            return self._url

    def _follow(self, key: str, base: httpx.URL, link: str) -> Iterator[httpx.URL]:
        try:
            address = join_link(base, link, self._encoding)
        except ValueError:
            self.rejects.append(f"{key}: {link[:_QUOTED_CHARACTERS]!r} is no address")
        else:
            yield from [address] if address else []

    def _mistake(self, key: str, selector: str, what: str) -> PermanentSourceError:
        return PermanentSourceError(f"GET {self._url}: {key}: {selector!r} {what}; correct the selector")


def _read_row(document: _Document, row: Selector, source: PagesSource, filled: Counter[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, column in source.columns.items():
        matches = document.select(f"columns.{name}", row, column.select)
        texts = [text for match in (matches if column.all else matches[:1]) if (text := match.get().strip())]
        filled[name] += bool(texts)
        values[name] = _value(column, texts)
    return values


def _value(column: PagesColumn, texts: list[str]) -> Value:
    """Return a column's value; where nothing matched it is the default, or else None."""
    texts = texts or ([] if column.default is None else [column.default])
    if not texts:
        return None
    return texts if column.all else texts[0]


def _line(row: dict[str, Value]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
