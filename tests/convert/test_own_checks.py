"""Kinds of checks from outside: as the page on extensions shows one, and of a whole table."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest

from flows.convert import convert
from tasks.config import FilesSource, Pipeline, load_pipeline
from tasks.config.checks import CHECKS, CheckFailure, Columns, Condition, RowCheck, TableCheck, TableRows
from tasks.convert.table.findings import read_outcomes
from tasks.convert.table.job import make_job
from tasks.core.errors import ConfigError, StageError, TableError
from tasks.core.storage import DataFolder
from tests.convert.conftest import make_table, read_rows, tables_of, write_files
from tests.documented import documented

HERE = __name__
PIPELINE = """
name: own
extensions: ["{extension}"]
sources:
  rows: {{kind: files, path: "{folder}/inbox/*", checks: [{check}]}}
"""
IN_ORDER = "in_order: [ordered, shipped]"
GOOD = "id,ordered,shipped\n1,2024-01-01,2024-01-02\n2,2024-01-01,\n3,2024-01-05,2024-01-05\n"
BAD = f"{GOOD}4,2024-01-09,2024-01-08\n"


class Balanced(TableCheck):
    """A table in which the sum of a column is zero."""

    name: ClassVar[str] = "balanced"
    ages: ClassVar[bool] = True
    balanced: str
    """Column of the table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column."""
        return (self.balanced,)

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return "a sum of 0"

    def find(self, rows: TableRows, types: Mapping[str, str], now: datetime) -> CheckFailure | None:  # noqa: ARG002 - as of any
        """Return the sum, if it is not zero, and a row."""
        ((total, first),) = rows.fetch("SELECT coalesce(sum(x), 0), min(id) FROM rows")
        return CheckFailure(f"{rows.count} rows have the sum {total}", rows.count, ({"id": first},)) if total else None


class Broken(Balanced):
    """A check whose code fails."""

    name: ClassVar[str] = "broken"
    balanced: str = ""
    broken: str
    """Column of the table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column."""
        return (self.broken,)

    def find(self, rows: TableRows, types: Mapping[str, str], now: datetime) -> CheckFailure | None:  # noqa: ARG002 - as of any
        """Return what is nowhere."""
        missing: dict[str, CheckFailure] = {}
        return missing[types[self.broken]]


class Misspelt(RowCheck):
    """A check whose SQL no database takes."""

    name: ClassVar[str] = "misspelt"
    misspelt: Columns
    """Columns of the table."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns."""
        return self.misspelt

    @property
    def expected(self) -> str:
        """Return what is expected."""
        return "nothing"

    def condition(self, types: Mapping[str, str]) -> Condition:  # noqa: ARG002 - of any type
        """Return what is no SQL."""
        return Condition("nobody_knows(id)", "are wrong")


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take the kinds away again."""
    with documented(CHECKS, "A check", tmp_path / "ordered_columns.py", monkeypatch):
        yield


def load(folder: Path, check: str = f"{{{IN_ORDER}}}", extension: str = "ordered_columns:InOrder") -> FilesSource:
    """Return the source of a pipeline file with some checks."""
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(folder=folder, check=check, extension=extension))
    source = load_pipeline(file).sources["rows"]
    assert isinstance(source, FilesSource)
    return source


def test_a_kind_of_ones_own_keeps_a_wrong_row_out(tmp_path: Path) -> None:
    """The table stays as it was, and one sentence names the row, what is wrong with it and the cure."""
    source = load(tmp_path, f"{{min_rows: 1}}, {{{IN_ORDER}}}")
    write_files(tmp_path, a_csv=GOOD)
    make_table(tmp_path, source)
    write_files(tmp_path, a_csv=BAD)

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, source)

    assert str(caught.value) == (
        "check in_order of ordered, shipped: 1 of 4 rows have values that are not in order, e.g. ordered=2024-01-09 "
        "shipped=2024-01-08 id=4; expected ordered ≤ shipped; mend the data or the check, or let it warn with on_fail: warn"
    )
    assert [row["id"] for row in read_rows(tmp_path)] == [1, 2, 3]


def test_it_may_warn(tmp_path: Path) -> None:
    """What all checks share is its own too."""
    write_files(tmp_path, a_csv=BAD)

    table = make_table(tmp_path, load(tmp_path, f"{{{IN_ORDER}, on_fail: warn}}"))

    assert len(read_rows(tmp_path)) == 4
    assert [warning[:60] for warning in table.findings.warnings] == [
        "check in_order of ordered, shipped: 1 of 4 rows have values "
    ]


def test_it_is_refused_of_columns_that_it_cannot_be_told_of(tmp_path: Path) -> None:
    """Whether they are there Tidemill looks, of what type they are the check itself."""
    write_files(tmp_path, a_csv=GOOD)

    with pytest.raises(TableError) as caught:
        make_table(tmp_path, load(tmp_path, "{in_order: [id, shipped]}, {in_order: [ordered, shiped]}"))

    assert str(caught.value).splitlines() == [
        "checks.0.in_order: id and shipped are of several types; name columns of one",
        "checks.1.in_order: 'shiped' is not a column of the table; did you mean shipped?",
    ]


def test_a_table_without_columns_passes_it(tmp_path: Path) -> None:
    """A check of rows finds none that is wrong where there is none."""
    source = load(tmp_path)
    write_files(tmp_path, a_csv="")

    make_table(tmp_path, source)

    assert read_rows(tmp_path) == []
    (outcome,) = read_outcomes(make_job("rows", source, DataFolder(tmp_path), allow_partial=False).versions).outcomes
    assert outcome.status == "passed"


@pytest.mark.parametrize(
    ("check", "mistake"),
    [
        (f"{{{IN_ORDER}, on_fial: warn}}", r"rows\.checks\.0\.on_fial: unknown key; did you mean on_fail\?"),
        ("{in_order: []}", r"rows\.checks\.0\.in_order: has 0 entries; give at least 1"),
        ("{in_ordr: [id]}", r"rows\.checks\.0: in_ordr is no check; did you mean in_order\?"),
        ("{zebra: 1}", r"zebra is no check; write one of not_null, .*, in_order"),
        (f"{{{IN_ORDER}, unique: id}}", "in_order and unique are two checks; write each as an entry of its own"),
    ],
)
def test_its_keys_are_checked(tmp_path: Path, check: str, mistake: str) -> None:
    """A mistake in them is told as in those of any kind."""
    with pytest.raises(ConfigError, match=mistake):
        load(tmp_path, check)


def test_it_stands_in_the_form(tmp_path: Path) -> None:
    """The schema of the pipeline has its keys with their words, and what Prefect keeps of it is the same when read back."""
    source = load(tmp_path)

    schema = Pipeline.model_json_schema()["$defs"]
    assert schema["InOrder"]["properties"]["in_order"]["description"] == "Columns of the table, the smallest first."
    assert {"$ref": "#/$defs/InOrder"} in schema["FilesSource"]["properties"]["checks"]["items"]["oneOf"]
    assert FilesSource.model_validate_json(source.model_dump_json()) == source


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_check_of_all_rows_is_a_kind_too(tmp_path: Path) -> None:
    """What it finds is told as ours is."""
    source = load(tmp_path, "{balanced: x}", f"{HERE}:Balanced")
    write_files(tmp_path, a_csv="id,x\n1,5\n2,-5\n")
    make_table(tmp_path, source)
    write_files(tmp_path, a_csv="id,x\n1,5\n2,-4\n")

    with pytest.raises(
        TableError, match=r"^check balanced of x: 2 rows have the sum 1, e.g. id=1; expected a sum of 0; "
    ):
        make_table(tmp_path, source)


def test_sql_that_cannot_be_run_names_its_check(tmp_path: Path) -> None:
    """However many checks are asked at once."""
    write_files(tmp_path, a_csv=GOOD)

    with pytest.raises(TableError, match=r"^check misspelt: its SQL cannot be run: Catalog Error: .*; mend this kind"):
        make_table(tmp_path, load(tmp_path, "{not_null: id}, {misspelt: id}", f"{HERE}:Misspelt"))


def test_code_that_fails_names_its_check(tmp_path: Path) -> None:
    """As of a format."""
    write_files(tmp_path, a_csv="id,x\n1,5\n")

    with pytest.raises(TableError, match=r"^check broken: cannot be run \(KeyError: 'int'\); mend this kind of check"):
        make_table(tmp_path, load(tmp_path, "{broken: x}", f"{HERE}:Broken"))


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
async def test_a_run_keeps_the_table(tmp_path: Path) -> None:
    """The flow takes it through its tasks as any other; where no file is new, a check that ages is done again."""
    await asyncio.to_thread(load, tmp_path, "{balanced: x}", f"{HERE}:Balanced")
    config = await asyncio.to_thread(load_pipeline, tmp_path / "pipeline.yaml")
    write_files(tmp_path, a_csv="id,x\n1,5\n2,-5\n")
    await convert(config, tmp_path / "data")
    (same,) = tables_of(await convert(config, tmp_path / "data"))
    write_files(tmp_path, b_csv="id,x\n3,7\n")

    with pytest.raises(StageError, match=r"^source rows: check balanced of x: 3 rows have the sum 7"):
        await convert(config, tmp_path / "data")

    assert (same.files_read, same.rows_table) == (0, 2)


def test_an_installed_one_needs_no_path(tmp_path: Path) -> None:
    """Every pipeline file knows the kinds of installed packages, as `check` says."""
    info = tmp_path / "ordered-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ordered\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tidemill.checks]\nin_order = ordered_columns:InOrder\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(PIPELINE.format(folder=tmp_path, check="{in_ordr: id}", extension="").replace('[""]', "[]"))

    command = [sys.executable, "-m", "flows", "check", str(file), "--data", str(tmp_path / "data")]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    wrong = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    write_files(tmp_path, a_csv=GOOD)
    file.write_text(file.read_text().replace("in_ordr: id", IN_ORDER))
    right = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)

    assert (wrong.returncode, right.returncode) == (2, 0), right.stderr
    assert "in_ordr is no check; did you mean in_order?" in " ".join(wrong.stderr.split())
