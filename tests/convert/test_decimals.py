"""Decimals are kept to the last digit, from Parquet to the table and what is said of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.parts.part import StoredPart
from tasks.convert.profile.profile import profile_table
from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rows, write_files


def write_decimals(root: Path, name: str, kind: pa.DataType, *values: str | None) -> None:
    """Write a Parquet file of decimals into the inbox."""
    (root / "inbox").mkdir(exist_ok=True)
    decimals = [None if value is None else Decimal(value) for value in values]
    pq.write_table(pa.table({"d": pa.array(decimals, kind)}), root / "inbox" / f"{name}.parquet")


def test_decimals_of_parquet_are_decimals_in_the_table(tmp_path: Path) -> None:
    """Their type is told with its digits, also of a file that has nothing but nulls."""
    write_decimals(tmp_path, "a", pa.decimal128(10, 2), "1.50", None)
    write_decimals(tmp_path, "b", pa.decimal128(10, 2), None)

    table = make_table(tmp_path, files_source())

    assert read_rows(tmp_path) == [{"d": Decimal("1.50")}, {"d": None}, {"d": None}]
    assert table.types == {"d": "decimal(10,2)"}
    assert {pq.read_schema(path).field("d").type for path in (tmp_path / "tables" / "rows").glob("*.parquet")} == {
        pa.decimal128(10, 2)
    }


def test_decimals_are_widened_over_files(tmp_path: Path) -> None:
    """Files of other digits, and of whole numbers, make a column that holds all of them; beside floats it is text."""
    write_decimals(tmp_path, "a", pa.decimal128(5, 2), "1.50")
    write_decimals(tmp_path, "b", pa.decimal128(8, 4), "0.0001")
    write_files(tmp_path, c_csv="d\n7\n")
    before = make_table(tmp_path, files_source())
    rows = read_rows(tmp_path)

    write_files(tmp_path, d_csv="d\n0.25\n")
    after = make_table(tmp_path, files_source())

    assert (rows, before.types) == (
        [{"d": Decimal(text)} for text in ("1.5000", "0.0001", "7.0000")],
        {"d": "decimal(23,4)"},
    )
    assert (after.types, after.rows_table) == ({"d": "string"}, 4)
    assert [row["d"] for row in read_rows(tmp_path)] == ["1.50", "0.0001", "7", "0.25"]


@pytest.mark.parametrize(("declared", "values"), [("float", [1.5, 2.0]), ("string", ["1.50", "2.00"]), ("int", [2])])
def test_decimals_become_what_is_declared(tmp_path: Path, declared: str, values: list[Any]) -> None:
    """A declared float takes them beside those of a CSV; what is no whole number is no int."""
    write_decimals(tmp_path, "a", pa.decimal128(5, 2), "1.50", "2.00")

    table = make_table(tmp_path, files_source(columns={"d": declared}))

    assert ([row["d"] for row in read_rows(tmp_path)], table.types) == (values, {"d": declared})


def test_checks_and_keys_know_decimals(tmp_path: Path) -> None:
    """A range, allowed values and unique rows are told of decimals."""
    write_decimals(tmp_path, "a", pa.decimal128(5, 2), "1.50", "0.10", "0.10")
    checks = [{"range": {"column": "d", "min": 0, "max": 2}}, {"allowed": {"column": "d", "values": [1.5, "0.1"]}}]

    table = make_table(tmp_path, files_source(key=["d"], checks=checks))

    assert (table.rows_table, table.rows_duplicate) == (2, 1)
    with pytest.raises(TableError, match=r"1 of 2 rows have a value in d above 1, e.g. d=1.50"):
        make_table(tmp_path, files_source(key=["d"], checks=[{"range": {"column": "d", "max": 1}}]), fresh=True)


def test_a_profile_tells_of_decimals(tmp_path: Path) -> None:
    """Their least, greatest and distribution are those of numbers."""
    write_decimals(tmp_path, "a", pa.decimal128(5, 2), "1.50", "0.10", None)
    make_table(tmp_path, files_source())
    (path,) = (tmp_path / "tables" / "rows").glob("*.parquet")

    (column,) = profile_table([StoredPart(path)], {"d": "decimal(5,2)"}, 3).columns

    assert (column.low, column.high, column.nulls, sum(column.bins)) == (Decimal("0.10"), Decimal("1.50"), 1, 2)
