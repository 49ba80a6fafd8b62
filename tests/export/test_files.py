"""Tables written to files: every row and value, all or nothing, and nothing that is there replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import pytest

from flows.cli.main import run_command
from tests.tables.conftest import make, pipeline_of, rows_of
from tests.thorough import KILLS, takes_minutes


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet", ".duckdb", ".xlsx"])
def test_a_file_has_the_rows_of_the_table(data: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its format."""
    file = data / f"out{suffix}"

    assert run_command(["export", "rows", str(file), "--data", str(data)]) == 0

    assert capsys.readouterr().out == f"3 rows of rows to {file}\n"
    with duckdb.connect(str(file) if suffix == ".duckdb" else ":memory:") as connection:
        match suffix:
            case ".xlsx":
                found = [
                    tuple(row) for row in openpyxl.load_workbook(file)["rows"].iter_rows(min_row=2, values_only=True)
                ]
            case ".duckdb":
                found = connection.execute("FROM rows").fetchall()
            case _:
                found = connection.execute(f"FROM '{file}'").fetchall()
    days = [day.date() if suffix == ".xlsx" else day for _, day, _, _ in found]
    expected = rows_of(data, "rows")
    assert [(i, day, price, word) for (i, _, price, word), day in zip(found, days, strict=True)] == [
        tuple(row.values()) for row in expected
    ]


def test_a_number_that_no_cell_holds_is_a_text(data: Path) -> None:
    """As a number it would be another one."""
    make(data, pipeline_of(big={"query": "SELECT 9007199254740993 AS n, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t"}))

    assert run_command(["export", "big", str(data / "big.xlsx"), "--data", str(data)]) == 0

    frame = pd.read_excel(data / "big.xlsx", dtype=str, engine="openpyxl")
    assert frame.to_dict("records") == [{"n": "9007199254740993", "t": "2024-01-01T00:00:00+00:00"}]


def test_a_cell_holds_what_the_table_does(data: Path) -> None:
    """A text that Excel would take for a formula or an error is a text, and so is a number that a cell would round."""
    query = "SELECT '=1+1' AS f, '#N/A' AS e, 'nan'::DOUBLE AS n, 123456789012345.67::DECIMAL(20, 2) AS d, 1.5 AS x"
    make(data, pipeline_of(odd={"query": query}))

    assert run_command(["export", "odd", str(data / "odd.xlsx"), "--data", str(data)]) == 0

    _, row = openpyxl.load_workbook(data / "odd.xlsx").active
    assert [cell.value for cell in row] == ["=1+1", "#N/A", "nan", "123456789012345.67", 1.5]
    assert [cell.data_type for cell in row] == ["s", "s", "s", "s", "n"]


def test_a_character_that_no_cell_holds_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no file is left."""
    make(data, pipeline_of(odd={"query": "SELECT chr(1) AS c"}))

    assert run_command(["export", "odd", str(data / "odd.xlsx"), "--data", str(data)]) == 2

    assert "has a character that no cell of Excel holds; write .csv, or .parquet" in capsys.readouterr().err
    assert not (data / "odd.xlsx").exists()


@pytest.mark.parametrize(
    ("table", "name", "said"),
    [
        ("row", "out.csv", "has no table 'row'; did you mean rows?"),
        ("rows", "out.pdf", "does not say its format; end its name in one of .csv,"),
        (
            "rows",
            "there.csv",
            "is there already, and an export replaces nothing that it has not written; remove it, name another, or add --overwrite",
        ),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    data: Path, table: str, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is there stays."""
    (data / "there.csv").write_text("mine")

    assert run_command(["export", table, str(data / name), "--data", str(data)]) == 2

    assert said in " ".join(capsys.readouterr().err.split())
    assert (data / "there.csv").read_text() == "mine"


def test_an_export_that_is_interrupted_is_one_sentence(data: Path) -> None:
    """By Ctrl-C, within the query or beside it."""
    make(data, pipeline_of(many={"query": "SELECT range AS n, random() AS x FROM range(3000000)"}))
    file = data / "many.csv"
    command = [sys.executable, "-m", "flows", "export", "many", str(file), "--data", str(data)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        while process.poll() is None and not list(data.glob(".many.csv.*.part")):
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]

    assert said == "error: interrupted; what is finished is kept, run the command again to go on\n"
    assert process.returncode == 130
    assert not list(data.glob("*many.csv*"))


@takes_minutes("it is a process a kill")
def test_an_export_that_is_killed_leaves_no_half_of_a_file(data: Path) -> None:
    """At whatever moment: the file is whole, or not there, and the next export writes it."""
    make(data, pipeline_of(many={"query": "SELECT range AS n FROM range(400000)"}))
    file, whole = data / "many.csv", 0
    command = [sys.executable, "-m", "flows", "export", "many", str(file), "--data", str(data)]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds, size = time.monotonic() - start, file.stat().st_size
    for number in range(KILLS):
        file.unlink(missing_ok=True)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
            time.sleep(seconds * (0.5 + number / KILLS / 2))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        whole += file.exists()
        assert not file.exists() or file.stat().st_size == size

    file.unlink(missing_ok=True)
    assert whole < KILLS
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert file.stat().st_size == size
    assert not list(data.glob(".many.csv*"))


@pytest.mark.parametrize("pid", ["dead", "ours"])
def test_the_log_of_a_killed_export_to_duckdb_is_removed(data: Path, pid: str) -> None:
    """DuckDB has it beside the file, from a commit on until it is written into it; of a process of our number, too."""
    killed = (
        "import duckdb, os, sys\n"
        "name = f'.out.duckdb.{sys.argv[1] or os.getpid()}.part'\n"
        "duckdb.execute(f\"ATTACH '{name}' AS made; CREATE TABLE made.rows AS SELECT 7 AS old\")\n"
        "os.kill(os.getpid(), 9)"
    )
    number = str(os.getpid()) if pid == "ours" else ""
    subprocess.run([sys.executable, "-c", killed, number], cwd=data, check=False)
    assert [path.suffix for path in sorted(data.glob(".out.duckdb.*"))] == [".part", ".wal"]

    assert run_command(["export", "rows", str(data / "out.duckdb"), "--data", str(data)]) == 0

    assert [path.name for path in data.glob("*out.duckdb*")] == ["out.duckdb"]
    with duckdb.connect(str(data / "out.duckdb")) as connection:
        assert len(connection.execute("FROM rows").fetchall()) == 3
