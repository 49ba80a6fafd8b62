"""Two tables in one file or sheet, and what is declared of reading that no file meets: told, and not mixed in silence."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.convert.conftest import files_source, make_table, write_files

FIRST = "who,n\n" + "".join(f"p{n},{n}\n" for n in range(1, 9))


@pytest.mark.parametrize("blank", ["\n", ",\n", "\n\n"])
@pytest.mark.parametrize("far", ["", "".join(f"q{n},{n}\n" for n in range(9_000))])
def test_a_second_header_in_a_file_is_told(tmp_path: Path, blank: str, far: str) -> None:
    """The sentence names its line."""
    write_files(tmp_path, a_csv=f"{FIRST}{far}{blank}city,people\nBonn,300\nKiel,200\n")

    warnings = make_table(tmp_path, files_source()).findings.warnings

    line = 10 + (far + blank).count("\n")
    assert any(
        f"inbox/a.csv: line {line:,} looks like the header of another table, below a blank one" in warning
        for warning in warnings
    )


@pytest.mark.parametrize("long", ['a,"of\n1,2,3\n4,5,6\n7,8,9\n1,1,1\n2,2,2\n3,3,3\nlines",b\n', ""])
@pytest.mark.parametrize("blank", ["\n", ",,\n"])
def test_a_second_header_beside_a_value_of_many_lines_is_told(tmp_path: Path, long: str, blank: str) -> None:
    """Be it a value of lines like records, which is kept and doubted."""
    above = f"who,what,where\n{'x,y,z' + chr(10)}{long}"
    write_files(tmp_path, a_csv=f"{above}{blank}Station,Date,Depth\nA,2024-01-01,5\n")

    warnings = make_table(tmp_path, files_source(read={"header": True})).findings.warnings

    line = 1 + (above + blank).count("\n")
    assert any(f"line {line} looks like the header of another table" in warning for warning in warnings)


@pytest.mark.parametrize(
    "content",
    [
        f"{FIRST}\np9,9\np10,10\n",
        "who,what\na,b\n\nc,d\ne,f\n",
        f"{FIRST},\np9,9\n",
        f"{FIRST}\np9,NA\np10,10\n",
    ],
)
def test_a_blank_line_between_rows_says_nothing(tmp_path: Path, content: str) -> None:
    """What follows it are rows like those above."""
    write_files(tmp_path, a_csv=content)

    assert make_table(tmp_path, files_source()).findings.warnings == ()


@pytest.mark.parametrize("comment", ["# as counted", "#"])
def test_a_comment_is_no_blank_line(tmp_path: Path, comment: str) -> None:
    """A row of texts below one is a row."""
    write_files(tmp_path, a_csv=f"who,what\na,b\n{comment}\nc,d\n\ne,f\n", b_csv='who,what\na,"b\n"\n# x\nc,d\n')

    warnings = make_table(tmp_path, files_source(read={"comment": "#"})).findings.warnings

    assert not [warning for warning in warnings if "line 4" in warning or "b.csv" in warning]


@pytest.mark.parametrize(("second", "told"), [([["city", "people"], ["Bonn", 300]], True), ([["p9", 9]], False)])
def test_a_second_header_in_a_sheet_is_told(tmp_path: Path, second: list[list[Any]], *, told: bool) -> None:
    """The sentence names sheet and row."""
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in [["who", "n"], *([f"p{n}", n] for n in range(1, 9)), [], *second]:
        book.active.append(row)
    book.save(buffer)
    write_files(tmp_path, a_xlsx=buffer.getvalue())

    warnings = make_table(tmp_path, files_source()).findings.warnings

    said = "inbox/a.xlsx: sheet Sheet, row 11 looks like the header of another table, below a blank one"
    assert [said in warning for warning in warnings] == [True] * told


@pytest.mark.parametrize(
    ("key", "value", "of"),
    [
        ("records_at", "data.items", "of json"),
        ("sheet", "2026", "of excel"),
        ("member", "a.csv", "of a .zip"),
    ],
)
def test_what_is_declared_of_no_file_is_told(tmp_path: Path, key: str, value: str, of: str) -> None:
    """A path that was never looked for is one that was never met."""
    write_files(tmp_path, a_csv=FIRST)

    assert make_table(tmp_path, files_source(read={key: value})).findings.warnings == (
        f"read.{key} is {of}, and no file is one, e.g. inbox/a.csv is csv; take it out, or declare read.format",
    )


def test_what_is_declared_of_some_files_is_met(tmp_path: Path) -> None:
    """Of others it says nothing."""
    write_files(tmp_path, a_csv="id,n\n1,2\n", b_json='[{"id": 2, "n": 3}]')

    assert make_table(tmp_path, files_source(read={"delimiter": ",", "encoding": "utf-8"})).findings.warnings == ()
