"""Selectors of a page: CSS, and XPath, which begins as a path or a function does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any

import lxml.html
from cssselect import SelectorError
from lxml import etree
from parsel import Selector, css2xpath
from parsel.selector import create_root_node

_XPATH = re.compile(
    r"""\s*(?: [/(@] | \.{1,2}\s*(?:/|$)          # a path, also that of the row itself
        | [a-z][a-z-]*\(                           # a function, as normalize-space(./td)
        | (?:ancestor(?:-or-self)?|child|descendant(?:-or-self)?|following(?:-sibling)?
            |parent|preceding(?:-sibling)?|self|attribute)::)""",
    re.VERBOSE,
)
_INNER_TEXT = re.compile(r"::inner-text\s*$")
_CSS_TEXT = re.compile(r"::(text|inner-text|attr\([^()]*\))\s*$")
_OF_TEXT_NODE = re.compile(r"\s*(?:::(?:text|inner-text)|(?<!/)/text\(\))\s*$")
_XPATH_TEXT = re.compile(r"(text\(\)|@[\w:.*-]+)\s*$")
_PREFIX = re.compile(r"(?<!:):(?!:)")
_EMPTY = "<html></html>"
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head"})
_BREAKING = frozenset(
    {"br", "p", "div", "li", "tr", "td", "th", "dt", "dd", "option", "h1", "h2", "h3", "h4", "h5", "h6"}
)
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
# Without comments, which would cut the text around them in two.
_PARSER: Any = partial(lxml.html.HTMLParser, remove_comments=True, remove_pis=True)


def select(element: Any, selector: str) -> Sequence[Any]:
    """Return what a selector matches in an element: elements, texts, or a number or a truth of XPath.

    Raises:
        ValueError: the selector is an XPath that has no value here.

    """
    query, is_inner = _translate(selector)
    evaluate = _compile(query)
    if evaluate is None:
        matches = [match.root for match in Selector(root=element, type="html").xpath(query)]
    else:
        try:
            found = evaluate(element)
        except etree.XPathError as error:
            raise ValueError(f"XPath error: {error} in {query}") from error
        matches = found if isinstance(found, list) else [found]
    return [match if is_text(match) else inner_text(match) for match in matches] if is_inner else matches


@cache
def _compile(query: str) -> Any:
    """Return what evaluates an XPath, in half of parsel's time; None where that has to know of namespaces, as of re:test().

    Raises:
        ValueError: it is no XPath.

    """
    if _PREFIX.search(query):
        return None
    try:
        return etree.XPath(query, smart_strings=False)
    except etree.XPathError as error:
        raise ValueError(f"XPath error: {error} in {query}") from error


@cache
def _translate(selector: str) -> tuple[str, bool]:
    """Return a selector as XPath, and whether the whole texts of what it matches are meant; of a pipeline there are few."""
    if is_xpath(selector):
        return selector, False
    inner = _INNER_TEXT.search(selector)
    if inner is None:
        return css2xpath(selector), False
    return css2xpath(selector[: inner.start()]) if inner.start() else ".", True


def select_element(element: Any, selector: str) -> Sequence[Any]:
    """Return the elements whose text a selector takes, also where they have none; of other selectors what they match."""
    of_element = _of_element(selector)
    return select(element, of_element) if of_element.strip(". ") else []


@cache
def _of_element(selector: str) -> str:
    return _OF_TEXT_NODE.sub("", selector)


def parse_html(text: str) -> Any:
    """Return the root element of a page, without its comments, be the text HTML or not."""
    return create_root_node(text, _PARSER)


def is_text(match: Any) -> bool:
    """Return whether a match is a text (or a number, or a namespace), not an element."""
    return not isinstance(match, etree._Element)  # noqa: SLF001 - the only name of its type


def text_of(match: Any) -> str:
    """Return a match as a text: an element as HTML."""
    return match if isinstance(match, str) else str(Selector(root=match, type="html").get())


def inner_text(element: Any) -> str:
    """Return the whole text of an element as a browser shows it: without what is hidden, each run of spaces as one."""
    texts = _texts(element) if len(element) else [element.text or ""]
    return " ".join("".join(texts).split())


def is_xpath(selector: str) -> bool:
    """Return whether a selector is XPath."""
    return _XPATH.match(selector) is not None


def is_css_text(selector: str) -> bool:
    """Return whether a selector is CSS that takes the text nodes of an element."""
    return not is_xpath(selector) and selector.rstrip().endswith("::text")


def find_selector_mistake(selector: str, *, of_text: bool) -> str | None:
    """Return one sentence when a selector cannot be one `of_text`, or else of elements."""
    kind = "an XPath expression" if is_xpath(selector) else "a CSS selector"
    try:
        matches = select(parse_html(_EMPTY), selector)
    except (SelectorError, ValueError) as error:
        return f"{selector!r} is not {kind} ({error}); correct it"
    text = _CSS_TEXT.search(selector) or (is_xpath(selector) and _XPATH_TEXT.search(selector))
    if of_text and not text and not is_xpath(selector):
        return f"{selector!r} selects an element, not a text; end it in ::text, ::inner-text or ::attr(name)"
    if not of_text and (text or any(map(is_text, matches))):
        return f"{selector!r} selects a text, not an element; end it in the element that is a row"
    return None


def _texts(root: Any) -> Iterator[str]:
    """Yield the texts of an element in order, with a space where a browser breaks the line or begins a cell."""
    walk = etree.iterwalk(root, events=("start", "end"))
    hidden = None
    for event, element in walk:
        if hidden is None:
            yield " " if element.tag in _BREAKING else ""
        if event == "start" and hidden is None:
            if element is not root and _is_hidden(element):
                walk.skip_subtree()
                hidden = element
            else:
                yield element.text or ""
        elif event == "end" and element is not root:
            hidden = None if element is hidden else hidden
            yield element.tail or ""


def _is_hidden(element: Any) -> bool:
    """Return whether a browser shows nothing of an element, as far as it tells itself."""
    return (
        element.tag in _UNSEEN or "hidden" in element.attrib or _NOT_SHOWN.search(element.get("style", "")) is not None
    )
