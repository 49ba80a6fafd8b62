"""Titles above a header, and what else of a file is no record: skipped, told, and declared."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.convert.staging.bundle import MANY_FILES
from tasks.convert.table.state import CommittedTable
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

ROWS = [{"id": 1, "name": "x", "n": 2.5}, {"id": 2, "name": "y", "n": 3.5}]


def table_of(root: Path, text: str | bytes, columns: dict[str, Any] | None = None, **read: Any) -> CommittedTable:
    """Make the table of one CSV file."""
    write_files(root, a_csv=text)
    return make_table(root, files_source(read=read, columns=columns or {}))


def workbook(*rows: list[Any]) -> bytes:
    """Return a workbook of one sheet."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "above",
    [
        "Monthly report\n",
        "Monthly report\n01.01.2024\n\n",
        "\ufeffMonthly report\r\n\r\n",
        '"Monthly report, of the north"\n\n\n',
        "Monthly report;;\n;;\n",
        "Monthly, quarterly and yearly\nfrom, to\n",
    ],
)
def test_titles_are_skipped_and_told(tmp_path: Path, above: str) -> None:
    """The table is that of the header below them; the warning has their number and the first text."""
    table = table_of(tmp_path, f"{above}id;name;n\n1;x;2,5\n2;y;3,5\n")

    assert read_rows(tmp_path) == ROWS
    assert (table.rows_received, table.rows_rejected) == (2, 0)
    (warning,) = table.findings.warnings
    lines = above.count("\n")
    assert f"1 file begins with lines above the header that were skipped, e.g. {lines} in inbox/a.csv" in warning
    assert "the first 'Monthly" in warning
    assert f"declare read.skip_rows: {lines}" in warning


def test_what_is_declared_is_skipped_without_a_word(tmp_path: Path) -> None:
    """The cure of the warning is one."""
    table = table_of(tmp_path, "Report\n\nid;name;n\n1;x;2,5\n2;y;3,5\n", skip_rows=2)

    assert read_rows(tmp_path) == ROWS
    assert table.findings.warnings == ()


def test_the_line_of_a_reject_is_that_of_the_file(tmp_path: Path) -> None:
    """Lines that are skipped count."""
    table_of(tmp_path, 'Report\n\n"id";name;n\n1;x;2,5\n2;y;3,5\n7;8\n')

    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(6, "7;8")]


@pytest.mark.parametrize("delimiter", ["§", "\0"])
@pytest.mark.parametrize("others", [0, MANY_FILES])
def test_a_first_line_that_names_no_character_of_ascii_is_told(tmp_path: Path, delimiter: str, others: int) -> None:
    """By the name of its file, be it the first of many that are read together."""
    write_files(tmp_path, a_csv=f"sep={delimiter}\nid{delimiter}v\n1{delimiter}2\n")
    for number in range(others):
        (tmp_path / "inbox" / f"b{number}.csv").write_text(f"id,v\n{number},2\n")

    with pytest.raises(
        TableError, match=r"^inbox/a\.csv: its first line says that '.*' divides its fields, which is no"
    ):
        make_table(tmp_path, files_source())


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\ufeffsep=;\n"])
def test_a_line_that_names_the_delimiter_is_obeyed(tmp_path: Path, first: str) -> None:
    """Excel writes it and does not show it."""
    table = table_of(tmp_path, f"{first}id;name;n\n1;x;2,5\n2;y;3,5\n")

    assert read_rows(tmp_path) == ROWS
    assert table.findings.warnings == ()
    assert table.findings.guesses.shared[0].guess.skipped == 1


def test_the_row_of_the_header_is_declared(tmp_path: Path) -> None:
    """All above is skipped, and with `skip_rows` also what stands between it and the first record."""
    text = "Report;of;May\n1;2;3\nid;name;n\n-;-;kg\n1;x;2,5\n2;y;3,5\n"
    columns = {"n": {"decimal": ",", "type": "float"}}

    table_of(tmp_path, text, columns, header_row=3, skip_rows=4)
    assert read_rows(tmp_path) == ROWS
    table = table_of(tmp_path, text.replace("-;-;kg\n", ""), columns, header_row=3)
    assert read_rows(tmp_path) == ROWS
    assert table.findings.warnings == ()


def test_no_title_is_taken_where_none_is_declared(tmp_path: Path) -> None:
    """With `skip_rows: 0` the first line is the header, and what is unlike it is a reject."""
    with pytest.raises(TableError, match="2 of 3 rows are rejects, most often because 2 fields, the header has 1"):
        table_of(tmp_path, "Report\nid;name;n\n1;x;2,5\n2;y;3,5\n", skip_rows=0)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ({"skip_rows": 9}, "has 3 lines, and read.skip_rows is 9; correct it"),
        ({"header_row": 9}, "has 3 lines, and read.header_row is 9; correct it"),
        ({"header_row": 2}, "its line 2 is blank, and read.header_row says that it is the header; correct it"),
    ],
)
def test_a_line_that_is_not_there_is_an_error(tmp_path: Path, read: dict[str, Any], said: str) -> None:
    """A declared line that the file has not is told with the key."""
    with pytest.raises(TableError, match=said):
        table_of(tmp_path, "id,n\n\n1,2\n", **read)


def test_many_lines_are_skipped(tmp_path: Path) -> None:
    """Also more of them than are looked at to detect a dialect, or than one block holds."""
    above = "".join(f"# {number} {'-' * 1000}\n" for number in range(9_000))

    table = table_of(tmp_path, f"{above}id,n\n1,2.5\n", skip_rows=9_000)

    assert read_rows(tmp_path) == [{"id": 1, "n": 2.5}]
    assert table.rows_received == 1


def test_comments_are_no_records(tmp_path: Path) -> None:
    """Lines that begin so are left out above the header and below; within quotes, or further on, it is a character."""
    text = '# made by x, y\nid,t\n1,a#b\n# "half\n2,"c\n# d"\n#3,e\n4,#f\nbad\n#'

    table = table_of(tmp_path, text, comment="#")

    assert [row["t"] for row in read_rows(tmp_path)] == ["a#b", "c\n# d", "#f"]
    assert [(row["line"], row["raw"]) for row in read_rejects(tmp_path)] == [(9, "bad")]
    assert table.rows_received == 4


def test_comments_are_left_out_of_every_block(tmp_path: Path) -> None:
    """Also of a file that is read in several, in the midst of a line."""
    lines = "".join(f"{number},{'x' * 90}\n# {number}, a comment\n" for number in range(150_000))

    table = table_of(tmp_path, f"id,t\n{lines}", comment="#")

    assert (table.rows_received, table.rows_rejected) == (150_000, 0)


def test_a_titled_sheet_is_read_from_its_header(tmp_path: Path) -> None:
    """Rows of a sheet are judged as lines of a file are."""
    sheet = workbook(["Report"], ["as of", "May"], [], ["id", "name", "n"], [1, "x", 2.5], [2, "y", 3.5])
    write_files(tmp_path, a_xlsx=sheet)

    table = make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == ROWS
    (warning,) = table.findings.warnings
    assert "e.g. 3 in inbox/a.xlsx, the first 'Report'" in warning


@pytest.mark.parametrize("read", [{"skip_rows": 2}, {"header_row": 3}, {"header_row": 3, "skip_rows": 3}])
def test_the_header_of_a_sheet_is_declared(tmp_path: Path, read: dict[str, int]) -> None:
    """Its rows are counted as lines are."""
    write_files(tmp_path, a_xlsx=workbook([1, 2, 3], [4, 5, 6], ["id", "name", "n"], [1, "x", 2.5], [2, "y", 3.5]))

    table = make_table(tmp_path, files_source(read=read))

    assert read_rows(tmp_path) == ROWS
    assert table.findings.warnings == ()


@pytest.mark.parametrize(("row", "said"), [(9, "its sheet has 3 rows"), (2, "its sheet has nothing in row 2")])
def test_a_header_that_a_sheet_has_not_is_an_error(tmp_path: Path, row: int, said: str) -> None:
    """As of a file."""
    write_files(tmp_path, a_xlsx=workbook(["id"], [], [1]))

    with pytest.raises(TableError, match=f"{said}, and read.header_row is {row}; correct it"):
        make_table(tmp_path, files_source(read={"header_row": row}))


def test_a_sheet_without_a_header_loses_no_row(tmp_path: Path) -> None:
    """Rows alike from the first on are records all."""
    write_files(tmp_path, a_xlsx=workbook(["a", 1, 2.5], ["b", 2, 3.5]))

    assert make_table(tmp_path, files_source()).rows_received == 2
