"""The figures of runs are rows of one table: one set a run, in the order of the runs, and readable by SQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from flows.run_figures import compare_figures, is_told, keep_figures, read_figures, read_last_figures
from flows.summary import ChampionSummary, RunSummary, SourceSummary, TableSummary
from tasks.core.errors import TableError
from tasks.core.storage import DataFolder
from tasks.train.evaluation.leaderboard_file import KeptLine


def summary(run: str, *, score: float = 0.8, rejects: int = 0, rows: int = 100, new: int = 10) -> RunSummary:
    """Return what became of a run."""
    sources = {"orders": SourceSummary(rows_table=rows, rows_new=new, rows_rejected=rejects, requests=3)}
    champion = ChampionSummary("v0001-12345678", "logistic", "model", "roc_auc", score, "today", "is the first")
    line = KeptLine("logistic", score=score, holdout=score - 0.01, fit_s=1.5, reused=not new)
    return RunSummary(
        "shop",
        "completed",
        None,
        [],
        [],
        sources,
        [line],
        "roc_auc",
        line,
        champion,
        {"ingest": 1.0, "train": 2.5},
        run,
        tables={"known": TableSummary(rows=90, columns=2, made=bool(new))},
    )


def test_each_run_has_its_rows(tmp_path: Path) -> None:
    """A run that is retried replaces what it had said; SQL reads the parts of all pipelines as one table."""
    folder = DataFolder.at(tmp_path)
    for run, score in (("a", 0.8), ("b", 0.7), ("b", 0.75)):
        path = keep_figures(folder, summary(run, score=score))

    assert path == tmp_path / "history" / "shop.parquet"
    table = duckdb.read_parquet(f"{tmp_path}/history/*.parquet")
    asked = table.filter("kind = 'champion'").order("ended").project("flow_run, value")
    assert asked.fetchall() == [("a", 0.8), ("b", 0.75)]
    figures = read_figures(folder, "shop").to_pylist()
    found = {(row["kind"], row["name"], row["figure"]): row["value"] for row in figures if row["flow_run"] == "b"}
    assert found["source", "orders", "rows"] == 100
    assert found["table", "known", "rows"] == 90
    assert found["stage", "train", "seconds"] == 2.5
    assert found["candidate", "logistic", "hold-out"] == pytest.approx(0.74)
    assert found["run", "shop", "failures"] == 0
    assert sorted(path.name for path in (tmp_path / "history").iterdir()) == [".lock", "shop.parquet"]


def test_what_is_worse_than_before_is_told(tmp_path: Path) -> None:
    """Against the median of the runs before; what is as it was is not told."""
    folder = DataFolder.at(tmp_path)
    for run in "abc":
        keep_figures(folder, summary(run))
    keep_figures(folder, summary("d", score=0.6, rejects=40))

    assert compare_figures(read_figures(folder, "shop")) == [
        "source orders: rejects 40, 0 in the median of the 3 runs before it",
        "champion: roc_auc 0.6, 0.8 in the median of the 3 runs before it",
    ]


def test_two_runs_are_no_history(tmp_path: Path) -> None:
    """Nothing is said of them."""
    folder = DataFolder.at(tmp_path)
    keep_figures(folder, summary("a"))
    keep_figures(folder, summary("b", score=0.5))

    assert compare_figures(read_figures(folder, "shop")) == []
    assert len(read_figures(folder, "other")) == 0


def test_a_run_in_which_nothing_is_new_shows_no_new_picture() -> None:
    """One in which something is does, and one that failed."""
    assert not is_told(summary("a", new=0))
    assert is_told(summary("a", new=1))


def test_a_damaged_part_is_told_and_left(tmp_path: Path) -> None:
    """It is moved by who knows what it is."""
    folder = DataFolder.at(tmp_path)
    path = keep_figures(folder, summary("a"))
    path.write_bytes(b"no table")

    with pytest.raises(
        TableError, match=r"shop\.parquet: cannot be read .*; move it away, and the next run begins anew"
    ):
        keep_figures(folder, summary("b"))

    assert path.read_bytes() == b"no table"


def test_a_part_that_another_hand_has_written_is_read(tmp_path: Path) -> None:
    """DuckDB writes texts and times of its own types."""
    folder = DataFolder.at(tmp_path)
    path = keep_figures(folder, summary("a"))
    duckdb.read_parquet(str(path)).write_parquet(str(tmp_path / "copy.parquet"))
    (tmp_path / "copy.parquet").replace(path)

    keep_figures(folder, summary("b"))

    assert read_figures(folder, "shop")["flow_run"].unique().to_pylist() == ["a", "b"]
    assert read_last_figures(folder, "shop", 1)["flow_run"].unique().to_pylist() == ["b"]


def test_another_champion_is_compared_with_the_one_before(tmp_path: Path) -> None:
    """Worse than before is worse, whichever candidate serves."""
    folder = DataFolder.at(tmp_path)
    for run in "abc":
        keep_figures(folder, summary(run))
    last = summary("d", score=0.5)
    assert last.champion is not None
    keep_figures(folder, replace(last, champion=replace(last.champion, candidate="boosting")))

    assert "champion: roc_auc 0.5, 0.8 in the median of the 3 runs before it" in compare_figures(
        read_figures(folder, "shop")
    )
