"""The rows and columns that a page may be read by, as its first table or its most repeated element shows them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from parsel import Selector

from tasks.core.escaping import count
from tasks.ingest.scraping.encoding import decode_page
from tasks.ingest.scraping.pairs import plain_name
from tasks.ingest.scraping.selectors import inner_text, parse_html
from tasks.ingest.scraping.tables import has_spans, spread_spans

_LEAST_ROWS = 2
_LEAST_ELEMENTS = 3
_MOST_COLUMNS = 12
_SHOWN_IN = 0.5  # of the elements: what stands in fewer is no column of them
_PLAIN_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBERED = re.compile(r"\d{3,}")
_SEMANTIC = frozenset({"article", "li", "dd", "figure"})
_NO_ROWS = frozenset({"html", "body", "head", "script", "style", "option", "br", "td", "th", "tr", "nav", "i", "b"})


@dataclass(frozen=True)
class PageOutline:
    """Selectors that a page may be read by; `links` are columns of addresses, `follow` leads to the next page, and `maybe_follow` perhaps.

    `what` tells in a few words what the rows are.
    """

    rows: str
    columns: Mapping[str, str | dict[str, Any]]
    links: Mapping[str, str] = field(default_factory=dict)
    follow: str | None = None
    maybe_follow: str | None = None
    what: str = ""


def outline_page(response: httpx.Response) -> PageOutline | None:
    """Return what a page shows; None where it has neither a table nor elements that repeat."""
    text, _ = decode_page(response.headers.get("Content-Type"), response.content)
    root = Selector(root=parse_html(text), type="html")
    if has_spans(text):
        try:
            spread_spans(root.root)
        except ValueError:
            return None
    found = _outline_table(root) or _outline_elements(root)
    if found is None:
        return None
    rows, columns, links, what = found
    follow, maybe = _next_link(root)
    return PageOutline(rows, columns, links, follow, maybe, what)


_Found = tuple[str, Mapping[str, str | dict[str, Any]], Mapping[str, str], str]


# -- a table


def _outline_table(root: Selector) -> _Found | None:
    tables = root.css("table")
    for place, table in enumerate(tables):
        rows = [row for row in table.css("tr") if row.xpath("ancestor::table[1]")[0].root is table.root]
        data = [cells for cells in map(_cells, rows) if any(cell.tag == "td" for cell in cells)]
        width = Counter(map(len, data)).most_common(1)[0][0] if data else 0
        full = [cells for cells in data if len(cells) == width]
        if len(full) < _LEAST_ROWS or width < _LEAST_ROWS:
            continue
        named = [
            cells for cells in map(_cells, rows) if len(cells) == width and all(cell.tag == "th" for cell in cells)
        ]
        headings = named[0] if named else None
        names = _name_all([inner_text(cell) if headings else "" for cell in headings or full[0]])
        columns = {name: _cell_selector(number, full) for number, name in enumerate(names, start=1)}
        links = {
            f"{name}_link": f"td:nth-child({number}) a::attr(href)"
            for number, name in enumerate(names, start=1)
            if all(cells[number - 1].tag == "td" and cells[number - 1].xpath(".//a[@href]") for cells in full)
        }
        have_heads = any(cell.tag == "th" for cells in full for cell in cells)
        return (
            _table_rows(table, place, len(tables), have_heads=have_heads),
            columns,
            links,
            f"table {place + 1} of {len(tables)}",
        )
    return None


def _cells(row: Selector) -> list[Any]:
    return [cell for cell in row.root if cell.tag in ("td", "th")]


def _cell_selector(number: int, rows: Sequence[Sequence[Any]]) -> str:
    tags = {cells[number - 1].tag for cells in rows}
    return ", ".join(f"{tag}:nth-child({number})" for tag in sorted(tags)) + "::inner-text"


def _table_rows(table: Selector, place: int, tables: int, *, have_heads: bool) -> str:
    """Return the selector of a table's rows: where these begin with heads, of those with cells beside them alone."""
    if have_heads:
        return f"(//table)[{place + 1}]//tr[td]"
    if (own := table.attrib.get("id")) and _PLAIN_CLASS.fullmatch(own):
        return f"table#{own} tr"
    if tables == 1:
        return "table tr"
    classes = [name for name in table.attrib.get("class", "").split() if _PLAIN_CLASS.fullmatch(name)]
    for name in classes:
        if len(table.xpath(f"//table[contains(concat(' ', normalize-space(@class), ' '), ' {name} ')]")) == 1:
            return f"table.{name} tr"
    return f"(//table)[{place + 1}]//tr"


# -- an element that repeats


def _outline_elements(root: Selector) -> _Found | None:
    groups: defaultdict[str, list[Selector]] = defaultdict(list)
    for element in root.xpath("//body//*"):
        for selector in _selectors_of(element, is_row=True):
            groups[selector].append(element)
    best, chosen = 0, None
    for selector, elements in groups.items():
        if len(elements) < _LEAST_ELEMENTS or _are_nested(elements):
            continue
        columns, links = _columns_of(elements)
        score = len(elements) * min(len(columns), 5)
        if columns and score > best:
            best, chosen = score, (selector, columns, links, f"{count(len(elements), 'element')} {selector}")
    return chosen


def _selectors_of(element: Selector, *, is_row: bool) -> Iterator[str]:
    """Yield the selectors by which an element may be told: its tag with each of its classes, or its tag alone."""
    tag = element.root.tag
    if not isinstance(tag, str) or (is_row and tag in _NO_ROWS):
        return
    classes = [
        name
        for name in element.attrib.get("class", "").split()
        if _PLAIN_CLASS.fullmatch(name) and not _NUMBERED.search(name)
    ]
    yield from (f"{tag}.{name}" for name in classes)
    if not classes and (not is_row or tag in _SEMANTIC):
        yield tag


def _are_nested(elements: Sequence[Selector]) -> bool:
    roots = {each.root for each in elements}
    return any(parent in roots for each in elements for parent in each.root.iterancestors())


def _columns_of(elements: Sequence[Selector]) -> tuple[dict[str, str | dict[str, Any]], dict[str, str]]:
    """Return the texts and the links within elements that stand in most of them."""
    shown: Counter[str] = Counter()
    repeated: set[str] = set()
    linked: Counter[str] = Counter()
    for element in elements:
        counts = Counter(filter(None, (_first_selector(each) for each in element.xpath(".//*") if _has_own_text(each))))
        shown.update([*counts])
        repeated |= {selector for selector, count in counts.items() if count > 1}
        linked.update({selector for each in element.xpath(".//a[@href]") if (selector := _first_selector(each))})
    least = len(elements) * _SHOWN_IN
    selectors = [selector for selector, count in shown.items() if count > least][:_MOST_COLUMNS]
    names = _name_all([selector.rpartition(".")[2] for selector in selectors])
    columns: dict[str, str | dict[str, Any]] = {
        name: {"select": f"{selector}::inner-text", "all": True} if selector in repeated else f"{selector}::inner-text"
        for name, selector in zip(names, selectors, strict=True)
    }
    if not columns and sum(map(_has_own_text, elements)) > least:
        columns = {"text": "::inner-text"}
    link = next((selector for selector, count in linked.items() if count > least and selector not in repeated), None)
    return columns, {} if link is None else {"link": f"{link}::attr(href)"}


def _first_selector(element: Selector) -> str | None:
    return next(_selectors_of(element, is_row=False), None)


def _has_own_text(element: Selector) -> bool:
    root = element.root
    texts = [root.text, *(child.tail for child in root)]
    return any(text and text.strip() for text in texts)


# -- the next page


def _next_link(root: Selector) -> tuple[str | None, str | None]:
    """Return the selector of the link that says that it leads to the next page, and of one that may."""
    for selector in ("a[rel~=next]", "link[rel~=next]"):
        if root.css(f"{selector}[href]"):
            return f"{selector}::attr(href)", None
    for selector in ("a.next", ".next a", "a[aria-label*=Next]"):
        if root.css(f"{selector}[href]"):
            return None, f"{selector}::attr(href)"
    return None, None


def _name_all(texts: Sequence[str]) -> list[str]:
    """Return names of columns, each once: the texts in small letters, with _ between words."""
    names: list[str] = []
    for number, text in enumerate(texts, start=1):
        name = plain_name(text) or f"column_{number}"
        names.append(name if name not in names else f"{name}_{number}")
    return names
