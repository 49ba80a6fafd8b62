"""Runs from Python: in a script, in a notebook, within a loop, and how they fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from flows.run import run
from tasks.core.errors import ConfigError, StageError
from tests.convert.conftest import write_files
from tests.documented import DOCS
from tests.flows.conftest import PROJECT, read_until
from tests.flows.test_run import copy_database
from tests.processes import command_of
from tests.thorough import takes_minutes

pytestmark = pytest.mark.flow

_RUN_S = 300
ROWS = "name: shop\nsources:\n  rows: {kind: files, path: inbox/rows.csv}\n"


@pytest.fixture
def shop(prefect_server: str, tmp_path: Path) -> Path:
    """Return a folder with a pipeline file and its data."""
    assert prefect_server
    (tmp_path / "pipeline.yaml").write_text(ROWS)
    write_files(tmp_path, rows_csv="id,a\n1,2\n2,3\n")
    return tmp_path


def test_a_run_returns_its_summary(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints goes where Python prints, which in a notebook is no file."""
    summary = run(shop / "pipeline.yaml", shop)

    assert (summary.status, summary.sources["rows"].rows_table, list(summary.seconds)) == (
        "completed",
        2,
        ["ingest", "convert"],
    )
    assert "Rows by source" in capsys.readouterr().out


@takes_minutes("it runs three pipelines")
def test_its_options_are_those_of_the_command(shop: Path) -> None:
    """One stage, done again."""
    run(str(shop / "pipeline.yaml"), str(shop))

    again = run(shop / "pipeline.yaml", shop, only="convert", fresh=True)

    assert (list(again.seconds), again.sources["rows"].rows_new) == (["convert"], 2)


def test_a_wrong_file_is_an_error_of_its_mistakes(shop: Path) -> None:
    """One sentence each."""
    path = shop / "pipeline.yaml"
    path.write_text(ROWS.replace("name", "nam").replace("inbox/rows.csv", "inbox/none.csv"))

    with pytest.raises(ConfigError) as error:
        run(path, shop)

    assert [mistake.removeprefix(f"{path}: ").partition(";")[0] for mistake in error.value.mistakes] == [
        "name: is missing",
        "nam: unknown key",
        f"sources.rows.path: no file matches {shop}/inbox/none.csv",
    ]


def test_a_run_that_fails_tells_what_it_came_to(shop: Path) -> None:
    """Its error has the summary of this run, and of none before."""
    path = shop / "pipeline.yaml"
    run(path, shop)
    path.write_text(ROWS.replace("csv}", "csv, checks: [{min_rows: 3}]}"))

    with pytest.raises(StageError, match="check min_rows") as error:
        run(path, shop)

    assert getattr(error.value.outcome, "status", None) == "failed"


def test_an_interrupt_ends_it(shop: Path) -> None:
    """The run is told of it, and ends before the script does."""
    (shop / "prepare.py").write_text("import time\ndef made(rows):\n    time.sleep(600)\n")
    path = shop / "pipeline.yaml"
    path.write_text(f"{ROWS}tables:\n  slow: {{python: 'prepare:made', inputs: [rows]}}\n")
    script = f"from flows.run import run\nrun({str(path)!r}, {str(shop)!r})"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
    )

    read_until(process, "convert  rows")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=_RUN_S)

    assert told.splitlines()[-1] == "KeyboardInterrupt"
    assert [each for each in psutil.pids() if str(path) in command_of(each)] == []


@takes_minutes("it runs four pipelines")
def test_the_page_shows_what_runs(prefect_server: str, tmp_path: Path) -> None:
    """All of its code, in its order, as a script that has no Prefect API but the temporary one."""
    assert prefect_server
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    (pipeline,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "pipeline.yaml").write_text(pipeline)
    (tmp_path / "page.py").write_text("\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)))
    copy_database(Path(os.environ["PREFECT_HOME"]), tmp_path / "prefect")
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "prefect"), "PYTHONPATH": str(PROJECT)}
    environment.pop("PREFECT_API_URL", None)

    ended = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_RUN_S,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    for told in (
        "started a temporary server",
        "completed 150 ",
        "pipelin.yaml: there is no such pipeline file",
        "['setosa'",
    ):
        assert told in ended.stdout


@takes_minutes("it runs the tour")
def test_the_notebook_runs(prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, in a kernel, within whose loop cells run; it is kept without its outputs."""
    assert prefect_server
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    notebook = nbformat.read(DOCS / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    assert not any(cell.get("outputs") for cell in notebook.cells)

    NotebookClient(notebook, timeout=_RUN_S, resources={"metadata": {"path": str(tmp_path)}}).execute()

    told = "\n".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    for expected in ("Leaderboard by accuracy", "'completed', 150", "logistic", "setosa"):
        assert expected in told
