"""Declared nulls: one that is a number means that number, whatever the format and however it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.convert.conftest import files_source, make_table, read_rows


def write(path: Path, values: list[Any]) -> None:
    """Write the column v in the format that the file's name tells."""
    path.parent.mkdir()
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"v": values}), path)
    elif path.suffix == ".csv":
        path.write_text("id,v\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values)))
    elif path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        assert book.active is not None
        for row in [["id", "v"], *enumerate(values)]:
            book.active.append(list(row))
        book.save(path)
    else:
        path.write_text("".join(json.dumps({"v": value}) + "\n" for value in values))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.xlsx"])
@pytest.mark.parametrize("null", ["-999", "-999.0", "-999.00"])
@pytest.mark.parametrize("value", [-999, -999.0])
@pytest.mark.parametrize("kind", [None, "float"])
def test_a_number_means_that_number(tmp_path: Path, name: str, null: str, value: float, kind: str | None) -> None:
    """With decimals or without, in the file as in what is declared."""
    write(tmp_path / "inbox" / name, [value, type(value)(7), type(value)(-9990)])

    make_table(tmp_path, files_source(columns={"v": {"nulls": [null], **({"type": kind} if kind else {})}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, 7, -9990]


@pytest.mark.parametrize(
    ("null", "kept"),
    [
        ("999", ["0999", "9990", "+999", "999a"]),
        ("99.5", ["99.05", "995", "99.55"]),
        ("9007199254740993", ["9007199254740992"]),
    ],
)
def test_another_number_or_name_stays(tmp_path: Path, null: str, kept: list[str]) -> None:
    """Names that look like a number are none, and a float's neighbour is another number."""
    write(tmp_path / "inbox" / "a.csv", [null, *kept])

    make_table(tmp_path, files_source(columns={"v": {"nulls": [null], "type": "string"}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, *kept]


def test_a_decimal_comma_is_one_too(tmp_path: Path) -> None:
    """In a file with decimal commas the number is written with one."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_text("id;v\n1;-999,0\n2;1,5\n3;-99,95\n")

    make_table(tmp_path, files_source(columns={"v": {"nulls": ["-999", "-99.95"]}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, 1.5, None]


def test_a_cell_of_text_that_means_null_makes_no_texts(tmp_path: Path) -> None:
    """Among the numbers of a workbook it is null, however it is written."""
    write(tmp_path / "inbox" / "a.xlsx", ["-999.0", 1, 2.5, "NA"])

    make_table(tmp_path, files_source(columns={"v": {"nulls": ["-999"]}}))

    assert [row["v"] for row in read_rows(tmp_path)] == [None, 1, 2.5, None]
