"""Workbooks that are small and tell of very much."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest

from tasks.convert.formats.excel import by_openpyxl as careful
from tasks.convert.formats.excel import cells, parts
from tasks.core.errors import TableError
from tests.convert.formats.test_excel import read, workbook
from tests.thorough import takes_minutes

ALIKE = takes_minutes("another row is alike, and a million are read")


def rewrite(data: bytes, pattern: str, replacement: str, part: str = "xl/worksheets/sheet1.xml") -> bytes:
    """Return a workbook with something else in one of its parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            text = old.read(info)
            if info.filename == part:
                text = re.sub(pattern, replacement, text.decode(), count=1).encode()
                assert text != old.read(info)
            new.writestr(info, text)
    return buffer.getvalue()


@pytest.mark.parametrize("row", ["1048577", *(pytest.param(row, marks=ALIKE) for row in ("9999999", "999999999999"))])
def test_rows_beyond_those_of_excel_are_refused(row: str) -> None:
    """However far a row claims to be, the gap before it is no loop without end."""
    data = rewrite(workbook(["a"], [1]), '<row r="2"(.*?)r="A2"', rf'<row r="{row}"\1r="A{row}"')

    with pytest.raises(TableError, match=r"^its sheet has a row beyond 1,048,576, the last of Excel's; save it anew"):
        read(data)


def test_a_far_cell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cells may span more than fits in memory: what counts is how far they reach."""
    monkeypatch.setattr(cells, "MAX_CELLS", 20)
    data = rewrite(workbook(["a"], [1], [2]), 'r="A3"', 'r="H3"')

    with pytest.raises(TableError, match=r"^its sheet reaches over more than 20 cells: delete what stands far .*\.csv"):
        read(data)


def test_a_far_row_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without a value are not kept."""
    monkeypatch.setattr(cells, "MAX_CELLS", 20)
    texts = read(rewrite(workbook(["a"], [1], [2]), '<row r="3"(.*?)r="A3"', r'<row r="900"\1r="A900"'))

    assert texts.table.to_pydict() == {"a": ["1", "2"]}
    assert texts.locate(np.array([0, 1]))["line"].to_pylist() == [2, 900]


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "docProps/core.xml"])
def test_a_part_that_defines_entities_is_refused(part: str) -> None:
    """No workbook has a DOCTYPE; one that has could expand without end."""
    data = rewrite(workbook(["a"], [1]), r"^(<\?xml.*?\?>)?", r'\1<!DOCTYPE x [<!ENTITY e "1">]>', part)

    with pytest.raises(TableError, match=r"^has a DOCTYPE, which no workbook has .*; save it anew as \.xlsx$"):
        read(data)


@pytest.mark.parametrize("limit", ["MAX_ELEMENTS", "MAX_NESTED"])
def test_more_elements_than_fit_in_memory_are_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted before any is kept: all of them, and those of a row, where that is read as a whole."""
    data = workbook([f"c{number}" for number in range(30)])
    odd = rewrite(data, "<sheetData", "<!-- by hand --><sheetData")
    assert read(data).received == read(odd).received == 0
    monkeypatch.setattr(careful if limit == "MAX_NESTED" else parts, limit, 50)

    for content in [odd] if limit == "MAX_NESTED" else [odd, data]:
        with pytest.raises(
            TableError, match=r"^has more cells than fit in memory; save the sheet as \.csv, which is read"
        ):
            read(content)
