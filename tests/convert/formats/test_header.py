"""The header: which record names the columns, judged by those below it."""

from __future__ import annotations

import pytest

from tasks.convert.formats.header import Header, find_header


def records_of(text: str) -> list[list[str]]:
    """Return records that are written with commas and line feeds."""
    return [line.split(",") for line in text.split("\n")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-03,NAN,82\n2026-01-04,1.5,83\n2026-01-05,1.6,84",  # a null is no name
        "2026-01-03,n/a,82\n2026-01-04,1.5,83",
        "sensor-a,2026-01-01,3.4\nsensor-b,2026-01-02,3.5",
        "sensor-a,ok,17\nsensor-b,ok,18",
        "12,unknown,5\n13,4,6\n14,7,8",
        "pump,7:30,3\nfan,8:45,4",
        "NAN,NAN,NAN\n1,2,3",
        ",5.5,6\na,7,8",
        "de,berlin\nfr,paris\nde,roma\nit,berlin",
        "a,1,2\nb,3,1",
        "a,1,2,3\nb,3,1,9",
        "1,n.a.,n.a.\n2,5,6\n3,7,8",
        "DE,2019\nFR,2020\nIT,2021",
        "sensor-a,2026-01-01,3.4",
        "-5,+3.2,1e5\n-6,+3.1,1e4",
        "1.234,50 %\n2.345,60 %",
    ],
)
def test_a_record_of_the_kinds_below_is_a_row(text: str) -> None:
    """A number above numbers, a date above dates, or texts that come again are values."""
    assert find_header(records_of(text), None) == Header(0, is_found=False)


@pytest.mark.parametrize(
    "text",
    [
        "id,name\n1,x\n2,y",
        ",2019,2020,2021\na,1,2,3\nb,4,5,6",
        ",0,1,2\n0,0.5,0.25,3\n1,0.5,2,3",
        "country,2010,2011\nx,1,2\ny,2,3",
        "country,2019\nDE,83.1\nFR,67.2",
        "product,2024-01,2024-02\na,5,6\nb,7,8",
        "product,2024-01-31,2024-02-29\na,5,6\nb,7,8",
        "id,1,2,3\n7,1.5,2.5,3\n8,1.5,2.5,4",
        "sample,400,410,420,430\nx,1,2,3,4.5\ny,2,3,4,5.5",
        "sample,label,400.5,401.0,401.5,402.0\nx,a,1,2,3,4\ny,b,2,3,4,5",
        "id,qty,100\n1,2,3\n4,5,6",
        "a,b\nx,y\nz,w",
        "a,b\nx,y\na,b\nz,w",  # files put one after the other
        "id,2010,2011",
        "a,b",
        ",",
        "day,NA\n2026-01-01,5\n2026-01-02,6",
        "Größe,Straße\n1,x\n2,y",
    ],
)
def test_a_record_unlike_those_below_names_the_columns(text: str) -> None:
    """So does a text above numbers, a year or a day above amounts, and anything where nothing tells."""
    assert find_header(records_of(text), None) == Header(0, is_found=True)


@pytest.mark.parametrize(
    ("text", "above"),
    [
        ("Report\nid,name,n\n1,x,2\n2,y,3", 1),
        ("Report\nas of,2024\nid,name,n\n1,x,2\n2,y,3", 2),
        ("Report\n\nday,n\n2024-01-01,2\n2024-01-02,3".replace("\n\n", "\n"), 1),
        ("Report,,\n,,\nid,name,n\n1,x,2\n2,y,3", 2),  # as a spreadsheet writes it
        ("Staff\na,b,c\nx,y,z\nw,v,u", 1),
        ("Staff of 2024\nname,role,place\nx,y,z\nw,v,u", 1),
    ],
)
def test_narrow_lines_above_a_header_are_titles(text: str, above: int) -> None:
    """They have fewer fields than all below them."""
    assert find_header(records_of(text), None) == Header(above, is_found=True)


@pytest.mark.parametrize(
    "text",
    [
        "name\nSmith,John\nDoe,Jane\nRoe,Rick",  # a column of texts with commas
        "a,b\n1,2,3\n4,5,6\n7,8,9",  # names of rows that have no name
        "x\n1,5\n2,6\n3,7",
        "1\n1,5\n2,6\n3,7",
        "a,,\n1,2,3\n4,5,6",
        "a,b,c\n1\n2\n3",
        "a,b,c,d\n1,2\n3,4\n5,6",
        "a,b,c",
    ],
)
def test_a_header_is_not_taken_for_a_title(text: str) -> None:
    """Where the lines below show no header the first record stays, and those unlike it are rejects."""
    assert find_header(records_of(text), None).above == 0


def test_names_that_are_declared_tell_of_a_header() -> None:
    """A record that holds one of them names the columns, whatever it looks like."""
    rows = records_of("7,8\n1,2\n3,4")

    assert find_header(rows, None) == Header(0, is_found=False)
    assert find_header(rows, None, {"8"}) == Header(0, is_found=True)
    assert find_header([["Report"], *rows], None, {"8"}) == Header(1, is_found=True)


def test_what_is_declared_is_not_judged() -> None:
    """Without a header no line is a title: each is a record."""
    rows = records_of("Report\nid,name,n\n1,x,2\n2,y,3")

    assert find_header(rows, declared=False) == Header(0, is_found=False)
    assert find_header(rows, declared=True) == Header(1, is_found=True)
    assert find_header(rows, declared=True, titles=0) == Header(0, is_found=True)
    assert find_header([], None) == Header(0, is_found=True)
