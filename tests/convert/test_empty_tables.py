"""Tables without a row: of the declared columns, or none yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tasks.core.tables import is_table, parts_as_sql
from tests.convert.conftest import api_source, files_source, land, make_table, read_rows, write_files

DECLARED = {"id": "int", "at": "timestamp", "name": {"rename": "called"}}


def read_described(root: Path) -> list[tuple[Any, ...]]:
    """Return the columns of the table and their types, as DuckDB has them."""
    described = duckdb.execute(f"DESCRIBE SELECT * FROM {parts_as_sql(root / 'tables' / 'rows')}").fetchall()  # noqa: S608 - our own path
    return [row[:2] for row in described]


def test_a_source_of_nothing_is_a_table_of_what_is_declared(tmp_path: Path) -> None:
    """DuckDB and pandas open it, and it has no row."""
    source = api_source(columns=DECLARED)
    land(tmp_path, source, "all")

    table = make_table(tmp_path, source)

    assert read_described(tmp_path) == [("id", "BIGINT"), ("at", "TIMESTAMP"), ("called", "VARCHAR")]
    assert pd.read_parquet(tmp_path / "tables" / "rows").shape == (0, 3)
    assert table.types == {"id": "int", "at": "timestamp", "called": "string"}


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_a_table_of_what_is_declared(tmp_path: Path, content: str) -> None:
    """The same of files; the rows that come have the same columns."""
    write_files(tmp_path, a_csv=content)
    source = files_source(columns={"id": "int"}, key=["id"])

    before = make_table(tmp_path, source)
    again = make_table(tmp_path, source)
    write_files(tmp_path, b_csv="id\n1\n")
    after = make_table(tmp_path, source)

    assert (before.types, again.files_read, after.rows_table) == ({"id": "int"}, 0, 1)
    assert read_described(tmp_path) == [("id", "BIGINT")]


def test_what_has_no_column_is_no_table_yet(tmp_path: Path) -> None:
    """No part lies there that a reader could not open; with the first row it is a table."""
    source = api_source("EWR", "JFK")
    land(tmp_path, source, "origin=EWR")
    nothing = make_table(tmp_path, source, allow_partial=True)
    before = is_table(tmp_path / "tables" / "rows")
    again = make_table(tmp_path, source, allow_partial=True)

    land(tmp_path, source, "origin=JFK", '{"id": 1}')
    make_table(tmp_path, source)

    assert (nothing.types, nothing.files, again.files_read, before) == ({}, 1, 0, False)
    assert read_described(tmp_path) == [("id", "BIGINT")]


def test_an_empty_file_takes_whatever_type_the_others_have(tmp_path: Path) -> None:
    """Its part had the type of the table before, from which there is no cast: dates, and now numbers."""
    write_files(tmp_path, a_csv="id,x\n1,2013-01-01\n", b_csv="")
    make_table(tmp_path, files_source(key=["id"]))

    write_files(tmp_path, a_csv="id,x\n1,1.5\n")
    table = make_table(tmp_path, files_source(key=["id"]))

    assert (table.types, read_rows(tmp_path)) == ({"id": "int", "x": "float"}, [{"id": 1, "x": 1.5}])


def test_an_empty_file_of_lists_whose_first_line_has_the_names_has_no_row(tmp_path: Path) -> None:
    """It ended convert with an IndexError."""
    write_files(tmp_path, a_jsonl="", b_jsonl='["x"]\n[1]\n')

    table = make_table(tmp_path, files_source(read={"names": "first"}))

    assert (table.files, table.rows_table, dict(table.types)) == (2, 1, {"x": "int"})
