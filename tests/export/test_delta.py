"""Delta tables: every value, each export one commit, and nothing that is there replaced unasked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from flows.cli.main import run_command
from tests.tables.conftest import make, pipeline_of, rows_of


def rows_in(folder: Path) -> list[dict[str, object]]:
    """Return the rows of a Delta table."""
    return list(DeltaTable(folder).to_pyarrow_table().to_pylist())


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
