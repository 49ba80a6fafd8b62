"""Kinds of runners from outside: as the page on extensions shows one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.train import train
from tasks.config import Pipeline, load_pipeline
from tasks.config.runners import RUNNERS
from tasks.core.errors import ConfigError
from tests.documented import documented
from tests.thorough import takes_minutes
from tests.train.conftest import Trained, sklearn_table, write_table
from tests.train.test_dask import figures

PIPELINE = """
name: iris
extensions: ["own_threads:ThreadsRunner"]
sources:
  rows: {{kind: files, path: "inbox/*.csv"}}
training:
  query: "SELECT * EXCLUDE (row) FROM rows ORDER BY row"
  target: y
  runner: {runner}
  candidates:
    logistic: {{estimator: sklearn.linear_model.LogisticRegression, params: {{max_iter: 1000}}}}
    forest: {{estimator: sklearn.ensemble.RandomForestClassifier, params: {{n_estimators: 20}}}}
"""
THREADS = "{kind: threads, threads: 3}"


@pytest.fixture(autouse=True)
def _documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the documented module where it can be imported, and take the kind away again."""
    with documented(RUNNERS, "A runner", tmp_path / "own_threads.py", monkeypatch):
        yield


def write(folder: Path, runner: str = THREADS) -> Path:
    """Write a pipeline file with a runner, and return its path."""
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(runner=runner))
    return file


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
@takes_minutes("it trains twice")
def test_a_kind_of_ones_own_gives_the_same_leaderboard(tmp_path: Path, trained: Trained) -> None:
    """To the last digit, as the processes of this machine do."""
    write_table(tmp_path / "data" / "tables" / "rows", sklearn_table("iris"))

    there = asyncio.run(train(load_pipeline(write(tmp_path)), tmp_path / "data"))

    assert figures(there) == figures(trained.leaderboard)
    assert not there.failed


def test_it_stands_in_the_form(tmp_path: Path) -> None:
    """The schema of the pipeline has its keys with their words, and what Prefect keeps of it is the same when read back."""
    pipeline = load_pipeline(write(tmp_path))

    schema = Pipeline.model_json_schema()["$defs"]
    assert schema["ThreadsRunner"]["properties"]["threads"]["description"] == "Threads that train at once."
    of_training, nothing = schema["Training"]["properties"]["runner"]["anyOf"]
    assert {"$ref": "#/$defs/ThreadsRunner"} in of_training["oneOf"]
    assert nothing == {"type": "null"}
    assert {"$ref": "#/$defs/ThreadsRunner"} in Pipeline.model_json_schema()["properties"]["runner"]["oneOf"]
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


@pytest.mark.parametrize(
    ("runner", "mistake"),
    [
        ("{kind: threads, thread: 3}", r"training\.runner\.thread: unknown key; did you mean threads\?"),
        ("{kind: threads, threads: 0}", r"training\.runner\.threads: 0: input should be greater than or equal to 1"),
        ("{kind: thread}", r"training\.runner\.kind: 'thread' .*; did you mean threads\?"),
    ],
)
def test_its_keys_are_checked(tmp_path: Path, runner: str, mistake: str) -> None:
    """A mistake in them is told as in those of any kind."""
    with pytest.raises(ConfigError, match=mistake):
        load_pipeline(write(tmp_path, runner))


def test_check_accepts_it(tmp_path: Path) -> None:
    """The command line takes the file as it is."""
    (tmp_path / "data" / "inbox").mkdir(parents=True)
    (tmp_path / "data" / "inbox" / "a.csv").write_text("row,x,y\n1,2,0\n")
    command = [sys.executable, "-m", "flows", "check", str(write(tmp_path)), "--data", str(tmp_path / "data")]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    checked = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
