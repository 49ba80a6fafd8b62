"""Which of the rows with one key is kept, where a table is sorted or partitioned: that tells nothing of their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.convert.staging import file as conversion
from tests.convert.conftest import api_source, files_source, land, make_table, read_rows, write_files

FORMS: list[dict[str, Any]] = [{"sort_by": ["x"]}, {"partition_by": ["p"]}, {"partition_by": ["p"], "sort_by": ["x"]}]
ROWS = "id,p,x\n9,a,5\n1,b,9\n2,b,1\n1,a,5\n2,a,7\n"


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("keep", "kept"), [("last", {1: 5, 2: 7, 9: 5}), ("first", {1: 9, 2: 1, 9: 5})])
def test_the_order_is_that_of_the_file(tmp_path: Path, form: dict[str, Any], keep: str, kept: dict[int, int]) -> None:
    """Neither the order of a part nor that of its partitions decides."""
    write_files(tmp_path, a_csv=ROWS)

    table = make_table(tmp_path, files_source(key=["id"], keep=keep, table=form))

    assert table.rows_duplicate == 2
    assert {row["id"]: row["x"] for row in read_rows(tmp_path)} == kept


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_order_holds_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: dict[str, Any]) -> None:
    """Of a file that is converted in blocks the rows of a later block are later."""
    monkeypatch.setattr(conversion, "BLOCK_BYTES", 4096)
    rows = [f"{number % 10},{'ba'[number // 10 % 2]},{10_000 - number}" for number in range(3_000)]
    write_files(tmp_path, a_csv="id,p,x\n" + "\n".join(rows) + "\n")

    make_table(tmp_path, files_source(key=["id"], table=form))

    assert {row["id"]: row["x"] for row in read_rows(tmp_path)} == {n: 10_000 - 2_990 - n for n in range(10)}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_order_survives_other_types(tmp_path: Path, form: dict[str, Any]) -> None:
    """Parts that are cast to the types of later files keep it."""
    write_files(tmp_path, a_csv=ROWS, b_csv="id,p,x,more\n7,c,0.5,1\n")

    make_table(tmp_path, files_source(key=["id"], table=form))

    assert {row["id"]: row["x"] for row in read_rows(tmp_path)} == {1: 5, 2: 7, 9: 5, 7: 0.5}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_incremental_source_keeps_what_came_last(tmp_path: Path, form: dict[str, Any]) -> None:
    """A row that came again in one increment replaces the one before, and one of a later increment both."""
    source = api_source(incremental={"field": "t", "param": "since", "start": 0}, table=form)
    land(tmp_path, source, "all", '{"id":1,"t":1,"p":"b","x":9}', '{"id":1,"t":2,"p":"a","x":5}')
    make_table(tmp_path, source)
    assert [row["x"] for row in read_rows(tmp_path)] == [5]

    land(tmp_path, source, "all", '{"id":1,"t":3,"p":"b","x":7}', '{"id":1,"t":4,"p":"a","x":6}', number=1)
    make_table(tmp_path, source)

    assert [row["x"] for row in read_rows(tmp_path)] == [6]


def test_nothing_of_the_order_stays(tmp_path: Path) -> None:
    """The committed version holds its parts and its rejects alone, sorted."""
    write_files(tmp_path, a_csv=ROWS)

    make_table(tmp_path, files_source(key=["id"], table={"sort_by": ["x"]}))

    (version,) = (tmp_path / ".tables" / "rows").glob("0*")
    assert {path.name for path in version.iterdir()} == {"table", "rejects"}
    assert [(row["x"], list(row)) for row in read_rows(tmp_path)] == [(x, ["id", "p", "x"]) for x in (5, 5, 7)]
