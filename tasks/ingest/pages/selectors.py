"""Selectors of a page: CSS, and XPath, which begins with / or ./ or (."""

from __future__ import annotations

import re

from cssselect import SelectorError
from parsel import Selector, SelectorList

_XPATH_BEGINS = ("/", "./", "(")
_CSS_TEXT = re.compile(r"::(text|attr\([^()]*\))\s*$")
_XPATH_TEXT = re.compile(r"(text\(\)|@[\w:.*-]+)\s*$")
_EMPTY = "<html></html>"


def select(element: Selector, selector: str) -> SelectorList[Selector]:
    """Return what a selector matches in a document or an element.

    Raises:
        ValueError: the selector is an XPath that has no value here.

    """
    return element.xpath(selector) if _is_xpath(selector) else element.css(selector)


def parse_html(text: str) -> Selector:
    """Return the document of a page; without its type a page that is JSON would not be read as HTML."""
    return Selector(text=text, type="html")


def is_text(match: Selector) -> bool:
    """Return whether a match is a text (or a number), not an element."""
    return isinstance(match.root, str | float | bool)


def find_mistake(selector: str, *, of_text: bool) -> str | None:
    """Return one sentence when a selector cannot be one `of_text`, or else of elements."""
    kind = "an XPath expression" if _is_xpath(selector) else "a CSS selector"
    try:
        matches = select(parse_html(_EMPTY), selector)
    except (SelectorError, ValueError) as error:
        return f"{selector!r} is not {kind} ({error}); correct it"
    text = _CSS_TEXT.search(selector) or (_is_xpath(selector) and _XPATH_TEXT.search(selector))
    if of_text and not text and not _is_xpath(selector):
        return f"{selector!r} selects an element, not a text; end it in ::text or ::attr(name)"
    if not of_text and (text or any(is_text(match) for match in matches)):
        return f"{selector!r} selects a text, not an element; end it in the element that is a row"
    return None


def _is_xpath(selector: str) -> bool:
    return selector.startswith(_XPATH_BEGINS)
