"""The section `export` of a pipeline file: its short forms, and its mistakes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.cli.main import run_command
from tasks.config import Pipeline, load_pipeline

FILE = "name: made\nsources:\n  rows: {kind: files, path: inbox/*}\nexport:\n"


def write(folder: Path, text: str) -> Path:
    """Return a pipeline file with this section, and an inbox with a file beside it."""
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "inbox" / "a.csv").write_text("id\n1\n")
    path = folder / "pipeline.yaml"
    path.write_text(f"{FILE}{text}\n")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "  rows: out/rows.csv",
        "  rows: {to: out/rows.csv}",
        "  rows: [out/rows.csv]",
        "  rows: [{to: out/rows.csv, overwrite: false}]",
    ],
)
def test_one_target_may_be_a_text(tmp_path: Path, text: str) -> None:
    """Or a mapping, or stand in a list."""
    targets = load_pipeline(write(tmp_path, text)).export["rows"]

    assert [(target.to, target.kind) for target in targets] == [("out/rows.csv", "file")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  row: out.csv", "export.row: the pipeline makes no table 'row'; did you mean rows?"),
        ("  rows: []", "export.rows: has 0 entries; give at least 1"),
        ("  rows: out.pdf", "out.pdf does not say its format; end its name in one of .csv, .csv.gz"),
        ("  rows: .csv", ".csv does not say its format; end its name"),
        ("  rows: s3://bucket/rows.csv", "'s3://bucket/rows.csv' is an address that no table is written to; end"),
        ("  rows: {to: out.csv, table: x}", "table is of a database, and 'out.csv' is none; take table out"),
        ("  rows: {to: out.db, password: {env: X}}", "password is of postgresql://, and 'out.db' needs none"),
        ("  rows: postgresql://me:s3cret@db/x", "to holds a secret, and would be stored with the run; write password"),
        ("  rows: 'postgresql://me:${DB_PART}@db/x'", "would be stored with the run as it stands here; write password: {env: DB_PART}"),
        ("  rows: 'postgresql://me@[::1/x'", "'postgresql://me@[::1/x' is no address (Invalid IPv6 URL); write postgresql://"),
        ("  rows: {to: 'postgresql://me@db/x', password: s3cret}", "is no place of a secret; name where it is held"),
        ("  rows: {to: 'postgresql://me@db/x', password: {env: NOT_THERE}}", "export.rows.password.env: the environment variable NOT_THERE is not set; set it to the password"),
        ("  rows: [out.csv, out.csv]", "export.rows: out.csv is written by export.rows already; take one out"),
        ("  rows: [out.csv, ./out.csv]", "export.rows: ./out.csv is out.csv, which is written by export.rows already; take one out"),
        ("  rows: ['delta:lake', 'delta:old/../lake/']", "delta:old/../lake/ is delta:lake, which is written by export.rows already"),
        ("  rows: [a.db, {to: a.db, table: Rows}]", "export.rows: table Rows in a.db is table rows in a.db, which is written by export.rows already"),
        ("  rows: ['postgresql://me@DB/x', {to: 'postgres://you@db:5432/x', table: public.rows}]", "table public.rows in postgres://you@db:5432/x is table rows in postgresql://me@DB/x, which is written by"),
        ("  rows: [out.csv, '${FOLDER}/out.csv']", "/out.csv is out.csv, which is written by export.rows already; take one out"),
        ("  rows: tables/rows/out.csv", "which only runs may change; name a file elsewhere"),
        ("  rows: inbox/out.csv", "export.rows: inbox/out.csv is among the files of sources.rows, which would read it"),
        ("  rows: delta:inbox", "export.rows: delta:inbox is among the files of sources.rows, which would read it"),
        ("  rows: raw/out.csv", "which only runs may change; name a file elsewhere"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by `check`, before anything runs."""
    monkeypatch.setenv("DB_PART", "s3cret")
    monkeypatch.setenv("FOLDER", str(tmp_path))

    assert run_command(["check", str(write(tmp_path, text)), "--data", str(tmp_path)]) == 2

    error = capsys.readouterr().err
    assert said in error
    assert error.count("error:") == 1
    assert "s3cret" not in error


def test_a_package_that_is_missing_is_told_before_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "deltalake", None)  # as Python says that there is none

    assert run_command(["check", str(write(tmp_path, "  rows: delta:lake")), "--data", str(tmp_path)]) == 2

    assert "delta:lake needs deltalake, which is not installed; run: pip install deltalake" in capsys.readouterr().err


def test_a_form_names_no_target() -> None:
    """What a person fills in in the UI writes to no file or database that a pipeline file on disk does not name."""
    with pytest.raises(ValidationError, match="is written to from a pipeline file on disk alone"):
        Pipeline.model_validate(
            {"name": "x", "sources": {"rows": {"kind": "files", "path": "a"}}, "export": {"rows": "/etc/formed.csv"}}
        )


@pytest.mark.parametrize(
    "text",
    [
        "  rows: [out.csv, old/out.csv, out.jsonl]",
        "  rows: [a.db, b.db, {to: a.db, table: other}, {to: a.db, table: Ä}, {to: a.db, table: ä}]",
        "  rows: ['postgresql://db/x', 'postgresql://db/y', 'postgresql://db:99/x', {to: 'postgresql://db/x', table: a.rows}]",
    ],
)
def test_targets_that_differ_are_taken(tmp_path: Path, text: str) -> None:
    """By their folder, database, schema, or a name that SQLite does not fold."""
    assert run_command(["check", str(write(tmp_path, text)), "--data", str(tmp_path)]) == 0


def test_a_plan_tells_of_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` says where each table goes."""
    path = write(tmp_path, "  rows: [out.csv, {to: 'postgresql://me@db/x', table: y}]")

    assert run_command(["check", str(path), "--data", str(tmp_path)]) == 0

    assert [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("export")] == [
        ["export", "rows", "to", "out.csv"],
        ["export", "rows", "to", "postgresql://me@db/x,", "table", "y"],
    ]
