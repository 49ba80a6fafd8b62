"""A run that is killed while it trains, of a source that grows: the next one ends as if nothing had happened, and counts what is its own."""

from __future__ import annotations

import json
import os
import signal
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.core.tables import list_parts
from tests.flows.conftest import Tidemill, group_is_gone, read_until
from tests.site.landing import kept_at
from tests.site.server import Site, Sites

ROWS = 600
NEWEST = 6
"""Rows that a run which asks for what is new is given again, as they are as new as the newest."""


def source_rows() -> list[dict[str, Any]]:
    """Return the rows of a source, the last of them of one moment, and one of them twice."""
    every = [
        {"id": n, "at": min(n, ROWS - NEWEST), "x": n * 37 % 101, "y": n * 53 % 89, "late": n * 37 % 101 + n % 5 > 60}
        for n in range(ROWS)
    ]
    return [every[0], *every]


def write_pipeline(folder: Path, site: Site) -> Path:
    """Write a pipeline of a source that grows."""
    config = {
        "name": "growing",
        "sources": {
            "grown": {
                "kind": "api",
                "url": f"{site.url}/since",
                "records_at": "items",
                "incremental": {"field": "at", "param": "since", "start": 0},
                "key": ["id"],
            }
        },
        "training": {
            "query": "SELECT x, y, late FROM grown",
            "target": "late",
            "split": {"by": "random", "test_fraction": 0.2, "folds": 3},
            "metric": "roc_auc",
            "candidates": {"logistic": {"estimator": "sklearn.linear_model.LogisticRegression"}},
        },
    }
    path = folder / "pipeline.yaml"
    path.write_text(json.dumps(config))
    return path


def outcome(data: Path) -> tuple[Any, Any, Any]:
    """Return the table's rows, the scores of the leaderboard, and the summary's counts of the source."""
    rows = [row for part in list_parts(data / "tables" / "grown") for row in pq.read_table(part).to_pylist()]
    board = json.loads((data / "models" / "growing" / "leaderboard.json").read_bytes())
    scores = {line["name"]: (line["fold_scores"], line["holdout"]) for line in board["candidates"]}
    counted = json.loads((data / "summary.json").read_bytes())["sources"]["grown"]
    return sorted(rows, key=itemgetter("id")), scores, counted


@pytest.mark.flow
def test_a_run_killed_in_training_is_finished_by_the_next(prefect_server: str, tmp_path: Path) -> None:
    """Tables and scores are those of a run that nobody killed; what is counted of all runs is so, and what of this one; nothing is left in the folder of temporary files."""
    temporary = tmp_path / "t"
    temporary.mkdir()
    tidemill = Tidemill({"PREFECT_API_URL": prefect_server, "TMPDIR": str(temporary)})
    with Sites().serving() as sites:
        site = sites.add()
        kept_at(site).rows = source_rows()
        path = write_pipeline(tmp_path, site)
        whole = tidemill("run", path, "--data", tmp_path / "whole")
        assert whole.returncode == 0, whole.stderr
        assert not list(temporary.iterdir())
        with tidemill.start("run", path, "--data", tmp_path / "killed") as process:
            read_until(process, r"train +dummy")
            os.killpg(process.pid, signal.SIGKILL)
            assert group_is_gone(process, 30)
        assert not (tmp_path / "killed" / "models" / "growing" / "leaderboard.json").exists()
        again = tidemill("run", path, "--data", tmp_path / "killed")
    assert again.returncode == 0, again.stderr
    assert not list(temporary.iterdir())

    table, scores, counted = outcome(tmp_path / "whole")
    assert (counted["rows_received"], counted["rows_duplicate"], counted["rows_new"]) == (ROWS + 1, 1, ROWS + 1)
    table_again, scores_again, counted_again = outcome(tmp_path / "killed")
    assert (table_again, scores_again) == (table, scores)
    assert {name: counted_again[name] for name in ("rows_received", "rows_table", "rows_duplicate", "rows_new")} == {
        "rows_received": ROWS + 1 + NEWEST,
        "rows_table": ROWS,
        "rows_duplicate": 1 + NEWEST,
        "rows_new": NEWEST,
    }
