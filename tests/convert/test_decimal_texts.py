"""Texts that look like numbers with decimal commas stay as they are written where their column is one of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convert.conftest import files_source, make_table, read_rows, write_files

_NUMBERS = "".join(f"x;{n},5;a\n" for n in range(6))
_TEXTS = "id;v;t\ny;none of all;b\n"


@pytest.mark.parametrize("doubt", ["", "ragged;1\n", '"x ""y""";6,5;a\n', "id;v;t\n"])
def test_a_line_in_doubt_changes_no_text_of_the_others(tmp_path: Path, doubt: str) -> None:
    """Numbers of one file that another has texts beside keep their commas, also where a line is no row."""
    write_files(tmp_path, a_csv=f"id;v;t\n{_NUMBERS}{doubt}", b_csv=_TEXTS)

    make_table(tmp_path, files_source())

    assert {row["v"] for row in read_rows(tmp_path)} >= {*(f"{n},5" for n in range(6)), "none of all"}


def test_what_is_declared_to_mean_null_changes_no_text(tmp_path: Path) -> None:
    """Nulls of a column without a declared type leave its other values as they are written."""
    write_files(tmp_path, a_csv=f"id;v;t\n{_NUMBERS}x;-;a\n", b_csv=_TEXTS)

    make_table(tmp_path, files_source(columns={"v": {"nulls": ["-"]}}))

    assert {row["v"] for row in read_rows(tmp_path)} == {*(f"{n},5" for n in range(6)), None, "none of all"}


def test_a_padded_number_leaves_those_beside_it_numbers_in_a_column_of_numbers(tmp_path: Path) -> None:
    """Where the table's contract is of numbers, those with a comma stay rows."""
    source = files_source(table={"contract": "freeze", "max_rejects": None})
    write_files(tmp_path, a_csv=f"id;v;t\n{_NUMBERS}")
    make_table(tmp_path, source)
    write_files(tmp_path, b_csv="id;v;t\nx;1,25;a\nx;007;a\nx;2,75;a\n")

    make_table(tmp_path, source)

    assert {row["v"] for row in read_rows(tmp_path)} >= {1.25, 2.75}


@pytest.mark.parametrize("doubt", ["", "ragged;1\n"])
def test_codes_beside_decimal_commas_leave_these_as_they_are(tmp_path: Path, doubt: str) -> None:
    """A column that is of texts for a padded number in it keeps the commas of the others."""
    write_files(tmp_path, a_csv=f"id;v;t\n{_NUMBERS}x;007;a\n{doubt}")

    make_table(tmp_path, files_source())

    assert {row["v"] for row in read_rows(tmp_path)} == {*(f"{n},5" for n in range(6)), "007"}
