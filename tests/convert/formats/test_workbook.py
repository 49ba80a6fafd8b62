"""Workbooks that are small and tell of very much."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from tasks.convert.formats import workbook as guarded
from tasks.core.errors import TableError
from tests.convert.formats.test_excel import read, workbook


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


def test_rows_beyond_those_of_excel_are_refused() -> None:
    """However far a row claims to be, the gap before it is no loop without end."""
    data = rewrite(workbook(["a"], [1]), '<row r="2"', '<row r="999999999999"')

    with pytest.raises(TableError, match=r"^its sheet has a row beyond 1,048,576, the last of Excel's; save it anew"):
        read(data)


def test_a_far_cell_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cells may span more than fits in memory: what counts is how far they reach."""
    monkeypatch.setattr(guarded, "_MAX_CELLS", 20)
    data = rewrite(workbook(["a"], [1], [2]), 'r="A3"', 'r="H3"')

    with pytest.raises(TableError, match=r"^its sheet reaches over more than 20 cells: delete what stands far .*\.csv"):
        read(data)


def test_a_far_row_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows without a value are not kept."""
    monkeypatch.setattr(guarded, "_MAX_CELLS", 20)
    texts = read(rewrite(workbook(["a"], [1], [2]), '<row r="3"(.*?)r="A3"', r'<row r="900"\1r="A900"'))

    assert texts.table.to_pydict() == {"a": ["1", "2"]}
    assert [record.line for record in texts.locate([0, 1])] == [2, 900]


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "docProps/core.xml"])
def test_a_part_that_defines_entities_is_refused(part: str) -> None:
    """No workbook has a DOCTYPE; one that has could expand without end."""
    data = rewrite(workbook(["a"], [1]), r"^(<\?xml.*?\?>)?", r'\1<!DOCTYPE x [<!ENTITY e "1">]>', part)

    with pytest.raises(TableError, match=r"^has a DOCTYPE, which no workbook has .*; save it anew as \.xlsx$"):
        read(data)


@pytest.mark.parametrize("limit", ["_MAX_ELEMENTS", "_MAX_NESTED"])
def test_more_elements_than_fit_in_memory_are_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted before any is kept: all of them, and those of a row, which is read as a whole."""
    data = workbook([f"c{number}" for number in range(30)])
    assert read(data).received == 0
    monkeypatch.setattr(guarded, limit, 50)

    with pytest.raises(TableError, match=r"^has more cells than fit in memory; save the sheet as \.csv, which is read"):
        read(data)
