"""Tables as convert leaves them: a query over them sees each row and column, wherever the data folder lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.config import QueryLimits
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.sql import opened_tables
from tasks.core.storage import DataFolder
from tasks.train.data.query import read_result, run_query
from tests.convert.conftest import files_source, make_table, write_files

ROWS = "n,code,day,ok\n1,01,2026-01-02,true\n2,02,2026-01-03,false\n3,,,\n"
COLUMNS = {"code": "string", "day": "date", "ok": "bool"}


def query(root: Path, sql: str = "SELECT * FROM rows") -> pa.Table:
    """Return the result of SQL over the tables of a data folder."""
    tables = DataFolder.at(root).tables()
    with opened_tables(tables, root / "spill", QueryLimits()) as connection:
        run_query(connection, sql, tables)
        return read_result(connection, 100).read_all()


@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_part_is_told_with_its_cure(tmp_path: Path, number: int) -> None:
    """It is the part's path that is told, not the SQL, whichever of the table's parts it is."""
    write_files(tmp_path, a_csv=ROWS, b_csv=ROWS)
    make_table(tmp_path, files_source(columns=COLUMNS, table={"partition_by": ["ok"]}))
    part = sorted((tmp_path / "tables" / "rows").rglob("*.parquet"))[number]
    part.write_bytes(part.read_bytes()[:-20])

    with pytest.raises(
        TrainingError, match=rf"{part.name}: cannot be read \(.*\); run convert again: it makes it anew"
    ):
        query(tmp_path)


@pytest.mark.parametrize("by", [[], ["code"], ["day"], ["ok", "code"], ["n", "code", "day", "ok"]], ids=str)
def test_a_partitioned_table_is_a_table(tmp_path: Path, by: list[str]) -> None:
    """The same rows, columns and types, by whatever columns the rows lie."""
    write_files(tmp_path, a_csv=ROWS)
    make_table(tmp_path, files_source(columns=COLUMNS, table={"partition_by": by}))

    read = query(tmp_path)

    assert read.to_pydict() == {
        "n": [1, 2, 3],
        "code": ["01", "02", None],
        "day": [
            pa.scalar("2026-01-02").cast(pa.date32()).as_py(),
            pa.scalar("2026-01-03").cast(pa.date32()).as_py(),
            None,
        ],
        "ok": [True, False, None],
    }


@pytest.mark.parametrize(
    "name", ["env=prod", "n=5", "year=2026/month=01", "a[1]", "a*b", "q?", "it's", "{a,b}", "100%", "a b", "ünï"]
)
def test_a_data_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """No folder above a table makes a column of it, and no letter of a path is a pattern."""
    root, other = tmp_path / name, tmp_path / "a1"
    for folder, rows in ((root, ROWS), (other, "n,code,day,ok\n9,9,2026-01-01,true\n")):
        folder.mkdir(parents=True)
        write_files(folder, a_csv=rows)
        make_table(folder, files_source(columns=COLUMNS, table={"partition_by": ["code"]}))

    read = query(root)

    assert read.column_names == ["n", "code", "day", "ok"]
    assert read["n"].to_pylist() == [1, 2, 3]


def test_a_path_with_a_backslash_is_refused(tmp_path: Path) -> None:
    """DuckDB takes it for another folder."""
    with pytest.raises(ConfigError, match=r"a\\b: has a backslash, .*; choose another data folder"):
        DataFolder.at(tmp_path / "a\\b")


def test_a_table_of_no_rows_is_a_table(tmp_path: Path) -> None:
    """Its columns are those of its parts."""
    write_files(tmp_path, a_csv="n,code\n")
    make_table(tmp_path, files_source(columns={"n": "int", "code": "string"}, table={"partition_by": ["code"]}))

    read = query(tmp_path)

    assert (read.num_rows, read.column_names) == (0, ["n", "code"])


@pytest.mark.parametrize("name", ["select", "order", "training_set", "a-b", "rows"])
def test_a_table_may_be_called_as_sql_calls_something(tmp_path: Path, name: str) -> None:
    """It is quoted in the query, as every such name is."""
    write_files(tmp_path, a_csv=ROWS)
    make_table(tmp_path, files_source(columns=COLUMNS))
    (tmp_path / "tables" / "rows").rename(tmp_path / "tables" / name)

    assert query(tmp_path, f'SELECT n FROM "{name}"')["n"].to_pylist() == [1, 2, 3]  # noqa: S608 - our own name


def test_a_column_that_no_part_has_is_told(tmp_path: Path) -> None:
    """With the tables that are there."""
    write_files(tmp_path, a_csv=ROWS)
    make_table(tmp_path, files_source(table={"partition_by": ["code"]}))
    said: Any = r"cod.*its tables are rows"

    with pytest.raises(TrainingError, match=said):
        query(tmp_path, "SELECT cod FROM rows")
