"""Names that no table has beside others: those that differ by case alone, of which SQL takes one for the other, and those of provenance."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.config import QueryLimits
from tasks.convert.staging.bundle import MANY_FILES
from tasks.core.errors import ConfigError, TableError, TrainingError
from tasks.core.sql import opened_tables
from tasks.core.tables import find_alike
from tests.convert.conftest import api_source, files_source, land, make_table, read_rows, write_files
from tests.train.predicting import predict_file
from tests.train.publishing import judge


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (["t", "T"], ("t", "T")),
        (["id", "x", "Id"], ("id", "Id")),
        (["Größe", "größe"], ("Größe", "größe")),
        (["Ärger", "ärger", "ß", "SS", "k", "\u212a"], None),
        (["a", "b"], None),
    ],
)
def test_alike_is_what_sql_takes_for_one(names: list[str], alike: tuple[str, str] | None) -> None:
    """DuckDB folds the letters of ASCII, and no other."""
    assert find_alike(names) == alike


def test_two_columns_of_one_file_are_refused(tmp_path: Path) -> None:
    """Renaming one of them is the cure."""
    write_files(tmp_path, a_csv="t,T\n1,2\n")

    with pytest.raises(TableError, match=r"'t' \(in inbox/a.csv\) and 'T' \(in inbox/a.csv\) differ by case alone"):
        make_table(tmp_path, files_source())

    make_table(tmp_path, files_source(columns={"T": {"rename": "temperature"}}))
    assert read_rows(tmp_path) == [{"t": 1, "temperature": 2}]


def test_columns_of_two_files_are_refused(tmp_path: Path) -> None:
    """The files are named; where both are one column, renaming makes them one."""
    write_files(tmp_path, a_csv="id\n1\n", b_csv="ID\n2\n")

    with pytest.raises(
        TableError, match=r"'id' \(in inbox/a.csv\) and 'ID' \(in inbox/b.csv\) .*columns: {ID: {rename"
    ):
        make_table(tmp_path, files_source())

    make_table(tmp_path, files_source(columns={"ID": {"rename": "id"}}))
    assert read_rows(tmp_path) == [{"id": 1}, {"id": 2}]


def test_a_file_that_comes_later_is_refused(tmp_path: Path) -> None:
    """The table stays as it was."""
    write_files(tmp_path, a_csv="id\n1\n")
    make_table(tmp_path, files_source())
    write_files(tmp_path, b_jsonl='{"Id": 2}\n')

    with pytest.raises(TableError, match=r"'id' \(in inbox/a.csv\) and 'Id' \(in inbox/b.jsonl\)"):
        make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"id": 1}]


def test_records_of_an_api_are_refused(tmp_path: Path) -> None:
    """As files are."""
    land(tmp_path, api_source(key=[]), "all", '{"id": 1}', '{"ID": 2}')

    with pytest.raises(TableError, match=r"'id' .* and 'ID' .* differ by case alone"):
        make_table(tmp_path, api_source(key=[]))


def test_a_column_that_is_called_as_one_of_provenance_is_refused(tmp_path: Path) -> None:
    """The columns that Tidemill adds count too."""
    write_files(tmp_path, a_csv="_File\n1\n")

    with pytest.raises(TableError, match=r"'_File' .* and '_file' differ by case alone"):
        make_table(tmp_path, files_source(table={"provenance": True}))


def test_a_table_of_before_is_refused_in_sql(tmp_path: Path) -> None:
    """One that an earlier version has made."""
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.table({"t": [1], "T": [2]}), tmp_path / "rows" / "a.parquet")

    with (
        pytest.raises(TrainingError, match=r"table 'rows' has the columns 't' and 'T', .*; rename one of them"),
        opened_tables({"rows": tmp_path / "rows"}, tmp_path / "spill", QueryLimits()),
    ):
        pass


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_to_be_predicted_is_refused(tmp_path: Path, suffix: str) -> None:
    """The wrong one of the two would be predicted from."""
    tree = {"estimator": "sklearn.tree.DecisionTreeClassifier"}
    judge(tmp_path, {"t": list(range(100)), "y": [0, 1] * 50}, tree).decide()
    path = tmp_path / f"new.{suffix}"
    path.write_text("T,t\n1,2\n")
    if suffix == "parquet":
        pq.write_table(pa.table({"T": [1], "t": [2]}), path)

    with pytest.raises((ConfigError, TableError), match=r"'T' .*and 't' .*differ by case alone"):
        predict_file(tmp_path, path, tmp_path / "out.parquet")


@pytest.mark.parametrize("count", [1, MANY_FILES])
def test_a_column_that_provenance_would_add_is_told_by_its_file(tmp_path: Path, count: int) -> None:
    """Be it one of many that are joined."""
    write_files(tmp_path, **{f"f{number:03d}_csv": "_file,a\nx,1\n" for number in range(count)})

    with pytest.raises(TableError, match=r"inbox/f000.csv: has a column _file of its own, which provenance would add"):
        make_table(tmp_path, files_source(table={"provenance": True}))
