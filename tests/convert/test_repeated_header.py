"""A header that is repeated among the rows, as where files were joined: a reject that is told, and no value of a column."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest

from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files

NAMES = "who,n,when\n"
ROWS = "".join(f"p{n},{n},2026-01-{n:02}\n" for n in range(1, 21))


@pytest.mark.parametrize(
    ("content", "rows", "rejected"),
    [("word\nsome\nword\nother\n", ["some", "word", "other"], 0), ("n\n1\nn\n2\n", [1, 2], 1)],
)
def test_a_word_may_be_the_name_of_its_only_column(
    tmp_path: Path, content: str, rows: list[str | int], rejected: int
) -> None:
    """Among words it is a row, among numbers the header."""
    write_files(tmp_path, a_csv=content)

    table = make_table(tmp_path, files_source())

    assert [value for row in read_rows(tmp_path) for value in row.values()] == rows
    assert table.rows_rejected == rejected


@pytest.mark.parametrize("columns", [{}, {"n": "int"}, {"n": "string", "who": "string"}])
@pytest.mark.parametrize("far", ["", "".join(f"q{n},{n},2026-01-01\n" for n in range(20_000))])
def test_joined_files_keep_their_types(tmp_path: Path, columns: dict[str, str], far: str) -> None:
    """Wherever it stands, the header is a reject with its line, and the columns are of the types of their rows."""
    write_files(tmp_path, a_csv=NAMES + far + ROWS + NAMES + ROWS)

    table = make_table(tmp_path, files_source(columns=columns))

    (reject,) = read_rejects(tmp_path)
    line = 22 + far.count("\n")
    assert (reject["line"], reject["reason"], reject["raw"]) == (line, "repeats the header", "who,n,when")
    assert table.types == {"who": "string", "n": columns.get("n", "int"), "when": "date"}
    assert (table.rows_received, table.rows_table, table.rows_rejected) == (
        41 + far.count("\n"),
        40 + far.count("\n"),
        1,
    )
    (warning,) = table.findings.warnings
    assert warning.startswith(f"inbox/a.csv: line {line:,} repeats the header and is a reject")


@pytest.mark.parametrize("header", ["who,what", ",what", "5,what"])
def test_columns_of_texts_alone_are_searched_too(tmp_path: Path, header: str) -> None:
    """No type tells of the header there; that its first name is empty, as where an index was written, tells nothing."""
    write_files(tmp_path, a_csv=f"{header}\n" + "a,b\n" * 30 + f"{header}\n" + "c,d\n" * 30)

    table = make_table(tmp_path, files_source())

    assert (table.rows_table, table.reasons) == (60, {"repeats the header": 1})
    assert all(row["what"] in "bd" for row in read_rows(tmp_path))


@pytest.mark.parametrize("odd", ["", "1,2,3\n", '"a\nb",c\n'])
def test_a_header_without_a_name_is_no_row_without_a_value(tmp_path: Path, odd: str) -> None:
    """Where one stands it is a row, whatever is odd beside it."""
    write_files(tmp_path, a_csv=f",\n,\na,b\n{odd}")

    make_table(tmp_path, files_source(read={"header": True}, table={"max_rejects": None}))

    assert read_rows(tmp_path)[0] == {"column_1": None, "column_2": None}


def test_without_a_header_nothing_is_repeated(tmp_path: Path) -> None:
    """What is declared to be rows is rows."""
    write_files(tmp_path, a_csv="a,b\nc,d\na,b\n")

    table = make_table(tmp_path, files_source(read={"header": False}))

    assert (table.rows_table, table.rows_rejected) == (3, 0)


def test_a_sheet_of_one_column_is_searched_too(tmp_path: Path) -> None:
    """Among numbers a repeated header is a reject, as in a file."""
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for value in ["n", 1, "n", 2]:
        book.active.append([value])
    book.save(buffer)
    write_files(tmp_path, a_xlsx=buffer.getvalue())

    table = make_table(tmp_path, files_source())

    assert (table.types, table.rows_table, table.reasons) == ({"n": "int"}, 2, {"repeats the header": 1})


def test_a_sheet_is_searched_as_a_file_is(tmp_path: Path) -> None:
    """The sentence names sheet and row."""
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in [["who", "n"], *(["a", n] for n in range(30)), ["who", "n"], ["b", 31]]:
        book.active.append(row)
    book.save(buffer)
    write_files(tmp_path, a_xlsx=buffer.getvalue())

    table = make_table(tmp_path, files_source())

    assert table.types == {"who": "string", "n": "int"}
    assert (table.rows_table, table.reasons) == (31, {"repeats the header": 1})
    assert table.findings.warnings[0].startswith("inbox/a.xlsx: sheet Sheet, row 32 repeats the header")


@pytest.mark.parametrize("name", ["true", "inf"])
def test_a_header_of_words_that_may_be_values_is_found_again(tmp_path: Path, name: str) -> None:
    """Also where all of its fields are values of their columns."""
    values = {"true": ("true", "false"), "inf": ("1.5", "2.5")}[name]
    rows = "".join(f"{values[n % 2]},{n}\n" for n in range(20))
    write_files(tmp_path, a_csv=f"{name},NA\n{rows}{name},NA\n{rows}")

    table = make_table(tmp_path, files_source(read={"header": True}))

    assert table.rows_rejected == 1
    assert [(row["line"], row["reason"]) for row in read_rejects(tmp_path)] == [(22, "repeats the header")]
