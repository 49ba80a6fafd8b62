"""What a table must not become without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.convert.table.state import CommittedTable
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, parts_of, read_rows, write_files


def warnings_of(table: CommittedTable) -> tuple[str, ...]:
    """Return the warnings of a table."""
    return table.findings.warnings


def test_a_good_table_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    """A portal that sends a sentence where rows were leaves no row: the table stays."""
    source = files_source(columns={"id": "int", "v": "float"})
    write_files(tmp_path, a_csv="id,v\n1,1.5\n2,2.5\n3,3.5\n")
    make_table(tmp_path, source)
    before = parts_of(tmp_path)

    write_files(tmp_path, a_csv="id,v\nno data today\nsee our site\n")
    with pytest.raises(TableError, match="2 rows came and none entered the table, most often because"):
        make_table(tmp_path, source)

    assert parts_of(tmp_path) == before


def test_a_table_that_would_be_empty_stays(tmp_path: Path) -> None:
    """A file of a header alone takes the place of one with rows: it may be meant, and the cure says how."""
    write_files(tmp_path, a_csv="id,v\n1,1.5\n")
    make_table(tmp_path, files_source())

    write_files(tmp_path, a_csv="id,v\n")
    with pytest.raises(TableError, match=r"its table had 1 row and would have none; .* or delete .*/\.tables/rows"):
        make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"id": 1, "v": 1.5}]


def test_a_table_keeps_one_of_its_columns_at_least(tmp_path: Path) -> None:
    """Other data under the name of a source is refused."""
    write_files(tmp_path, a_csv="id,v\n1,1.5\n")
    make_table(tmp_path, files_source())

    write_files(tmp_path, a_csv="station,temperature\nx,1.5\n")
    with pytest.raises(TableError, match=r"none of its table's columns \(id, v\) is among those that came"):
        make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"id": 1, "v": 1.5}]


def test_a_table_that_lost_most_of_its_rows_is_told(tmp_path: Path) -> None:
    """It is replaced, since a source may shrink, but not without a word."""
    write_files(tmp_path, a_csv="id\n" + "\n".join(map(str, range(9))) + "\n")
    make_table(tmp_path, files_source())

    write_files(tmp_path, a_csv="id\n1\n2\n")
    table = make_table(tmp_path, files_source())

    assert warnings_of(table) == ("its table has 2 rows and had 9: 7 are gone; see whether the source lost them",)


def test_rejects_beyond_a_share_are_told_in_each_run(tmp_path: Path) -> None:
    """Also in one that has nothing new."""
    write_files(tmp_path, a_csv="x\n" + "1\n" * 17 + "bad\n" * 3)
    source = files_source(columns={"x": "int"})

    first, second = make_table(tmp_path, source), make_table(tmp_path, source)

    assert warnings_of(first) == warnings_of(second)
    assert warnings_of(first)[0].startswith(
        "3 of 20 rows are rejects, most often because 'bad' is not an int (3); they lie in"
    )


def test_a_limit_that_is_lowered_is_met_though_nothing_is_new(tmp_path: Path) -> None:
    """What is declared counts in each run."""
    write_files(tmp_path, a_csv="x\n1\n1\nbad\n")
    make_table(tmp_path, files_source(columns={"x": "int"}))

    with pytest.raises(TableError, match=r"1 of 3 rows are rejects, .* and table.max_rejects is 0;"):
        make_table(tmp_path, files_source(columns={"x": "int"}, table={"max_rejects": 0}))


def test_a_file_that_gave_no_row_is_told(tmp_path: Path) -> None:
    """Its rows are few among those of all files."""
    write_files(tmp_path, a_csv="x\n" + "1\n" * 99, b_csv="x\nbad\n")

    table = make_table(tmp_path, files_source(columns={"x": "int"}))

    assert warnings_of(table)[0].startswith("inbox/b.csv gave none of its 1 row to the table: all are rejects; see")
