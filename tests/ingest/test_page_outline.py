"""What a page shows: its first table, or what repeats in it, and the link to the next page."""

from __future__ import annotations

import httpx
import pytest

from tasks.config import PagesSource
from tasks.ingest.scraping.outline import PageOutline, outline_page
from tasks.ingest.scraping.page import read_page

QUOTES = "".join(
    f"<div class='quote q{n}000'><span class=text>said {n}</span> <small class=author>by {n}</small>"
    f"<a class=more href=/{n}>about</a><p class=tags><a class=tag href=/t>a</a><a class=tag href=/t>b</a></p></div>"
    for n in range(5)
)


def answer(body: str) -> httpx.Response:
    """Return an answer that is a page."""
    return httpx.Response(200, html=f"<html><body>{body}</body></html>", request=httpx.Request("GET", "http://h/"))


def outlined(body: str) -> PageOutline:
    """Return what a page shows."""
    found = outline_page(answer(body))
    assert found is not None
    return found


def rows_of(body: str) -> list[str]:
    """Return the rows that a page gives by the selectors that it shows."""
    found = outlined(body)
    source = PagesSource.model_validate({"start": "http://h/", "rows": found.rows, "columns": found.columns})
    return [line.decode() for line in read_page(answer(body), source).lines]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (
            "<table id=t><tr><th>A b<th>n</tr><tr><td>x<td>1</tr><tr><td>y <i>z</i><td>2</tr></table>",
            ['{"a_b":"x","n":"1"}', '{"a_b":"y z","n":"2"}'],
        ),
        (
            "<table><tr><td>menu</table><table class=data><tr><th>Größe<th>n</tr><tr><td>x<td>1<tr><td>y<td>2</table>",
            ['{"größe":"x","n":"1"}', '{"größe":"y","n":"2"}'],
        ),
        (
            "<table><tr><th>land<th>n</tr><tr><th>DE<td>1</tr><tr><th>FR<td>2</tr></table>",
            ['{"land":"DE","n":"1"}', '{"land":"FR","n":"2"}'],
        ),
        (
            "<table><tr><td rowspan=2>a<td>1</tr><tr><td>2</tr></table>",
            ['{"column_1":"a","column_2":"1"}', '{"column_1":"a","column_2":"2"}'],
        ),
        (
            "<ul class=menu><li>a</ul><article><h2 class=title>one</h2><p>t</p></article>"
            "<article><h2 class=title>two</h2><p>u</p></article><article><h2 class=title>three</h2></article>",
            ['{"title":"one","p":"t"}', '{"title":"two","p":"u"}', '{"title":"three","p":null}'],
        ),
    ],
)
def test_what_is_shown_reads_the_rows(body: str, rows: list[str]) -> None:
    """The selectors give all rows of the first table, heads of rows and spans included, or of what repeats most."""
    assert rows_of(body) == rows


def test_elements_that_repeat_have_texts_lists_and_links() -> None:
    """A class that stands several times in an element is a list, and a link to one page each a column of addresses."""
    found = outlined(QUOTES)

    assert found.rows == "div.quote"
    assert found.columns == {
        "text": "span.text::inner-text",
        "author": "small.author::inner-text",
        "more": "a.more::inner-text",
        "tag": {"select": "a.tag::inner-text", "all": True},
    }
    assert found.links == {"link": "a.more::attr(href)"}


@pytest.mark.parametrize(
    ("link", "follow", "maybe"),
    [
        ("<a rel='nofollow next' href=/2>more</a>", "a[rel~=next]::attr(href)", None),
        ("<ul><li class=next><a href=/2>more</a></li></ul>", None, ".next a::attr(href)"),
        ("<a href=/2>more</a>", None, None),
    ],
)
def test_only_a_link_that_says_so_leads_on(link: str, follow: str | None, maybe: str | None) -> None:
    """A link whose relation is next is certain; one that has only its class is a guess."""
    found = outlined(QUOTES + link)

    assert (found.follow, found.maybe_follow) == (follow, maybe)


@pytest.mark.parametrize(
    "body",
    ["", "<p>a</p><p>b</p>", "<table><tr><td>a</table>", "<table>" + "<tr><td rowspan=999 colspan=999>a<td>b" * 9],
)
def test_a_page_without_rows_shows_none(body: str) -> None:
    """Texts that are no table, a table of one cell, and cells that span millions of places are no rows."""
    assert outline_page(answer(body)) is None
