"""The export stage: what stands is left, what is not its own is not replaced, and what fails is told."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from deltalake import DeltaTable
from prefect.blocks.system import Secret

from flows.cli.main import run_command
from flows.export import export
from tasks.config import Pipeline, load_pipeline
from tasks.core.errors import StageError
from tasks.export.job import Exported
from tests.postgresql import PASSWORD, Postgresql, needs_postgresql
from tests.tables.conftest import make

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

Write = Callable[..., Pipeline]
TWO_ROWS = "SELECT * FROM rows WHERE id < 3 ORDER BY id"


def run(config: Pipeline, data: Path, *, fresh: bool = False) -> list[bool]:
    """Make the tables and run the stage; return of each target whether it was written."""
    make(data, config)
    outcomes = asyncio.run(export(config, data, fresh))
    return [isinstance(each, Exported) and each.written for each in outcomes]


def test_what_stands_is_written_again_when_its_rows_change(data: Path, written: Write) -> None:
    """And then in place of what the stage has written itself; otherwise it is left."""
    targets = "  things: [out/things.csv, out/all.sqlite, {to: out/all.sqlite, table: more}, 'delta:out/lake']"
    config = written(targets)

    assert run(config, data) == [True] * 4
    before = {path: path.stat().st_mtime_ns for path in (data / "out").rglob("*") if path.is_file()}
    assert run(config, data) == [False] * 4
    assert {path: path.stat().st_mtime_ns for path in (data / "out").rglob("*") if path.is_file()} == before
    assert run(config, data, fresh=True) == [True] * 4
    assert run(config, data) == [False] * 4
    assert run(written(targets, TWO_ROWS), data) == [True] * 4

    assert (data / "out" / "things.csv").read_text().splitlines()[1:] == ["1,2024-01-05,2.5,a", "2,2024-02-06,,b"]
    with closing(sqlite3.connect(data / "out" / "all.sqlite")) as connection:
        assert connection.execute("SELECT (SELECT count(*) FROM things), (SELECT count(*) FROM more)").fetchall() == [
            (2, 2)
        ]
    assert DeltaTable(data / "out" / "lake").to_pyarrow_table().num_rows == 2


def test_two_tables_in_one_database_are_known_by_themselves(data: Path) -> None:
    """By their own names, where none is declared."""
    path = data / "pipeline.yaml"
    path.write_text(
        "name: made\nsources:\n  rows: {kind: files, path: inbox/*}\n"
        "tables:\n  some: {query: SELECT id FROM rows}\n  others: {query: SELECT id FROM rows}\n"
        "export:\n  some: all.sqlite\n  others: all.sqlite\n"
    )
    config = load_pipeline(path)

    assert run(config, data) == [True, True]
    assert run(config, data) == [False, False]


def test_a_copy_is_what_it_was(data: Path, written: Write) -> None:
    """Another time alone makes no other file of it."""
    config = written("  things: out/things.csv")
    run(config, data)
    shutil.copyfile(data / "out" / "things.csv", data / "copy.csv")
    (data / "copy.csv").replace(data / "out" / "things.csv")

    assert run(config, data) == [False]


def test_what_is_gone_is_written_again(data: Path, written: Write) -> None:
    """A run that succeeds means that it is there."""
    config = written("  things: out/things.csv")

    assert run(config, data) == [True]
    (data / "out" / "things.csv").rename(data / "taken.csv")

    assert run(config, data) == [True]
    assert (data / "out" / "things.csv").read_text() == (data / "taken.csv").read_text()


@pytest.mark.parametrize("target", ["out/things.csv", "out/all.db", "delta:out/lake"])
def test_what_another_has_changed_stays(data: Path, written: Write, target: str) -> None:
    """An error that says so, unless it may be overwritten."""
    config = written(f"  things: {target}")
    run(config, data)
    match target:
        case "out/all.db":
            with closing(sqlite3.connect(data / target)) as connection:
                connection.executescript("DROP TABLE things; CREATE TABLE things (mine)")
        case "out/things.csv":
            (data / target).write_text("mine")
        case _:
            DeltaTable(data / "out" / "lake").delete("id = 1")

    with pytest.raises(StageError, match="is there already, and an export replaces nothing that it has not written"):
        run(written(f"  things: {target}", TWO_ROWS), data)
    assert run(written(f"  things: {{to: '{target}', overwrite: true}}", TWO_ROWS), data) == [True]


def test_one_target_that_fails_does_not_stop_the_others(data: Path, written: Write) -> None:
    """Each is told by its table and target."""
    (data / "text.db").write_text("no database, and longer than a header of one " * 30)

    with pytest.raises(StageError) as caught:
        run(written("  things: [text.db, out/things.csv]\n  rows: out/things.pdf.csv"), data)

    assert str(caught.value) == (
        f"export.things: table things in {data / 'text.db'} cannot be written: file is not a database; "
        "name another file, or remove it"
    )
    assert sorted(path.name for path in (data / "out").iterdir()) == ["things.csv", "things.pdf.csv"]


@needs_postgresql
def test_a_password_is_taken_from_where_it_is_held(
    data: Path, written: Write, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment variable or a Secret block; what is stored of the run has it not."""
    postgresql.query("DROP TABLE IF EXISTS things, more")
    monkeypatch.setenv("SHOP_DB_PASSWORD", PASSWORD)
    Secret(value=PASSWORD).save("shop-db", overwrite=True)
    address = postgresql.address()
    config = written(
        f"  things:\n    - {{to: '{address}', password: {{env: SHOP_DB_PASSWORD}}}}\n"
        f"    - {{to: '{address}', table: public.more, password: {{secret_block: shop-db}}}}"
    )

    assert run(config, data) == [True, True]
    assert run(config, data) == [False, False]
    postgresql.query("DROP TABLE more")
    assert run(config, data) == [False, True]

    assert postgresql.query("SELECT count(*) FROM things JOIN more USING (id)") == [(3,)]
    assert PASSWORD not in config.model_dump_json()
    assert not [path for path in data.rglob("*.json") if PASSWORD in path.read_text()]
    monkeypatch.setenv("SHOP_DB_PASSWORD", "wr0ng-p4ss")
    with pytest.raises(StageError, match=r"export\.things: .* password authentication failed") as caught:
        run(config, data)
    assert "wr0ng-p4ss" not in str(caught.value)


def test_a_run_ends_with_its_exports(data: Path, written: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary has a row of each; `--only export` runs the stage alone, and a failed one is exit code 1."""
    written("  things: out/things.csv")
    command = ["run", str(data / "pipeline.yaml"), "--data", str(data)]

    assert run_command(command) == 0
    assert f"export things                 3 rows to {data / 'out' / 'things.csv'}, written" in capsys.readouterr().out
    assert run_command([*command, "--only", "export"]) == 0
    assert f"3 rows to {data / 'out' / 'things.csv'}, as it was" in capsys.readouterr().out
    (data / "out" / "things.csv").write_text("mine")
    assert run_command([*command, "--only", "export"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"error: export.things: {data / 'out' / 'things.csv'} is there already, and an export replaces nothing that it "
        "has not written; remove it, name another, or write overwrite: true"
    ]
