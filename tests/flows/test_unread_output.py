"""A run whose output nobody reads any longer, as behind `| head -1`, goes on without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.thorough import takes_minutes

PIPELINE = """
name: unread
sources:
  rows: {kind: files, path: inbox/rows/*.csv}
training:
  query: SELECT * FROM rows
  target: y
  candidates:
    tree: {estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 2}}
"""


@pytest.mark.flow
@takes_minutes("it runs all stages with a pool")
def test_a_run_ends_whose_output_nobody_reads(prefect_server: str, tmp_path: Path) -> None:
    """Neither its progress, nor Prefect's log in any of its processes, ends a stage, or has a pool wait for ever."""
    assert prefect_server
    (tmp_path / "inbox" / "rows").mkdir(parents=True)
    lines = [f"{number % 11},{number},{number % 2}\n" for number in range(200)]
    (tmp_path / "inbox" / "rows" / "a.csv").write_text("x,z,y\n" + "".join(lines))
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    command = [sys.executable, "-m", "flows", "run", str(tmp_path / "pipeline.yaml"), "--data", str(tmp_path)]

    with subprocess.Popen(
        [*command, "--verbose"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b"Prefect: ")
        run.stdout.close()
        try:
            code = run.wait(timeout=240)
        finally:
            run.kill()

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (code, summary["status"], summary["failures"]) == (0, "completed", [])
