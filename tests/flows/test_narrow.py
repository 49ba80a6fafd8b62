"""Addresses and paths in a narrow terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from flows.cli.console import ProgressView, print_summary, print_table
from flows.cli.main import run_command
from flows.cli.prefect_api import PrefectApi
from flows.cli.run import _print_api
from flows.summary import ChampionSummary, RunSummary
from tasks.core.progress import ProgressEvent

UI = "http://prefect.example/runs/flow-run/" + "0123456789abcdef" * 6
MODEL = "models/shop/v0001-1f3a5c7e/" + "long-name-" * 10 + ".skops"
WARNING = "source x: see /data/rejects/" + "deep/" * 20 + "[/red] part.parquet"


def test_a_summary_cuts_no_address_and_no_path(tmp_path: Path) -> None:
    """At 80 columns, and at 20, each stands whole on its line."""
    champion = ChampionSummary("v0001", "forest", MODEL, "roc_auc", 0.9, "2026-01-01", "kept")
    summary = RunSummary(
        pipeline="shop",
        status="completed",
        error=None,
        failures=[],
        warnings=[WARNING],
        sources={},
        leaderboard=[],
        metric=None,
        best=None,
        champion=champion,
        seconds={"ingest": 1.0},
        flow_run_id=None,
    )

    for width in (80, 20):
        written = io.StringIO()
        print_summary(Console(file=written, width=width, force_terminal=True, no_color=True), summary, tmp_path, UI)

        lines = written.getvalue().splitlines()
        assert f"Prefect UI  {UI}" in lines
        assert f"champion    {tmp_path / MODEL} (forest)" in lines
        assert f"warning: {WARNING}" in lines


def test_the_address_of_the_api_is_not_cut() -> None:
    """That of the server a run uses is printed before the run."""
    written = io.StringIO()

    _print_api(Console(file=written, width=20, force_terminal=True, no_color=True), PrefectApi(url=UI))

    assert written.getvalue() == f"Prefect: using the configured API at {UI}\n"


def test_the_plan_cuts_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` tells each source's address whole."""
    monkeypatch.setenv("COLUMNS", "40")
    path = tmp_path / "pipeline.yaml"
    path.write_text(f"name: long\nsources:\n  long: {{kind: api, url: '{UI}'}}\n")

    assert run_command(["check", str(path), "--data", str(tmp_path)]) == 0

    assert f"1 partition of {UI}" in capsys.readouterr().out


@pytest.mark.parametrize("width", [30, 50, 72, 80, 100, 140])
def test_a_table_cuts_no_value(width: int) -> None:
    """At each width every name and number stands whole on a line of its row, as does what is in brackets."""
    heads = ("candidate", "roc_auc", "interval", "hold-out", "fit", "")
    rows = [
        ("gradient-boosting", "0.6962", "0.6383 to 0.7542", "0.6903", "18.4 s", "[/b] died, within noise of the best")
    ]
    written = io.StringIO()

    console = Console(file=written, width=width, force_terminal=True, color_system=None, markup=False)
    print_table(console, "Board", heads, rows)

    told = written.getvalue()
    line = next(line for line in told.splitlines() if "gradient-boosting" in line)
    assert all(cell in line for cell in rows[0][:-1])
    assert " ".join(told.split()).count("…") == 0
    assert all(word in told for word in ("[/b]", "noise", "best"))
    assert (width > 80) == ("─" in told)


def test_progress_keeps_its_counts() -> None:
    """A narrow terminal has no bar, which would take their room."""
    written = io.StringIO()
    view = ProgressView(Console(file=written, width=50, force_terminal=True, color_system=None))

    with view.shown():
        view.show(ProgressEvent("ingest", "weather", 7, 36, "8,754 rows [/b]"))

    assert "ingest   weather          7/36 8,754 rows [/b]" in written.getvalue()
