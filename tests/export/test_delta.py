"""Delta tables: every value, each export one commit, and nothing that is there replaced unasked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from flows.cli.main import run_command
from tasks.export.delta import DeltaTarget
from tests.tables.conftest import make, pipeline_of, rows_of


def rows_in(folder: Path) -> list[dict[str, object]]:
    """Return the rows of a Delta table."""
    return list(DeltaTable(folder).to_pyarrow_table().to_pylist())


def greatest(folder: Path) -> object:
    """Return the greatest value of the column `v` that the table's log tells of its one file; None if it tells none."""
    return pa.table(DeltaTable(folder).get_add_actions(flatten=True)).to_pylist()[0].get("max.v")


def test_every_type_keeps_its_values(values: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Delta has them all."""
    folder = values / "lake" / "things"

    assert run_command(["export", "things", f"delta:{folder}", "--data", str(values)]) == 0

    assert capsys.readouterr().out == f"3 rows of things to Delta table {folder}\n"
    assert rows_in(folder) == rows_of(values, "things")
    assert rows_in(folder)[0]["large"] == Decimal("123456789012345678901234567890.12345678")
    assert {field.name: str(field.type.type) for field in DeltaTable(folder).schema().fields} == {
        "id": "long",
        "flag": "boolean",
        "whole": "long",
        "part": "double",
        "day": "date",
        "moment": "timestamp_ntz",
        "moment_utc": "timestamp",
        "Some word": "string",
        "small": "decimal(4,2)",
        "large": "decimal(38,8)",
    }


def test_a_table_that_is_there_gets_another_version(values: Path) -> None:
    """Where that is asked for; the version before can still be read."""
    folder = values / "lake"
    before = pa.table({"old": ["x"]})
    write_deltalake(folder, before)
    command = ["export", "rows", f"delta:{folder}", "--data", str(values)]

    assert run_command(command) == 2
    assert run_command([*command, "--overwrite"]) == 0

    assert rows_in(folder) == rows_of(values, "rows")
    assert DeltaTable(folder, version=0).to_pyarrow_table().to_pylist() == before.to_pylist()


@pytest.mark.parametrize("there", [False, True])
def test_filters_find_rows_beside_odd_values(values: Path, there: bool) -> None:
    """An infinity, or a decimal of many digits, hides no other row of its file."""
    folder = values / "lake"
    if there:
        write_deltalake(folder, pa.table({"old": [1.0]}))

    assert run_command(["export", "things", f"delta:{folder}", "--data", str(values), "--overwrite"]) == 0

    table = DeltaTable(folder)
    for name, sign, value in (
        ("part", ">", 0.0),
        ("part", "=", float("-inf")),
        ("large", "=", Decimal("123456789012345678901234567890.12345678")),
        ("large", "<", Decimal(0)),
    ):
        assert table.to_pyarrow_table(filters=[(name, sign, value)]).num_rows == 1


@pytest.mark.parametrize(
    "query",
    ["SELECT 1 AS v, 'nan'::DOUBLE AS odd", "SELECT 1 AS v, 12345678901234567.5::DECIMAL(19, 2) AS odd"],
    ids=["nan", "decimal"],
)
def test_files_are_skipped_by_bounds_that_json_can_hold(data: Path, query: str) -> None:
    """Only a table with others has none, and what says so of a table makes it no other writer's."""
    folder = data / "lake"
    command = ["export", "one", f"delta:{folder}", "--data", str(data), "--overwrite"]

    make(data, pipeline_of(one={"query": "SELECT 1 AS v, 1.5::DECIMAL(38, 2) AS price, 2.5::DOUBLE AS part"}))
    assert run_command(command) == 0
    assert greatest(folder) == 1

    make(data, pipeline_of(one={"query": query}))
    assert run_command(command) == 0
    assert greatest(folder) is None

    state = DeltaTarget(folder).state()
    DeltaTable(folder).alter.set_table_properties({"delta.logRetentionDuration": "interval 60 days"})
    assert DeltaTarget(folder).state() == state


def test_a_folder_of_other_files_stays(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is asked for."""
    make(data, pipeline_of(one={"query": "SELECT 1 AS v"}))
    (data / "mine").mkdir()
    (data / "mine" / "file").write_text("x")

    assert run_command(["export", "one", f"delta:{data / 'mine'}", "--data", str(data), "--overwrite"]) == 1

    assert "is a folder of other files; move them away, or name another folder" in " ".join(
        capsys.readouterr().err.split()
    )
    assert [path.name for path in (data / "mine").iterdir()] == ["file"]
