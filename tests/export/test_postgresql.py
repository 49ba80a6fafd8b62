"""Tables in a real PostgreSQL: every value, replaced in one transaction, and no password in what is told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.cli.main import run_command
from tasks.core.errors import ExportError
from tasks.export.postgresql import PostgresqlTarget
from tests.postgresql import PASSWORD, Postgresql, needs_postgresql
from tests.tables.conftest import make, pipeline_of

pytestmark = needs_postgresql


@pytest.fixture(autouse=True)
def _schema(postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an empty schema, and the password where PostgreSQL's own programs look for it."""
    postgresql.query("DROP SCHEMA IF EXISTS public CASCADE")
    postgresql.query("CREATE SCHEMA public")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


def test_every_type_keeps_its_values(values: Path, postgresql: Postgresql, capsys: pytest.CaptureFixture[str]) -> None:
    """As the type of PostgreSQL that means the same."""
    assert run_command(["export", "things", postgresql.address(), "--data", str(values)]) == 0

    assert capsys.readouterr().out == f"3 rows of things to table things in {postgresql.address()}\n"
    types = "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = 'things'"
    assert dict(postgresql.query(types)) == {
        "id": "bigint",
        "flag": "boolean",
        "whole": "bigint",
        "part": "double precision",
        "day": "date",
        "moment": "timestamp without time zone",
        "moment_utc": "timestamp with time zone",
        "Some word": "text",
        "small": "numeric",
        "large": "numeric",
    }
    assert postgresql.query(
        'SELECT id, flag, whole, part, day, moment::text, moment_utc, "Some word" FROM things ORDER BY id'
    ) == [
        (
            *(1, True, 9223372036854775807, 1.5, dt.date(44, 3, 15), "2024-01-05 10:00:00.123456"),
            *(dt.datetime(2024, 1, 5, 8, tzinfo=dt.UTC), "x\"y'z"),
        ),
        (
            *(2, False, -9223372036854775808, float("-inf"), dt.date(2024, 2, 29), "1500-01-01 00:00:00"),
            *(dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC), ""),
        ),
        (3, *(None,) * 7),
    ]
    assert postgresql.query("SELECT small::text, large::text FROM things ORDER BY id") == [
        ("-0.01", "123456789012345678901234567890.12345678"),
        ("99.99", "-0.00000001"),
        (None, None),
    ]


def test_nan_and_lists_are_kept(data: Path, postgresql: Postgresql, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN is a number there; a list, which a table of another program may have, is its text, as is told."""
    (data / "tables" / "odd").mkdir(parents=True)
    pq.write_table(pa.table({"v": [float("nan")], "list": [[1, 2]]}), data / "tables" / "odd" / "part.parquet")

    assert run_command(["export", "odd", postgresql.address(), "--data", str(data)]) == 0

    assert capsys.readouterr().out.splitlines()[1:] == ["column list is BIGINT[], and is written as text, its JSON"]
    assert postgresql.query("SELECT v::text, list FROM odd") == [("NaN", "[1,2]")]


def test_a_table_that_is_there_is_replaced_where_that_is_asked_for(values: Path, postgresql: Postgresql) -> None:
    """In the schema that its name says, and nothing else is left there."""
    postgresql.query("CREATE SCHEMA reports")
    postgresql.query("CREATE TABLE reports.things (old int)")
    command = ["export", "rows", postgresql.address(), "--data", str(values), "--name", "reports.things"]

    assert run_command(command) == 2
    assert run_command([*command, "--overwrite"]) == 0

    assert postgresql.query("SELECT id, price FROM reports.things ORDER BY id") == [(1, 2.5), (2, None), (3, 4.0)]
    tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema IN ('public', 'reports')"
    assert postgresql.query(tables) == [("things",)]
    postgresql.query("DROP SCHEMA reports CASCADE")


@pytest.mark.parametrize(
    ("query", "arguments", "said"),
    [
        ("SELECT 'a' || chr(0) AS v", (), 'invalid byte sequence for encoding "UTF8": 0x00; take the character out'),
        (f"SELECT 1 AS {'v' * 64}", (), "has a name of more than 63 bytes, which PostgreSQL cuts; rename it"),
        (
            "SELECT '-infinity'::TIMESTAMP AS v",
            (),
            "Error occurred writing COPY data; see that the server is still there",
        ),
        ("SELECT DATE '5000-01-01 (BC)' AS v", (), "date out of range; PostgreSQL holds no such time: take it out"),
        ("SELECT 1 AS ctid", (), 'column name "ctid" conflicts with a system column name; see what the server says'),
        ("SELECT 1 AS v", ("--name", "none.odd"), 'schema "none" does not exist; make the schema, or correct its name'),
        ("SELECT 1 AS v", ("--name", "seen"), "cannot drop table seen because other objects depend on it; drop what"),
        ("SELECT 1 AS v", ("--name", "view"), '"view" is not a table; it is no table: name another one'),
    ],
)
def test_what_it_does_not_take_is_one_sentence(
    data: Path,
    postgresql: Postgresql,
    query: str,
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And what is there is as it was."""
    make(data, pipeline_of(odd={"query": query}))
    postgresql.query("CREATE TABLE seen (x int)")
    postgresql.query("CREATE VIEW view AS SELECT * FROM seen")

    assert run_command(["export", "odd", postgresql.address(), "--data", str(data), "--overwrite", *arguments]) != 0

    error = " ".join(capsys.readouterr().err.split())
    assert said in error
    assert error.count("error:") == 1
    tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    assert postgresql.query(tables) == [("seen",), ("view",)]


def test_a_server_that_refuses_is_one_sentence(
    data: Path, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong password is not told, and neither is one that stands in the address."""
    address = postgresql.address()
    places = {
        address: 'password authentication failed for user "tide"; see that the address, the user and the password',
        postgresql.address("none"): "password authentication failed",
        address.replace(f":{postgresql.port}", ":1"): "Connection refused; see that the address",
        address.replace(
            "tide@", "tide:wr0ng-p4ss@"
        ): "to holds a secret, and would be stored with the run; write password",
        f"{address}?password=wr0ng-p4ss": "to holds a secret, and would be stored with the run; write password",
        address.replace("postgresql:", "mysql:"): "is an address that no table is written to; end its name in one of",
    }
    monkeypatch.setenv("PGPASSWORD", "wr0ng-p4ss")
    for place, said in places.items():
        assert run_command(["export", "rows", place, "--data", str(data)]) in (1, 2)

        error = " ".join(capsys.readouterr().err.split())
        assert said in error
        assert "wr0ng-p4ss" not in error
        assert error.count("error:") == 1


def test_a_password_that_the_driver_repeats_is_hidden() -> None:
    """It tells a broken address as a whole, with the password as an address writes it."""
    target = PostgresqlTarget("postgresql://me@[::1]x/db", "t", PASSWORD)

    with pytest.raises(ExportError) as raised:
        target.state()

    assert "&password=***" in str(raised.value)
    assert "s3cr" not in str(raised.value)
