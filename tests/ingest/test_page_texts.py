"""The text of a column: whole where the page's markup cuts it, and told where a number is cut."""

from __future__ import annotations

from typing import Any

import pytest
from parsel import Selector

from tasks.core.errors import PermanentSourceError
from tasks.ingest.scraping.page import check_selectors
from tests.ingest.fetching import crawl_from, crawl_rows, pages
from tests.site.server import Site


async def values(site: Site, column: Any, path: str = "/texts") -> list[Any]:
    """Return what a column takes of each row of a page."""
    return [row["value"] for row in await crawl_rows(pages(site, path, columns={"value": column}))]


async def warnings(site: Site, column: Any) -> list[str]:
    """Return what is doubted of the values of a column."""
    groups = await crawl_from(pages(site, "/texts", columns={"value": column}))
    return [warning for group in groups for warning in group.warnings]


async def test_comments_do_not_cut_a_text(site: Site) -> None:
    """What stands before and after a comment, or an instruction, is one text."""
    found = await values(site, "b::text")

    assert (found[0], found[5]) == ("ab", "uv")


async def test_a_blank_text_is_passed_over(site: Site) -> None:
    """Spaces before a child are not the value where a text follows."""
    assert (await values(site, "b::text"))[2] == "late"


async def test_the_whole_text_of_an_element_can_be_taken(site: Site) -> None:
    """It has what its children hold, and breaks and hard spaces as single spaces, as a browser shows it, but nothing hidden."""
    assert await values(site, "b::inner-text") == ["ab", "199", "x late", "p q r", "st", "uv"]


@pytest.mark.parametrize("column", ["normalize-space(./b)", "string(b)", "normalize-space(.)", "child::b/text()[1]"])
async def test_a_function_or_an_axis_is_xpath(site: Site, column: str) -> None:
    """It need not begin with a slash, a dot or a parenthesis."""
    assert check_selectors(pages(site, "/texts", columns={"value": column})) == []
    assert (await values(site, column))[0] == "ab"


async def test_what_matches_is_taken_as_it_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object around each element and text took a third of the reading of a page."""
    made: list[Any] = []
    begin = Selector.__init__

    def counted(*arguments: Any, **options: Any) -> None:
        made.append(options)
        begin(*arguments, **options)

    monkeypatch.setattr(Selector, "__init__", counted)

    assert (await values(site, "b::text"))[0] == "ab"
    assert not made
    assert (await values(site, "./b"))[0] == "<b>ab</b>"
    assert made  # what writes an element as HTML


async def test_a_number_that_is_cut_is_told(site: Site) -> None:
    """The warning has the part, the whole and the page, and both cures; it comes once."""
    assert await warnings(site, "b::text") == [
        f"GET {site.url}/texts: columns.value: 'b::text' takes '1' of '199': for all of an element's text end the "
        "selector in ::inner-text; for its first text alone write it as XPath, as ./td[1]/text()"
    ]


@pytest.mark.parametrize("column", ["b::inner-text", "./b/text()", {"select": "b::text", "all": True}])
async def test_what_was_asked_for_is_not_doubted(site: Site, column: Any) -> None:
    """The whole text, every text, and XPath, which says what it takes."""
    assert await warnings(site, column) == []


async def test_rows_are_no_inner_text() -> None:
    """A text has no columns in it."""
    assert check_selectors(pages(Site("http://127.0.0.1:1"), "/", rows="li::inner-text")) == [
        "rows: 'li::inner-text' selects a text, not an element; end it in the element that is a row"
    ]


async def test_a_page_that_sends_browsers_on_says_so(site: Site) -> None:
    """A refresh by the page's own head is not followed, and is named where rows are missing."""
    rows = await crawl_rows(pages(site, "/meta-refresh", "/page-3", follow=None))

    assert rows[0]["$reject"] == (
        "rows: 'li' matches nothing on this page, which sends browsers on: '0; url=page-3'; name that address as start"
    )


async def test_an_unknown_function_is_a_mistake(site: Site) -> None:
    """It is XPath that cannot be evaluated, told before a run."""
    (mistake,) = check_selectors(pages(site, "/texts", columns={"value": "whole-text(.)"}))

    assert "'whole-text(.)' is not an XPath expression" in mistake
    with pytest.raises(PermanentSourceError, match="cannot be evaluated"):
        await values(site, "whole-text(.)")
