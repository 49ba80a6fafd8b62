"""Rows and links out of an HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from cssselect import SelectorError
from parsel import Selector
from w3lib.encoding import html_to_unicode

from tasks.errors import PermanentSourceError
from tasks.spec import PagesSource

Row = dict[str, str | None]


@dataclass(frozen=True)
class Page:
    """What one page gave: its rows, and the addresses it links on to."""

    rows: list[Row]
    links: list[httpx.URL]


def read_page(response: httpx.Response, source: PagesSource) -> Page:
    """Return the rows and the followed links of a page."""
    url = response.url
    _, text = html_to_unicode(response.headers.get("Content-Type"), response.content)
    document = Selector(text=text, base_url=str(url))
    rows = [_read_row(row, source) for row in document.css(source.rows)]
    links = document.css(source.follow).getall() if source.follow else []
    return Page(rows, [address for link in links if (address := _follow(url, link.strip())) is not None])


def check_selectors(source: PagesSource) -> list[str]:
    """Return one sentence for each selector of a source that is not CSS, or selects no text."""
    columns = {f"columns.{name}": column.select for name, column in source.columns.items()}
    valued = {**columns, **({"follow": source.follow} if source.follow is not None else {})}
    mistakes = {key: _mistake(css, valued=key in valued) for key, css in {"rows": source.rows, **valued}.items()}
    return [f"{key}: {mistake}" for key, mistake in mistakes.items() if mistake]


def check_matches(source: PagesSource, filled: Mapping[str, int], rows: int, urls: list[httpx.URL]) -> None:
    """Raise when a selector matched nothing on any of the pages at `urls`.

    `filled` counts the values each column had over all `rows`.
    """
    where = f"{urls[0]}" if len(urls) == 1 else f"any of {len(urls)} pages from {urls[0]}"
    if not rows:
        raise PermanentSourceError(f"rows: {source.rows!r} matches nothing on {where}; correct the selector")
    for name, count in filled.items():
        if not count:
            select = source.columns[name].select
            raise PermanentSourceError(
                f"columns.{name}: {select!r} matches nothing in any of {rows} rows on {where}; correct the selector"
            )


def _follow(url: httpx.URL, link: str) -> httpx.URL | None:
    """Return the address a link leads to; None where it leads to no page, as `javascript:void(0)`."""
    try:
        address = url.join(link).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise PermanentSourceError(
            f"GET {url}: follow: {link!r} is no address ({error}); correct the selector"
        ) from None
    return address if address.scheme in {"http", "https"} else None


def _read_row(row: Selector, source: PagesSource) -> Row:
    return {name: _text(row.css(column.select).get()) for name, column in source.columns.items()}


def _text(value: str | None) -> str | None:
    return value.strip() or None if value is not None else None


def _mistake(css: str, *, valued: bool) -> str | None:
    try:
        Selector(text="<html></html>").css(css)
    except (SelectorError, ValueError) as error:
        return f"{css!r} is not a CSS selector ({error}); correct it"
    if valued and "::" not in css:
        return f"{css!r} selects an element, not a text; end it in ::text or ::attr(name)"
    return None
