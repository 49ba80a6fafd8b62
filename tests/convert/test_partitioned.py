"""A partitioned table: every reader finds its columns in the types they have."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.convert.conftest import files_source, make_table, read_rows, write_files

VALUES: dict[str, tuple[str, list[Any]]] = {
    "codes": ("string", ["01", "02"]),
    "texts": ("string", ["a b/c", "50%", "ü", "null", "__HIVE_DEFAULT_PARTITION__", "_x", ".x", "x=1", None]),
    "long": ("string", ["a" * 300, "a" * 299 + "b"]),
    "numbers": ("int", [1, 2**40, -3, None]),
    "floats": ("float", [0.5, -0.0, 1e300, None]),
    "truths": ("bool", [True, False, None]),
    "days": ("date", [date(2026, 1, 2), None]),
    "moments": ("timestamp", [datetime(2026, 1, 2, 3, 4, 5), None]),  # noqa: DTZ001 - as the table has it
}


def partitioned(root: Path, kind: str, values: list[Any], column: str = "p") -> Path:
    """Return the folder of a table of a row a value, partitioned by them."""
    (root / "inbox").mkdir(parents=True)
    rows = pd.DataFrame({"n": range(len(values)), column: pd.Series(values, dtype=object)})
    rows.to_csv(root / "inbox" / "a.csv", index=False)
    source = files_source(table={"partition_by": [column]}, columns={column: kind})
    assert make_table(root, source).rows_table == len(values)
    return root / "tables" / "rows"


@pytest.mark.parametrize(("kind", "values"), VALUES.values(), ids=VALUES.keys())
def test_readers_give_a_column_of_folders_in_its_type(tmp_path: Path, kind: str, values: list[Any]) -> None:
    """Pandas, pyarrow, a dataset of hive folders and DuckDB give the value that the file had: 01 is no 1."""
    folder = partitioned(tmp_path, kind, values)

    read = {
        "pandas": pa.Table.from_pandas(pd.read_parquet(folder, dtype_backend="pyarrow"), preserve_index=False),
        "pyarrow": pq.read_table(folder),
        "dataset": ds.dataset(folder, partitioning="hive").to_table(),
        "duckdb": duckdb.read_parquet(f"{folder}/**/*.parquet").to_arrow_table(),
    }

    expected = pq.ParquetFile(next(folder.rglob("*.parquet"))).schema_arrow.field("p").type
    for reader, table in read.items():
        assert (reader, table.sort_by("n")["p"].to_pylist()) == (reader, values)
        assert table.schema.names == ["n", "p"]
        assert table.schema.field("p").type == expected or reader == "pandas"


@pytest.mark.parametrize("column", ["_hidden", ".p", "a/b", "%", "n=1", "select"])
def test_any_column_may_partition(tmp_path: Path, column: str) -> None:
    """Readers pass over folders that begin with _ or a dot; these do not."""
    folder = partitioned(tmp_path, "string", ["x", "y", None], column)

    assert sorted(pd.read_parquet(folder)["n"]) == [0, 1, 2]


def test_a_null_an_empty_text_and_their_names_lie_apart(tmp_path: Path) -> None:
    """JSON tells an empty text from a null."""
    write_files(tmp_path, a_jsonl='{"n": 1, "p": ""}\n{"n": 2, "p": null}\n{"n": 3, "p": "null"}\n{"n": 4}\n')

    make_table(tmp_path, files_source(table={"partition_by": ["p"]}))

    rows = sorted((row["n"], row["p"]) for row in read_rows(tmp_path))
    assert rows == [(1, ""), (2, None), (3, "null"), (4, None)]
    assert {path.name for path in (tmp_path / "tables" / "rows").glob("*/")} == {"p", "p-", "p-null"}


def test_every_column_may_partition_together(tmp_path: Path) -> None:
    """The parts hold all of them."""
    write_files(tmp_path, a_csv="a,b\n1,x\n2,x\n")

    make_table(tmp_path, files_source(table={"partition_by": ["a", "b"]}))

    assert read_rows(tmp_path) == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]


def test_a_table_of_no_rows_may_be_partitioned(tmp_path: Path) -> None:
    """A file of a header alone leaves its columns."""
    write_files(tmp_path, a_csv="a,b\n")

    table = make_table(tmp_path, files_source(table={"partition_by": ["b"]}, columns={"a": "int", "b": "string"}))

    assert (table.rows_table, pq.read_table(tmp_path / "tables" / "rows").num_rows) == (0, 0)
