"""Names that stand beside their values: each becomes a column, and what is none is told."""

from __future__ import annotations

import pytest

from tasks.core.errors import WrongPagesError
from tasks.ingest.scraping.page import check_selectors
from tests.ingest.fetching import crawl_from, crawl_rows, pages, read_rows
from tests.site.server import Site

FACTS = {"weight_kg": "1,5", "colour": "red and blue", "length": "2", "width": "3", "use": "in; out"}
TERMS = {"weight_kg": "2", "use": "here; there", "colour": "white"}


@pytest.mark.parametrize("selector", ["table.facts, dl", "table.facts tr, dt", ".//table//tr | .//dt"])
async def test_each_pair_is_a_column(site: Site, selector: str) -> None:
    """Rows of two cells, or of more twos, and terms: names are plain, cells that span count, headings and blanks are none."""
    rows = await crawl_rows(pages(site, "/pairs", pairs=selector))

    assert rows[:3] == [{"name": "a", **FACTS}, {"name": "b", **TERMS}, {"name": "c"}]


async def test_a_pair_in_two_elements_that_match_counts_once(site: Site) -> None:
    """A table and its rows, or a table within another, hold the same pairs."""
    rows = await crawl_rows(pages(site, "/pairs", pairs="table.facts, table.facts tr, dl, dt"))

    assert rows[:2] == [{"name": "a", **FACTS}, {"name": "b", **TERMS}]


async def test_pairs_within_a_value_are_not_those_around_it(site: Site) -> None:
    """A table or a list in a cell is a part of its value, unless it is selected itself; one in a row of one cell is laid out by it."""
    around = await crawl_rows(pages(site, "/pairs-within-pairs", pairs=".facts"))
    inner = await crawl_rows(pages(site, "/pairs-within-pairs", pairs=".facts .facts, table table, dl dl"))

    assert around == [
        {"name": "a", "box": "Width 2 Height 3", "notes": "Weight 5 Net 4", "width": "9"},
        {"name": "b", "width": "2", "net": "1"},
        {"name": "c", "weight": "Net 4; 6"},
    ]
    assert inner == [
        {"name": "a", "width": "2", "height": "3", "net": "4"},
        {"name": "b", "width": "2"},
        {"name": "c", "net": "4"},
    ]


async def test_what_is_no_pair_is_a_reject(site: Site) -> None:
    """A cell alone, three cells, and a value without a name are told with their texts."""
    rows = await crawl_rows(pages(site, "/pairs", pairs="table.facts"))

    texts = ["alone", "1 | 2 | 3", " | nameless"]
    assert [row["$reject"] for row in rows[3:]] == [f"pairs: {text!r} is no name beside its value" for text in texts]


async def test_a_pair_with_the_name_of_a_column_is_told(site: Site) -> None:
    """The declared column has its own value, and a warning names the one that is left out."""
    groups = await crawl_from(pages(site, "/pairs", pairs="tr"))

    assert read_rows(groups)[0]["name"] == "a"
    assert [warning for warning in groups[-1].warnings if "pairs" in warning] == [
        f"pairs: 'tr' has a name, the first 'other' on {site.url}/pairs, which is left out, as columns.name is declared; "
        "give the column another name, or take it out"
    ]


async def test_the_type_of_a_pair_may_be_declared(site: Site) -> None:
    """A column without a selector is that of the name; without pairs it has to have one."""
    columns = {"name": "b::text", "weight_kg": {"type": "float", "decimal": ","}}
    rows = await crawl_rows(pages(site, "/pairs", pairs="table.facts, dl", columns=columns))

    assert rows[0] == {"name": "a", **FACTS}
    with pytest.raises(ValueError, match=r"columns\.weight_kg\.select is null; write a selector"):
        pages(site, "/pairs", columns={"weight_kg": {"select": None, "type": "float"}})


async def test_a_selector_of_pairs_that_finds_nothing_is_one_error(site: Site) -> None:
    """The error names the selector and the page."""
    with pytest.raises(
        WrongPagesError, match=r"pairs: 'table\.none' has no name beside a value in any of 3 rows on .*/pairs"
    ):
        await crawl_from(pages(site, "/pairs", pairs="table.none"))


def test_a_selector_of_texts_is_a_mistake(site: Site) -> None:
    """Pairs are elements, which is told before a run."""
    (mistake,) = check_selectors(pages(site, "/pairs", pairs="td::text"))

    assert mistake == "pairs: 'td::text' selects a text, not an element; end it in the element that is a row"
