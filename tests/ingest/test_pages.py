"""Rows out of web pages: CSS and XPath, lists and defaults, charsets, and selectors that miss."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.redaction import NOT_SHOWN, Redactor, redacting
from tasks.ingest.scraping.page import check_selectors
from tests.ingest.fetching import crawl_from, crawl_names, crawl_rows, pages
from tests.site.server import Site


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("b::text", ["one", "two"]),
        ("a::attr(href)", ["/of/one", None]),
        ("./b/text()", ["one", "two"]),
        (".//@href", ["/of/one", None]),
        ("//p/text()", ["All of it", "All of it"]),
        ("(./i)[3]/text()", ["y", None]),
        ("(string(./b))", ["one", "two"]),
        ("./span", [None, "<span>blue</span>"]),
        ({"select": "span::text", "default": "grey"}, ["grey", "blue"]),
        ({"select": "i::text", "all": True}, [["x", "y"], None]),
        ({"select": "./i/text()", "all": True, "default": "none"}, [["x", "y"], ["none"]]),
        ({"select": "time::text", "default": "never"}, ["never", "never"]),
    ],
)
async def test_a_column_has_a_selector(site: Site, column: Any, values: list[Any]) -> None:
    """A column is the first text that matches in its row, or a list of all; stripped, and else its default, or null."""
    rows = await crawl_rows(pages(site, "/values", columns={"value": column, "name": "b::text"}))

    assert [row["value"] for row in rows] == values


async def test_rows_and_links_may_be_xpath(site: Site) -> None:
    """What begins as a path is XPath wherever a selector stands."""
    xpath = {"rows": "//ul/li[b]", "columns": {"name": "b::text"}, "follow": "//a[@rel='next']/@href"}

    assert await crawl_names(pages(site, "/page-1", **xpath)) == ["a", "b", "c", "d", None]


async def test_links_start_from_the_declared_base(site: Site) -> None:
    """A page's base element says from where its links are."""
    assert await crawl_names(pages(site, "/page-with-base")) == ["a", "d", None]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latin-1", "caf\xe9"),
        ("/latin-1-declared-utf-8", "caf\xe9"),
        ("/meta-charset", "\u017elu\u0165"),
        ("/utf-16", "\u017elu\u0165"),
    ],
)
async def test_a_page_is_read_in_its_charset(site: Site, path: str, text: str) -> None:
    """The charset is that of the header, of the page itself, or another where they are wrong."""
    assert await crawl_names(pages(site, path, follow=None)) == [text]


async def test_a_link_is_written_in_its_page_s_charset(site: Site) -> None:
    """As in browsers, the query of a link is in the encoding of the page it stands on."""
    await crawl_from(pages(site, "/meta-charset"))

    assert site.paths == ["/meta-charset", "/page-that-links-on?q=%9E"]


async def test_a_link_that_is_no_address_is_a_reject(site: Site) -> None:
    """The rows of its page are kept."""
    rows = await crawl_rows(pages(site, "/page-that-links-wrongly"))

    assert rows == [
        {"name": "a"},
        {"$reject": "follow: 'http://[wrong' is no address", "url": f"{site.url}/page-that-links-wrongly"},
    ]


async def test_what_is_quoted_of_a_page_is_without_secrets(site: Site) -> None:
    """The thread that reads a page knows those of the run, and whether anything may be quoted at all."""
    secrets = Redactor()
    secrets.add("http://[wrong")
    told = []
    for each in (secrets, secrets.quoting_nothing()):
        with redacting(each):
            told += await crawl_names(pages(site, "/page-that-links-wrongly"))

    assert told == ["a", "follow: '***' is no address", "a", f"follow: {NOT_SHOWN} is no address"]


@pytest.mark.parametrize("path", ["/no-match", "/blank", "/json-instead-of-html"])
async def test_a_page_without_rows_is_a_reject(site: Site, path: str) -> None:
    """The reject has the page's address, and the other pages give theirs."""
    rows = await crawl_rows(pages(site, path, "/page-2", follow=None))

    assert rows == [{"$reject": "rows: 'li' matches nothing on this page", "url": f"{site.url}{path}"}, {"name": "c"}]


async def test_a_page_without_rows_leads_on(site: Site) -> None:
    """The links of a page that gives nothing are followed."""
    assert await crawl_names(pages(site, "/no-match-then-rows")) == [
        "rows: 'li' matches nothing on this page",
        "d",
        None,
    ]


@pytest.mark.parametrize(
    ("path", "changes", "sentence"),
    [
        ("/no-match", {}, r"rows: 'li' matches nothing on http://.*/no-match; correct the selector"),
        ("/blank", {}, r"rows: 'li' matches nothing on http://.*/blank; correct the selector"),
        (
            "/page-1",
            {"rows": "//tr"},
            "rows: '//tr' matches nothing on any of 3 pages from http://.*/page-1; correct the selector",
        ),
        (
            "/page-1",
            {"columns": {"name": "b::text", "when": "time::text"}},
            r"columns.when: 'time::text' matches nothing in any of 5 rows on any of 3 pages from http://.*/page-1; correct",
        ),
        (
            "/page-1",
            {"follow": "//a[@rel='next']"},
            "page-1: follow: .* selects an element, not an address; end it in /@href; correct the selector",
        ),
        (
            "/page-1",
            {"rows": "(//li/b/text())[1]"},
            r"page-1: rows: '\(//li/b/text\(\)\)\[1\]' selects a text, not an element; correct",
        ),
        (
            "/page-1",
            {"rows": "//li/namespace::*"},
            r"page-1: rows: '//li/namespace::\*' selects a text, not an element; correct",
        ),
        (
            "/page-1",
            {"columns": {"name": "./b[$name]"}},
            r"page-1: columns.name: './b\[\$name\]' cannot be evaluated \(XPath error: .*\); correct the selector",
        ),
    ],
)
async def test_a_selector_that_is_wrong_everywhere_is_named(
    site: Site, path: str, changes: dict[str, Any], sentence: str
) -> None:
    """A page that has changed, or a selector that is wrong, is one error and not an empty table."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await crawl_from(pages(site, path, **changes))


def test_every_selector_is_checked(site: Site) -> None:
    """A selector that is neither CSS nor XPath, or selects what it cannot use, is one sentence with the cure."""
    columns = {"name": "b", "link": "a::attr(href)", "far": "./b[", "odd": "b::text, i"}
    source = pages(site, "/page-1", rows="li[", columns=columns, links="//b:a", follow="b::first")

    rows, name, far, odd, follow, links = check_selectors(source)

    assert rows.startswith("rows: 'li[' is not a CSS selector (")
    assert rows.endswith("); correct it")
    assert name == "columns.name: 'b' selects an element, not a text; end it in ::text, ::inner-text or ::attr(name)"
    assert far == "columns.far: './b[' is not an XPath expression (XPath error: Invalid expression in ./b[); correct it"
    assert (
        odd
        == "columns.odd: 'b::text, i' selects an element, not a text; end it in ::text, ::inner-text or ::attr(name)"
    )
    assert follow.startswith("follow: 'b::first' is not a CSS selector (")
    assert links.startswith("links: '//b:a' is not an XPath expression (XPath error: ")


@pytest.mark.parametrize("rows", ["li::text", "//li/text()", "//li/@class", "(count(//li))"])
def test_rows_are_elements(site: Site, rows: str) -> None:
    """A text has no columns in it."""
    assert check_selectors(pages(site, "/page-1", rows=rows)) == [
        f"rows: {rows!r} selects a text, not an element; end it in the element that is a row"
    ]


def test_right_selectors_are_no_mistake(site: Site) -> None:
    """CSS and XPath may stand side by side."""
    columns = {"name": "./b", "links": {"select": ".//@href", "all": True}, "text": "b::text"}

    assert check_selectors(pages(site, "/page-1")) == []
    assert check_selectors(pages(site, "/page-1", rows="//li[@x]", columns=columns, links="(//a)[1]/@href")) == []
