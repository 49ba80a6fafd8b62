"""Excel: the rows of a sheet as texts."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from tasks.config import Reading
from tasks.convert.formats.excel import parts as guarded
from tasks.convert.formats.excel.format import read_excel
from tasks.convert.schema.blocks import RawBlock
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, warnings_of, write_files

OLDER_FORMAT = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def workbook(*rows: Sequence[Any], **more: Sequence[Sequence[Any]]) -> bytes:
    """Return a workbook of a first sheet with these rows, and of further sheets."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for sheet, content in [(book.active, rows), *((book.create_sheet(name), rows) for name, rows in more.items())]:
        for row in content:
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read(data: bytes, **reading: Any) -> RawBlock:
    """Return the one block of a sheet."""
    (texts,) = read_excel(data, Reading.model_validate(reading))
    return texts


def test_values_are_the_texts_that_a_csv_would_have() -> None:
    """Dates are in ISO 8601, whole numbers without a point, errors and blanks null; NA is a text."""
    texts = read(
        workbook(
            ["n", "t", "d", "at", "ok", "time", "took"],
            [1, "NA", date(2013, 1, 31), datetime(2013, 1, 31, 5, 6, 7), True, time(1, 2), timedelta(hours=30)],  # noqa: DTZ001 - sheets know no zones
            [2.0, "#N/A", None, None, False, None, None],
            [1.5, "", None, None, None, None, None],
            [2**53 + 2, " x ", None, None, None, None, None],
        )
    )

    assert texts.table.to_pydict() == {
        "n": ["1", "2", "1.5", "9007199254740994"],
        "t": ["NA", None, None, " x "],
        "d": ["2013-01-31", None, None, None],
        "at": ["2013-01-31T05:06:07", None, None, None],
        "ok": ["true", "false", None, None],
        "time": ["01:02:00", None, None, None],
        "took": ["P1DT6H0M0S", None, None, None],
    }


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1.10", "1E5"], "string"),
        (["1.10", 2], "string"),
        (["true", "false"], "string"),
        (["2013-01-31", date(2013, 1, 1)], "date"),
        ([1, "NA", "#N/A", " n/a "], "int"),
        ([1.5, "-"], "string"),
        ([1.5, "?"], "float"),
        ([1, 2.0, None], "int"),
        ([None, "NA"], "null"),
    ],
)
def test_a_cell_of_text_makes_a_column_of_texts(cells: list[Any], kind: str) -> None:
    """A sheet tells numbers from texts that look like them; what means null among numbers does not count."""
    (texts,) = read_excel(workbook(["v", "id"], *([cell, 1] for cell in cells)), Reading(), lambda _: ["?"])

    assert texts.types == {"v": kind, "id": "int"}


def test_the_first_row_that_is_not_blank_names_the_columns() -> None:
    """Blank cells of it are numbered, repeated names told apart; blank rows are left out, numbers are the sheet's."""
    texts = read(workbook([], ["a", None, "a", 2013], [1, 2, 3, 4], [], [5, None, None, None], [None], []))

    assert texts.table.to_pydict() == {
        "a": ["1", "5"],
        "column_2": ["2", None],
        "a_3": ["3", None],
        "2013": ["4", None],
    }
    assert [(record["line"], record["raw"]) for record in texts.locate(np.array([0, 1])).to_pylist()] == [
        (3, "1\t2\t3\t4"),
        (5, "5\t\t\t"),
    ]
    assert texts.received == 2


def test_merged_cells_have_their_value_once() -> None:
    """Of a merged header the first column has the name, of a merged cell the first row the value."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["group", "", "x"], [1, 2, 3], [1, 2, 3]):
        sheet.append(row)
    sheet.merge_cells("A1:B1")
    sheet.merge_cells("C2:C3")
    sheet.cell(9, 3).font = openpyxl.styles.Font(bold=True)
    buffer = io.BytesIO()
    book.save(buffer)

    assert read(buffer.getvalue()).table.to_pydict() == {
        "group": ["1", "1"],
        "column_2": ["2", "2"],
        "x": ["3", None],
    }


def test_a_header_may_be_declared_away() -> None:
    """Without a header every row is a record, and columns are numbered."""
    texts = read(workbook(["x", 1], ["y", 2]), header=False)

    assert texts.table.to_pydict() == {"column_1": ["x", "y"], "column_2": ["1", "2"]}


def test_a_sheet_is_chosen_by_name_or_number() -> None:
    """Without a choice the first one is read; one that is not there is told with those that are."""
    data = workbook(["a"], [1], more=[["b"], [2]], empty=[])

    assert read(data).table.to_pydict() == {"a": ["1"]}
    assert read(data, sheet="more").table.to_pydict() == read(data, sheet=1).table.to_pydict() == {"b": ["2"]}
    assert read(data, sheet="empty").table.to_pydict() == {}
    with pytest.raises(TableError, match=r"^has no sheet 'x'; its sheets are Sheet, more, empty: correct read.sheet$"):
        read(data, sheet="x")
    with pytest.raises(TableError, match=r"^has no sheet 7; its sheets are Sheet, more, empty"):
        read(data, sheet=7)


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", workbook(["a"])[:900]])
def test_what_is_no_workbook_is_one_sentence(data: bytes) -> None:
    """A file that is damaged, or of another format, says what to do."""
    with pytest.raises(TableError, match=r"^is not an Excel file that can be read \(.*\); save it anew as .xlsx$"):
        read(data)


def test_any_cut_or_damage_is_one_sentence() -> None:
    """Wherever a workbook is damaged it is read or it is refused: nothing else is raised."""
    data = workbook(["a", "b"], [1, "x"])
    for place in range(0, len(data), len(data) // 30):
        damaged = data[:place] + b"\xff\0\xff" + data[place + 3 :]
        for content in (data[:place], damaged):
            with contextlib.suppress(TableError):
                assert read(content).received <= 1


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that would not fit in memory is told by what its directory says."""
    monkeypatch.setattr(guarded, "BOMB_BYTES", 1024 * 1024)
    buffer = io.BytesIO(workbook(["a"], [1]))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", bytes(16 * 1024 * 1024))

    with pytest.raises(TableError, match=r"^holds more than 500 times what it takes up.*save it as .csv$"):
        read(buffer.getvalue())


def with_cells(cells: str) -> bytes:
    """Return a workbook whose first sheet has these rows of XML."""
    before, after = io.BytesIO(workbook(["a", "b"])), io.BytesIO()
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                text = text.replace(b"</sheetData>", f"{cells}</sheetData>".encode())
            new.writestr(name, text)
    return after.getvalue()


def test_formulas_without_stored_results_are_told_by_sheet_and_column() -> None:
    """Their cells are null, as no reader calculates; how many is told, and what to do."""
    texts = read(workbook(["n", "twice"], [1, "=A2*2"], [2, "=A3*2"], [3, 6], named=[["x"], ["=1"]]), sheet="Sheet")

    assert texts.table.to_pydict() == {"n": ["1", "2", "3"], "twice": [None, None, "6"]}
    assert list(texts.warnings) == [
        "sheet Sheet, column 'twice': 2 formulas without a stored result, null; open the file in a spreadsheet "
        "program and save it, or write values"
    ]


@pytest.mark.parametrize(
    ("cell", "value", "is_told"),
    [
        ('<c r="A2"><f>1+1</f><v>2</v></c>', "2", False),
        ('<c r="A2" t="str"><f>""</f><v></v></c>', None, False),
        ('<c r="A2"><f>1+1</f></c>', None, True),
        ('<c r="A2" s="0"><f t="shared" si="0"/><v/></c>', None, True),
    ],
)
def test_a_stored_result_is_a_value(cell: str, value: str | None, is_told: bool) -> None:
    """An empty text that a formula gave is a stored result too."""
    texts = read(with_cells(f'<row r="2">{cell}<c r="B2"><v>5</v></c></row>'))

    assert texts.table.to_pydict() == {"a": [value], "b": ["5"]}
    assert bool(texts.warnings) is is_told


def test_every_run_tells_of_formulas_without_results(tmp_path: Path) -> None:
    """Also one in which nothing is new: the column of nulls is in the table still."""
    write_files(tmp_path, a_xlsx=workbook(["n", "twice"], [1, "=A2*2"]), b_xlsx=workbook(["n", "twice"], [2, 4]))

    told = [warnings_of(tmp_path, files_source()) for _ in range(2)]

    assert told[0] == told[1]
    assert [warning.partition(":")[0] for warning in told[0]] == ["inbox/a.xlsx"]
    assert "column 'twice': 1 formula without a stored result" in told[0][0]
