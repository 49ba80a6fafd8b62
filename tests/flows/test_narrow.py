"""Addresses and paths in a narrow terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from flows.cli.console import print_summary
from flows.cli.main import run_command
from flows.cli.prefect_api import PrefectApi
from flows.cli.run import _print_api
from flows.summary import ChampionSummary, RunSummary

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
