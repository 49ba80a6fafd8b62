"""Rows and links out of an HTML page."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import httpx
from lxml import etree
from w3lib.url import safe_url_string

from tasks.config import PagesSource
from tasks.config.columns import PagesColumn
from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.redaction import NOT_SHOWN, quoted
from tasks.ingest.scraping.encoding import decode_page
from tasks.ingest.scraping.pairs import read_pairs
from tasks.ingest.scraping.selectors import (
    find_selector_mistake,
    inner_text,
    is_css_text,
    is_text,
    parse_html,
    select,
    select_element,
    text_of,
)
from tasks.ingest.scraping.tables import has_spans, spread_spans

_SCHEMES = frozenset({"http", "https"})


def page_address(url: httpx.URL) -> httpx.URL:
    """Return the address of a page as it is asked for and told apart: without its fragment, and without a password."""
    return url.copy_with(fragment=None, userinfo=b"", raw_path=url.raw_path or b"/")


def join_link(base: httpx.URL, link: str, encoding: str) -> httpx.URL | None:
    """Return the address that a link of a page at `base` leads to; None where it is no page, as `javascript:void(0)`.

    As in browsers, what is not ASCII in its query is written in the page's `encoding`.

    Raises:
        ValueError: the link is no address.

    """
    try:
        address = base.join(_quote(link, encoding))
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from None
    return page_address(address) if address.scheme in _SCHEMES and address.host else None


def _quote(link: str, encoding: str) -> str:
    try:
        return safe_url_string(link, encoding)
    except UnicodeEncodeError:
        return safe_url_string(link)


Value = str | list[str] | None

_QUOTED_CHARACTERS = 80
_ROWS_COMPARED = 16  # of a page: rows of one page are made alike
_DIGIT = re.compile(r"\d")
_REFRESH = "//meta[translate(@http-equiv, 'REFSH', 'refsh') = 'refresh']/@content"
_HEADING = etree.XPath(
    "self::th | ancestor::thead | self::*[.//th and not(.//td[node()])] | self::tr[not(normalize-space()) and not(td/*)]"
)
"""Of an element that holds nothing but names of columns, or nothing at all; spreading may have added cells without anything."""


@dataclass(frozen=True)
class ScrapedPage:
    """What one page gave: its rows, and the addresses it leads on to."""

    lines: list[bytes]
    """Its rows, as they go to the raw file."""
    filled: Counter[str]
    """In how many rows each column's selector matched."""
    matches: int
    """Of `links` on a list page, of addresses in a sitemap or a feed, of `rows` on others."""
    links: list[httpx.URL]
    follow: list[httpx.URL]
    rejects: list[str]
    """Why the page, or a link on it, gave nothing."""
    cut: dict[str, str] = field(default_factory=dict)
    """By column, what its selector left out of a text with digits, where it did."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """By host, a link that the crawl may not follow."""
    skipped: int = 0
    """Elements that `rows` matches, and no column matches in, but headings and blank ones."""
    headings: int = 0
    first_skipped: str = ""
    """The text of the first of those that are skipped."""
    files: list[httpx.URL | None] = field(default_factory=list)
    """Of each row, the address of its file."""
    pairs: int = 0
    """Names that stand beside values, in all rows."""
    shadowed: dict[str, str] = field(default_factory=dict)
    """By column, the value of the pair that has its name."""
    turns: int = 0
    """Links of `follow` that lead to another page than this one."""
    digest: str = ""
    """What stands for its body."""
    changed: dict[str, str] = field(default_factory=dict)
    """By page that a sitemap lists, when it changed."""


def read_page(response: httpx.Response, source: PagesSource, level: int = 0) -> ScrapedPage:
    """Return what a page gives that so many of the source's `links` led to, and what stands for it as a whole.

    Raises:
        PermanentSourceError: a selector has no value, or one of another kind, on this page.

    """
    page, here = _read(response, source, level), page_address(response.url)
    digest = blake2b(response.content, digest_size=8).hexdigest()
    return _without_private(replace(page, turns=sum(link != here for link in page.follow), digest=digest), source)


def _without_private(page: ScrapedPage, source: PagesSource) -> ScrapedPage:
    """Return what a page gives without what is private, in its rows and in what is told of them."""
    if source.private_fields is None:
        return page
    return replace(
        page,
        lines=list(map(source.private_fields.clean, page.lines)),
        cut={name: f"columns.{name}: {source.selected[name].selector!r} takes {NOT_SHOWN}" for name in page.cut},
        first_skipped=page.first_skipped and NOT_SHOWN,
        shadowed=dict.fromkeys(page.shadowed, NOT_SHOWN),
    )


def _read(response: httpx.Response, source: PagesSource, level: int) -> ScrapedPage:
    """Return what a page gives.

    Of a source with `links` the list pages give links, and those of the last level rows; of others every page gives rows.
    """
    text, encoding = decode_page(response.headers.get("Content-Type"), response.content)
    root = parse_html(text)
    try:
        if has_spans(text):
            spread_spans(root)
    except ValueError as error:
        return ScrapedPage([], Counter(), 0, [], [], [str(error)])
    document = _Document(response.url, root, encoding)
    is_detail = 0 < level == len(source.levels)
    follow = [] if source.follow is None or is_detail else document.links("follow", source.follow)[1]
    if level < len(source.levels):
        matches, links = document.links("links", source.levels[level])
        return ScrapedPage([], Counter(), matches, links, follow, document.rejects)
    rows = _Rows(document, source)
    found = [row for element in document.elements("rows", source.rows) if (row := rows.read(element)) is not None]
    if not found and not document.rejects:
        document.rejects.append(f"rows: {source.rows!r} matches elements in which no column matches")
    return ScrapedPage(
        [_line(row) for row in found],
        rows.filled,
        len(found),
        [],
        follow,
        document.rejects,
        rows.cut,
        skipped=rows.skipped,
        headings=rows.headings,
        first_skipped=rows.first_skipped,
        files=rows.files,
        pairs=rows.pairs,
        shadowed=rows.shadowed,
    )


def check_selectors(source: PagesSource) -> list[str]:
    """Return one sentence for each selector of a source that is neither CSS nor XPath, or selects what it cannot use."""
    selectors = {
        **{f"columns.{name}": column.selector for name, column in source.selected.items()},
        **({"follow": source.follow} if source.follow is not None else {}),
    }
    if source.download is not None:
        selectors["download.select"] = source.download.select
    named = [*selectors.items(), *(("links", selector) for selector in source.levels)]
    of_elements = {"rows": source.rows, **({"pairs": source.pairs} if source.pairs is not None else {})}
    if source.render is not None and source.render.wait_for is not None:
        of_elements["render.wait_for"] = source.render.wait_for
    mistakes = [(key, find_selector_mistake(selector, of_text=False)) for key, selector in of_elements.items()]
    mistakes += [(key, find_selector_mistake(selector, of_text=True)) for key, selector in named]
    return [f"{key}: {mistake}" for key, mistake in mistakes if mistake]


def reject_line(reason: str, url: str) -> bytes:
    """Return the line that stands in the raw file for a page that gave nothing."""
    return _line({"$reject": reason, "url": url})


class _Document:
    """A page that is being read; `rejects` says what on it gave nothing."""

    def __init__(self, url: httpx.URL, root: Any, encoding: str) -> None:
        self.rejects: list[str] = []
        self._url = url
        self._root = root
        self._encoding = "utf-8" if encoding.startswith("utf") else encoding

    def elements(self, key: str, selector: str) -> Sequence[Any]:
        """Return the elements that a selector matches."""
        matches = self.select(key, self._root, selector)
        if any(map(is_text, matches)):
            raise self._mistake(key, selector, "selects a text, not an element")
        if not matches:
            self.rejects.append(f"{key}: {selector!r} matches nothing on this page{self._refresh()}")
        return matches

    def links(self, key: str, selector: str) -> tuple[int, list[httpx.URL]]:
        """Return how many links a selector matches, and the addresses they lead to."""
        matches = self.select(key, self._root, selector)
        if not all(map(is_text, matches)):
            raise self._mistake(key, selector, "selects an element, not an address; end it in /@href")
        if not matches and key == "links":
            self.rejects.append(f"{key}: {selector!r} matches nothing on this page")
        base = self._base()
        found = dict.fromkeys(map(text_of, matches))
        return len(matches), [address for link in found for address in self._follow(key, base, link)]

    def first_link(self, key: str, element: Any, selector: str) -> httpx.URL | None:
        """Return the address that the first link leads to that a selector matches in an element."""
        matches = self.select(key, element, selector)
        if matches and not is_text(matches[0]):
            raise self._mistake(key, selector, "selects an element, not an address; end it in /@src")
        return next(
            (url for match in matches[:1] for url in self._follow(key, self._base(), text_of(match).strip())), None
        )

    def select(self, key: str, element: Any, selector: str) -> Sequence[Any]:
        """Return what a selector matches in an element."""
        try:
            return select(element, selector)
        except ValueError as error:
            raise self._mistake(key, selector, f"cannot be evaluated ({error})") from error

    def _refresh(self) -> str:
        """Return where the page sends browsers on to."""
        found = next(iter(select(self._root, _REFRESH)), "")
        return (
            f", which sends browsers on: {quoted(found, _QUOTED_CHARACTERS)}; name that address as start"
            if found
            else ""
        )

    def _base(self) -> httpx.URL:
        """Return the address that relative links start from."""
        declared = next(iter(select(self._root, "base::attr(href)")), None)
        try:
            return (join_link(self._url, declared, self._encoding) if declared else None) or self._url
        except ValueError:
            return self._url

    def _follow(self, key: str, base: httpx.URL, link: str) -> Iterator[httpx.URL]:
        try:
            address = join_link(base, link, self._encoding)
        except ValueError:
            self.rejects.append(f"{key}: {quoted(link, _QUOTED_CHARACTERS)} is no address")
        else:
            yield from [address] if address else []

    def _mistake(self, key: str, selector: str, what: str) -> PermanentSourceError:
        return PermanentSourceError(f"GET {self._url}: {key}: {selector!r} {what}; correct the selector")


class _Rows:
    """The rows of a page; `filled` counts in how many of them each column's selector matched."""

    def __init__(self, document: _Document, source: PagesSource) -> None:
        self.filled: Counter[str] = Counter()
        self.cut: dict[str, str] = {}
        self.skipped = self.headings = 0
        self.first_skipped = ""
        self.files: list[httpx.URL | None] = []
        self._file_at = source.download.select if source.download is not None else None
        self.pairs = 0
        self.shadowed: dict[str, str] = {}
        self._document = document
        self._columns = source.selected
        self._of_text = [name for name, each in self._columns.items() if not each.all and is_css_text(each.selector)]
        self._pairs = source.pairs
        self._named = {name for name, column in source.columns.items() if column.select or column.expression}
        self._named.update(source.download.columns if source.download is not None else ())
        self._read = 0

    def read(self, element: Any) -> dict[str, Value] | None:
        """Return the row that an element is; None where no column matches in it, as in a row of headings."""
        texts = {name: self._texts(name, column, element) for name, column in self._columns.items()}
        pairs = self._read_pairs(element) if self._pairs is not None else {}
        if not any(texts.values()) and not pairs and not self._is_row(element):
            self._skip(element)
            return None
        self.filled.update(name for name, found in texts.items() if found)
        if self._file_at is not None:
            self.files.append(self._document.first_link("download.select", element, self._file_at))
        self._read += 1
        if self._read <= _ROWS_COMPARED:
            self._compare(element, texts)
        return {name: _value(column, texts[name]) for name, column in self._columns.items()} | pairs

    def _read_pairs(self, element: Any) -> dict[str, str]:
        """Return the values beside names in a row, by columns that no other has the name of."""
        assert self._pairs is not None
        found, rejects = read_pairs(self._document.select("pairs", element, self._pairs))
        self._document.rejects += [f"pairs: {reject}" for reject in rejects]
        self.pairs += len(found)
        self.shadowed = {name: value for name, value in found.items() if name in self._named} | self.shadowed
        return {name: value for name, value in found.items() if name not in self._named}

    def _skip(self, element: Any) -> None:
        if _HEADING(element):
            self.headings += 1
            return
        self.first_skipped = self.first_skipped if self.skipped else inner_text(element)[:_QUOTED_CHARACTERS]
        self.skipped += 1

    def _is_row(self, element: Any) -> bool:
        """Return whether an element without a text for any column is a row still: it has their elements, or they have defaults."""
        columns = self._columns.values()
        return all(column.default is not None for column in columns) or any(
            select_element(element, column.selector) for column in columns
        )

    def _texts(self, name: str, column: PagesColumn, element: Any) -> list[str]:
        """Return the texts of a column, without those that are blank: all of them, or the first."""
        matches = self._document.select(f"columns.{name}", element, column.selector)
        texts = []
        for match in matches:
            if text := text_of(match).strip():
                texts.append(text)
                if not column.all:
                    break
        return texts

    def _compare(self, element: Any, texts: dict[str, list[str]]) -> None:
        """Note what `::text` leaves out of a number: 1<sup>99</sup> is not 1."""
        for name in self._of_text:
            if name in self.cut or not texts[name] or not _DIGIT.search(texts[name][0]):
                continue
            taken, selector = " ".join(texts[name][0].split()), self._columns[name].selector
            whole = next(map(inner_text, select_element(element, selector)), "")
            if _DIGIT.search(whole.removeprefix(taken)) and whole.startswith(taken):
                self.cut[name] = (
                    f"columns.{name}: {selector!r} takes {taken!r:.{_QUOTED_CHARACTERS}} of "
                    f"{whole!r:.{_QUOTED_CHARACTERS}}"
                )


def _value(column: PagesColumn, texts: list[str]) -> Value:
    """Return a column's value; where nothing matched it is the default, or else None."""
    texts = texts or ([] if column.default is None else [column.default])
    if not texts:
        return None
    return texts if column.all else texts[0]


def _line(row: dict[str, Value]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
