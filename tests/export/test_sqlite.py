"""Tables in a database of SQLite: every value, in one transaction, and what else the database has stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.cli.main import run_command
from tests.tables.conftest import make, pipeline_of


def rows_in(file: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


def test_every_type_keeps_its_values(values: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What SQLite has no type for is text, as the command says of it."""
    file = values / "out.sqlite"

    assert run_command(["export", "things", str(file), "--data", str(values)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"3 rows of things to table things in {file}",
        "column large is DECIMAL(38,8), and is written as text: SQLite keeps 15 digits of a number",
    ]
    assert rows_in(file, "SELECT * FROM things") == [
        (
            *(1, 1, 9223372036854775807, 1.5, "0044-03-15", "2024-01-05 10:00:00.123456", "2024-01-05 08:00:00+00:00"),
            *("x\"y'z", -0.01, "123456789012345678901234567890.12345678"),
        ),
        (
            *(2, 0, -9223372036854775808, float("-inf"), "2024-02-29", "1500-01-01 00:00:00"),
            *("9999-12-31 23:59:59.999999+00:00", "", 99.99, "-0.00000001"),
        ),
        (3, *(None,) * 9),
    ]
    assert rows_in(file, "SELECT datetime(moment_utc), date(day) FROM things WHERE id = 1") == [
        ("2024-01-05 08:00:00", "0044-03-15")
    ]


def test_another_table_of_the_database_stays(values: Path) -> None:
    """A table joins those that are there, and is replaced alone where that is asked for."""
    file = values / "out.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE mine (x); INSERT INTO mine VALUES (7); CREATE TABLE things (old)")
    command = ["export", "rows", str(file), "--data", str(values), "--name", "things"]

    assert run_command(command) == 2
    assert rows_in(file, "SELECT * FROM things") == []
    assert run_command([*command, "--overwrite"]) == 0

    assert rows_in(file, "SELECT x FROM mine") == [(7,)]
    assert rows_in(file, "SELECT id, price FROM things") == [(1, 2.5), (2, None), (3, 4.0)]


@pytest.mark.parametrize(
    ("query", "name", "said"),
    [
        ("SELECT 'nan'::DOUBLE AS v", "new.db", "column v of table odd has NaN in 1 row, of which SQLite makes null"),
        ("SELECT 1 AS v", "text.db", "cannot be written: file is not a database; name another file, or remove it"),
        ("SELECT 1 AS v", "view.db", "use DROP VIEW to delete view odd; it is a view: name another table"),
    ],
)
def test_what_it_does_not_hold_is_one_sentence(
    data: Path, query: str, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is there is as it was."""
    make(data, pipeline_of(odd={"query": query}))
    (data / "text.db").write_text("no database, and longer than a header of one " * 30)
    with closing(sqlite3.connect(data / "view.db")) as connection:
        connection.execute("CREATE VIEW odd AS SELECT 1")

    assert run_command(["export", "odd", str(data / name), "--data", str(data), "--overwrite"]) != 0

    assert said in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in data.glob("*.db*")) == ["text.db", "view.db"]
    assert rows_in(data / "view.db", "SELECT * FROM odd") == [(1,)]
