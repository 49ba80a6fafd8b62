"""Sheets read by calamine, and by openpyxl where that alone is right: the same values, whichever reads them."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.formats.excel import parts
from tasks.convert.formats.excel.by_openpyxl import CarefulWorkbook
from tasks.convert.formats.excel.cells import Grid
from tasks.convert.formats.excel.parts import Archive
from tasks.convert.formats.excel.workbook import read_sheet
from tasks.core.errors import TableError
from tests.convert.conftest import PROPERTY
from tests.convert.formats.test_excel import read, with_cells, workbook
from tests.convert.formats.test_workbook import rewrite

_LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufffe\uffff")
_TEXTS = st.text(_LETTERS, max_size=8) | st.sampled_from(
    [
        "1.10",
        "NA",
        "#N/A",
        "#N/A N/A",
        " x ",
        "a\nb",
        "true",
        "2013-01-31",
        "=1",
        "007",
        '<c r="XFD1">',
        "]]>",
        "\u00a0",
    ]
)
_NUMBERS = (
    st.integers(-(10**15), 10**15)
    | st.floats(-1e300, 1e300)
    | st.sampled_from([1e16, 1e22, -0.0, 0.1 + 0.2, 5e-324, 123456.789e3])
)
_MOMENTS = st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - sheets know no zones
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
_CELLS = st.one_of(
    st.none(),
    _TEXTS,
    _NUMBERS,
    st.booleans(),
    st.dates(date(1900, 3, 1), date(9999, 12, 31)),
    _MOMENTS,
    st.times().map(lambda at: at.replace(microsecond=0)),
    st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
)
_FORMATS = {date: "yyyy-mm-dd", datetime: "d.m.yyyy hh:mm:ss.000", time: "hh:mm:ss", timedelta: "[h]:mm:ss"}
_ROWS = st.lists(st.lists(_CELLS, max_size=5), max_size=8)


def written_by_xlsxwriter(rows: list[list[Any]]) -> bytes:
    """Return a workbook of a sheet with these rows, as another program than openpyxl writes it."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"strings_to_formulas": False, "nan_inf_to_errors": True}) as book:
        sheet = book.add_worksheet("Sheet")
        formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
        for number, row in enumerate(rows):
            for place, value in enumerate(row):
                sheet.write(number, place, value, formats.get(type(value)))
    return buffer.getvalue()


def cells_of(grid: Grid) -> tuple[list[int], list[list[str | None]], list[list[bool]]]:
    """Return the numbers of a sheet's rows, its columns, and which of their values are texts."""
    return (
        grid.numbers.tolist(),
        [column.to_pylist() for column in grid.columns],
        [
            [
                is_text
                for is_text, valid in zip(written.to_pylist(), column.is_valid().to_pylist(), strict=True)
                if valid
            ]
            for written, column in zip(grid.written, grid.columns, strict=True)
        ],
    )


def first_sheet(data: bytes) -> Grid:
    """Return the cells of the first sheet, as any reader gives them."""
    return read_sheet(data, 0).grid


@PROPERTY
@given(rows=_ROWS)
def test_both_readers_give_the_same_values(rows: list[list[Any]]) -> None:
    """What openpyxl gives of a workbook that xlsxwriter wrote calamine gives too, and no cell of it asks for care."""
    data = written_by_xlsxwriter(rows)

    assert not Archive(data).is_odd
    assert cells_of(first_sheet(data)) == cells_of(CarefulWorkbook(data).read("Sheet"))


@PROPERTY
@given(rows=_ROWS)
def test_both_readers_give_the_same_values_of_another_writer(rows: list[list[Any]]) -> None:
    """The same of one that openpyxl wrote, whose texts stand in the cells."""
    data = workbook(*([f"'{v}" if isinstance(v, str) and v.startswith("=") else v for v in row] for row in rows))

    assert cells_of(first_sheet(data)) == cells_of(CarefulWorkbook(data).read("Sheet"))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A2"><v>9007199254740993</v></c>', "9007199254740993"),
        ('<c r="A2"><v>123456789012345678</v></c>', "123456789012345678"),
        ('<c r="A2" t="str"><v><![CDATA[x<y]]></v></c>', "x<y"),
        ('<c r="A2" t="inlineStr"><is><t> x</t></is></c>', " x"),
        ('<c r="A2" t="e"><v>#SPILL!</v></c>', None),
        ("<c><v>7</v></c>", "7"),
        ('<c s="0" r="A2"><v>7</v></c>', "7"),
        ('<c t="n" \n r = "A2"><v>7</v></c>', "7"),
        ('<c r="A2" t="str"><v>a_x000D_\nb</v></c>', "a\r\nb"),
        ('<c r="A2"><v xml:space="preserve">9007199254740993</v></c>', "9007199254740993"),
        ('<c r="A2"><v >+9007199254740993</v></c>', "9007199254740993"),
        ('<c r="A2"><v>&#57;007199254740993</v></c>', "9007199254740993"),
        ('<c r="A2" t="inlineStr"><is><t xml:space="default"> x </t></is></c>', " x "),
        ('<c r="A2" t="inlineStr"><is><t>&#10;x</t></is></c>', "\nx"),
    ],
)
def test_what_few_workbooks_have_is_read_right(cell: str, value: str | None) -> None:
    """Digits beyond a float's, CDATA, blanks, errors of newer Excel, places that are left out, escapes."""
    texts = read(with_cells(f'<row r="2">{cell}<c r="B2"><v>5</v></c></row>'), header=True)

    assert texts.table.to_pydict() == {"a": [value], "b": ["5"]}


def test_an_escape_in_a_text_is_the_same_to_both_readers() -> None:
    """_x000D_ is the character of that number; a number of many digits elsewhere does not change it."""
    cells = '<c r="{}2" t="str"><v>a_x000D_b_x0041_</v></c>'
    plain = read(with_cells(f'<row r="2">{cells.format("A")}<c r="B2"><v>5</v></c></row>'), header=True)
    careful = read(
        with_cells(f'<row r="2">{cells.format("A")}<c r="B2"><v>9007199254740993</v></c></row>'), header=True
    )

    assert plain.table["a"].to_pylist() == careful.table["a"].to_pylist() == ["a\rbA"]


def test_an_empty_part_is_no_damage() -> None:
    """It is compressed as any other, and so is a folder."""
    buffer = io.BytesIO(workbook(["a"], [1]))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/empty.xml", b"")
        archive.writestr("xl/empty/", b"")

    assert read(buffer.getvalue()).table.to_pydict() == {"a": ["1"]}


def test_a_book_under_another_name_is_read() -> None:
    """Which part it is the archive says, and where its sheets are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(["a"], [1]))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            text = old.read(name).replace(b"workbook.xml", b"workbook22.xml")
            new.writestr(name.replace("workbook.xml", "workbook22.xml"), text)

    assert read(buffer.getvalue()).table.to_pydict() == {"a": ["1"]}


def test_days_before_1900_are_dates() -> None:
    """LibreOffice writes them as negative numbers."""
    data = rewrite(workbook(["a"], [date(1950, 1, 1)], [time(6)]), "<v>18264</v>", "<v>-18261.25</v>")

    assert read(data).table.to_pydict() == {"a": ["1849-12-30T18:00:00", "06:00:00"]}


def test_numbers_below_zero_are_no_days_beside_times_of_other_columns() -> None:
    """One in the column of a time may be a day before 1900, as calamine does not tell."""
    beside = Archive(workbook(["a", "b"], [time(6), -1], [time(7), -2.5]))
    among = Archive(workbook(["a", "b"], [time(6), -1], [-1.5, 2]))

    assert not beside.bears_out("Sheet", {0})
    assert among.bears_out("Sheet", {0})


def test_padded_texts_are_found_wherever_a_part_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are looked at in pieces, none of which ends within a text."""
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="inlineStr"><is><t>{"x" * n} </t></is></c></row>' for n in (2, 9))
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(with_cells(cells))) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        new.writestr("xl/worksheets/sheet1.xml", old.read("xl/worksheets/sheet1.xml"))

    for size in range(1, 60):
        monkeypatch.setattr(parts, "PIECE_BYTES", size)
        assert Archive(buffer.getvalue()).is_odd


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_of_xml_are_read(encoding: str) -> None:
    """A part that is no UTF-8 says so, and is read all the same."""
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>é</t></is></c></row><row r="2"><c r="A2"><v>1</v></c></row>'
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    data = replaced(f'{head}<worksheet xmlns="{name}"><sheetData>{cells}</sheetData></worksheet>'.encode(encoding))

    assert read(data).table.to_pydict() == {"é": ["1"]}


def replaced(content: bytes, part: str = "xl/worksheets/sheet1.xml") -> bytes:
    """Return a workbook with another part."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(["a"]))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return buffer.getvalue()


def test_a_part_that_is_larger_than_its_directory_says_is_refused() -> None:
    """What a workbook holds is counted as it is decompressed, not as it claims."""
    data = bytearray(written_by_xlsxwriter([["a"], [1]]))
    place = data.index(b"PK\1\2")
    size = int.from_bytes(data[place + 24 : place + 28], "little")
    data[place + 24 : place + 28] = (size - 1).to_bytes(4, "little")

    with pytest.raises(TableError, match=r"^is not an Excel file that can be read \(its part .* is damaged\); save it"):
        read(bytes(data))
