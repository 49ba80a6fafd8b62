"""Workbooks that are no .xlsx: .xls, .xlsb and .ods, as Excel and LibreOffice wrote them."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, write_files
from tests.convert.formats.test_excel import OLDER_FORMAT, read
from tests.convert.formats.test_workbook_readers import replaced

WORKBOOKS = Path(__file__).parent / "workbooks"  # of python-calamine's own tests, by its licence beside them
_VALUES = ["String", "1", "1.1", "true", "false", "2010-10-10", "2010-10-10T10:10:10", "10:10:10"]
_DURATIONS = {
    "xls": ["P0DT10H10M10.1S", "P10DT15H10M10S"],
    "xlsb": ["P0DT10H10M10.1S", "P10DT15H10M10S"],
    "ods": ["10:10:10.100000", "PT255H10M10S"],  # as it is written there
}


@pytest.mark.parametrize("suffix", ["xls", "xlsb", "ods"])
def test_values_are_those_of_an_xlsx(suffix: str) -> None:
    """Numbers, booleans, dates, times and durations are the texts that an .xlsx would give."""
    texts = read((WORKBOOKS / f"base.{suffix}").read_bytes(), header=False)

    assert [column[0] for column in texts.table.to_pydict().values()] == _VALUES + _DURATIONS[suffix]
    assert [record.line for record in texts.locate([0])] == [2]


def test_a_file_of_each_is_converted(tmp_path: Path) -> None:
    """Their endings are those of formats, plain and compressed, and a sheet is chosen as of any workbook."""
    kinds = {"a_xls": "xls", "b_xlsb": "xlsb", "c_ods_gz": "ods"}
    write_files(tmp_path, **{name: (WORKBOOKS / f"base.{suffix}").read_bytes() for name, suffix in kinds.items()})

    table = make_table(tmp_path, files_source(read={"header": False}))

    assert (table.rows_table, table.rows_rejected) == (3, 0)
    assert any(
        "b.xlsb: only its sheet Sheet1 is read, and others hold rows too, e.g. Sheet3" in w
        for w in table.findings.warnings
    )
    with pytest.raises(TableError, match=r"^has no sheet 'x'; its sheets are Sheet1, Sheet2, Merged Cells: correct"):
        read((WORKBOOKS / "base.xls").read_bytes(), sheet="x")


@pytest.mark.parametrize("data", [OLDER_FORMAT, (WORKBOOKS / "base.xlsb").read_bytes()[:-30]])
def test_what_is_damaged_is_one_sentence(data: bytes) -> None:
    """A file that is cut, or is another of Microsoft's, says what to do."""
    with pytest.raises(TableError, match=r"^is not an Excel file that can be read \(.*\); save it anew as .xlsx$"):
        read(data)
