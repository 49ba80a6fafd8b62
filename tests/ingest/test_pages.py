"""Rows out of web pages: links that lead on, lead round or never end, charsets, and selectors that miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import PermanentSourceError
from tasks.ingest.pages import check_selectors
from tests.ingest.sources import api, land_one, list_files, pages, read_rows
from tests.site import Site


def names(raw: Path) -> list[str | None]:
    """Return the names of a raw file's rows."""
    return [row["name"] for row in read_rows(raw)]


async def test_pages_are_read_along_their_links(site: Site, tmp_path: Path) -> None:
    """The rows of a page and of those it leads to are landed in order; text is stripped, and none is null."""
    landed = await land_one(pages(site, "/page-1"), tmp_path)

    assert names(landed.path) == ["a", "b", "c", "d", None]
    assert (landed.rows, landed.pages, landed.requests) == (5, 3, 3)
    assert site.paths == ["/page-1", "/page-2", "/page-3"]


async def test_a_column_may_be_an_attribute(site: Site, tmp_path: Path) -> None:
    """Each column has a selector of its own: a text or an attribute."""
    source = pages(site, "/page-2", follow=None, columns={"name": "b::text", "link": "a::attr(href)"})

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == [{"name": "c", "link": "of/c"}]


async def test_several_pages_may_be_the_first(site: Site, tmp_path: Path) -> None:
    """All start addresses are read, a page that several lead to only once."""
    landed = await land_one(pages(site, "/page-2", "/page-3", "/page-1", "/page-2#again"), tmp_path)

    assert names(landed.path) == ["c", "d", None, "a", "b"]
    assert sorted(site.paths) == ["/page-1", "/page-2", "/page-3"]


async def test_pages_that_lead_round_are_read_once(site: Site, tmp_path: Path) -> None:
    """Two pages that link to each other are two requests."""
    landed = await land_one(pages(site, "/loop-1"), tmp_path)

    assert (names(landed.path), site.paths) == (["a", "b"], ["/loop-1", "/loop-2"])


async def test_links_that_never_end_are_stopped(site: Site, tmp_path: Path) -> None:
    """A page that always leads to a new one is an error at max_pages, and nothing is landed."""
    with pytest.raises(PermanentSourceError, match=r"/endless/6: more pages than max_pages \(5\); raise max_pages"):
        await land_one(pages(site, "/endless/1", max_pages=5), tmp_path)

    assert (len(site.seen), list_files(tmp_path)) == (5, [])


async def test_a_link_that_is_no_page_is_the_end(site: Site, tmp_path: Path) -> None:
    """A link to a script, as a last page's next often is, is not followed."""
    landed = await land_one(pages(site, "/page-that-links-nowhere"), tmp_path)

    assert (names(landed.path), len(site.seen)) == (["a"], 1)


@pytest.mark.parametrize(("path", "text"), [("/latin-1", "caf\xe9"), ("/meta-charset", "\u017elu\u0165")])
async def test_a_page_is_read_in_its_charset(site: Site, tmp_path: Path, path: str, text: str) -> None:
    """The charset is that of the header, or that of the page itself."""
    landed = await land_one(pages(site, path), tmp_path)

    assert names(landed.path) == [text]


@pytest.mark.parametrize(
    ("path", "columns", "sentence"),
    [
        ("/no-match", {"name": "b::text"}, r"rows: 'li' matches nothing on http://.*/no-match; correct the selector"),
        ("/blank", {"name": "b::text"}, r"rows: 'li' matches nothing on http://.*/blank; correct the selector"),
        (
            "/page-1",
            {"name": "b::text", "when": "time::text"},
            r"columns.when: 'time::text' matches nothing in any of 5 rows on any of 3 pages from http://.*/page-1; correct",
        ),
    ],
)
async def test_a_selector_that_matches_nothing_is_named(
    site: Site, tmp_path: Path, path: str, columns: dict[str, str], sentence: str
) -> None:
    """A page that has changed, or a selector that is wrong, is one error and not an empty table."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(pages(site, path, columns=columns), tmp_path)

    assert list_files(tmp_path) == []


async def test_a_page_that_is_missing_is_one_error(site: Site, tmp_path: Path) -> None:
    """A link to a page that is not there ends the partition."""
    with pytest.raises(PermanentSourceError, match="/nowhere was refused with 404 Not Found: 'Not Found'; correct the"):
        await land_one(pages(site, "/page-1", "/nowhere"), tmp_path)

    assert list_files(tmp_path) == []


async def test_a_placeholder_takes_the_quoted_value(site: Site, tmp_path: Path) -> None:
    """A partition's value stands in the address as it must, and comes back as it was."""
    part = "a/b=c, d?&#\xfc%+"

    of_page = await land_one(pages(site, "/part/{part}", partitions={"part": [part]}), tmp_path / "pages")
    of_api = await land_one(api(site, "/items/{part}?part={part}", partitions={"part": [part]}), tmp_path / "api")

    assert names(of_page.path) == [part.strip()]
    assert {row["part"] for row in read_rows(of_api.path)} == {part}
    assert site.paths[0] == "/part/a%2Fb=c,%20d%3F&%23%C3%BC%25%2B"


def test_every_selector_is_checked(site: Site) -> None:
    """A selector that is not CSS, or gives no text, is one sentence with the cure."""
    source = pages(site, "/page-1", rows="li[", columns={"name": "b", "link": "a::attr(href)"})

    rows, name = check_selectors(source)

    assert rows.startswith("rows: 'li[' is not a CSS selector (")
    assert rows.endswith("); correct it")
    assert name == "columns.name: 'b' selects an element, not a text; end it in ::text or ::attr(name)"
    assert check_selectors(pages(site, "/page-1")) == []
