"""Tables of pages: cells that span, rows of headings, and tables within tables."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import httpx
import pandas as pd

from tasks.ingest.scraping.page import read_page
from tests.ingest.fetching import crawl_from, crawl_rows, pages
from tests.site.server import Site

CITIES = {"country": "td:nth-child(1)::text", "city": "td:nth-child(2)::text", "n": "td:nth-child(3)::text"}


async def rows_of(site: Site, path: str, columns: dict[str, Any], rows: str = "tr") -> list[list[Any]]:
    """Return the values of each row of a page."""
    return [list(row.values()) for row in await crawl_rows(pages(site, path, rows=rows, columns=columns))]


async def test_cells_that_span_count_in_each_place(site: Site) -> None:
    """A cell over several rows stands in each of them, one over several columns in each of these."""
    assert await rows_of(site, "/table-with-spans", CITIES) == [
        ["Germany", "Berlin", "1"],
        ["Germany", "Hamburg", "2"],
        ["Malta", "none", "none"],
        ["France", "Paris", "4"],
        ["France", "Lyon", "4"],
        ["France", None, None],
    ]


def draw_table(draw: random.Random) -> str:
    """Return a table whose cells span rows and columns, in one group or two, ending before the last place in some rows."""
    height, width = draw.randint(1, 6), draw.randint(1, 6)
    taken, rows = set[tuple[int, int]](), list[str]()
    cut = draw.choice((0, draw.randint(0, height)))
    for row in range(height):
        cells = ""
        last = cut if row < cut else height
        for column in range(width):
            if (row, column) in taken:
                continue
            tall, wide = draw.choice((1, 1, 2, 3)), draw.choice((1, 1, 2, 4))
            tall = min(tall, last - row)
            wide = next((n for n in range(wide) if (row, column + n) in taken or column + n >= width), wide)
            taken |= {(row + down, column + right) for down in range(tall) for right in range(wide)}
            cells += f"<td rowspan={tall} colspan={wide}>{row}.{column}</td>"
        rows.append(f"<tr>{cells}</tr>")
    return f"<table><tbody>{''.join(rows[:cut])}</tbody><tbody>{''.join(rows[cut:])}</tbody></table>"


def test_spans_are_read_as_pandas_reads_them(site: Site) -> None:
    """Of tables whose cells cover each place once both give the same text in each place."""
    draw = random.Random(7)
    columns = {f"c{number}": f"td:nth-child({number})::text" for number in range(1, 7)}
    source = pages(site, "/", rows="tr", columns=columns, follow=None)
    for _ in range(150):
        text = draw_table(draw)
        page = read_page(httpx.Response(200, text=text, request=httpx.Request("GET", site.url)), source)

        (frame,) = pd.read_html(io.StringIO(text), flavor="lxml", header=None)
        found = [[value for value in json.loads(line).values() if value] for line in page.lines]
        assert found == [[str(value) for value in row if pd.notna(value)] for row in frame.to_numpy(object)], text


async def test_a_spanning_cell_is_found_by_its_id_once(site: Site) -> None:
    """Its copies have neither its id nor its span."""
    columns = {"country": "td#de[rowspan]::text", "city": "td:nth-child(2)::text"}

    assert [row[0] for row in await rows_of(site, "/table-with-spans", columns)] == ["Germany", None, None, None, None]


async def test_spans_of_a_table_within_a_cell_are_its_own(site: Site) -> None:
    """The inner table's cells are spread in it, and the outer's around it."""
    columns = {"one": "./td[1]/text()", "two": "./td[2]/text()"}

    assert await rows_of(site, "/table-within-a-table", columns, "//table//table//tr") == [["x", "y"], ["x", "z"]]
    assert await rows_of(site, "/table-within-a-table", {"one": "./td[1]/text()"}, "//table[@id]/tr") == [["a"], ["a"]]


async def test_cells_that_claim_to_span_millions_are_refused(site: Site) -> None:
    """The page is a reject, and takes no memory."""
    rows = await crawl_rows(
        pages(site, "/table-that-claims-millions", "/table-with-heading-rows", rows="tr", columns={"name": "td::text"})
    )

    assert rows[0]["$reject"] == "the cells of its tables span more than 200,000 places"
    assert [row["name"] for row in rows[1:]] == ["1", None, "3"]


async def test_a_row_of_headings_is_no_row(site: Site) -> None:
    """An element in which no column matches is left out; one whose cells are empty is a row."""
    columns = {"name": "b::text", "n": "td:nth-child(2)::text"}

    assert await rows_of(site, "/table-with-heading-rows", columns) == [["a", "1"], [None, None], ["c", "3"]]


async def test_a_page_of_headings_alone_is_a_reject(site: Site) -> None:
    """The page is not passed over in silence."""
    rows = await crawl_rows(pages(site, "/only-headings", "/table-with-heading-rows", rows="tr", follow=None))

    assert rows[0] == {
        "$reject": "rows: 'tr' matches elements in which no column matches",
        "url": f"{site.url}/only-headings",
    }


async def test_many_elements_without_a_column_are_told(site: Site) -> None:
    """More of them than rows are not headings, but selectors that miss."""
    groups = await crawl_from(pages(site, "/table-with-heading-rows", rows="tr, td, th", columns={"n": "./b/text()"}))

    assert [warning for group in groups for warning in group.warnings] == [
        "rows: 'tr, td, th' matches 6 elements in which no column matches, the first 'a 1' on "
        f"{site.url}/table-with-heading-rows, and 3 rows: they are left out; correct the selectors of columns if they "
        "are rows, or have that of rows leave them out"
    ]


async def test_a_default_alone_makes_no_row(site: Site) -> None:
    """Headings do not become a row of defaults where another column has none."""
    columns = {"name": "b::text", "kind": {"select": "i::text", "default": "plain"}}

    assert await rows_of(site, "/table-with-heading-rows", columns) == [["a", "plain"], [None, "plain"], ["c", "plain"]]
