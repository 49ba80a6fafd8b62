"""Candidates and processes that fail in every way, and runs that are killed: the others go on, and nothing is left behind."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect
from prefect.client.base import PrefectHttpxSyncClient

from flows.train import train
from tasks.config import TimeSplit
from tasks.core.progress import ProgressEvent, subscribed
from tasks.core.storage import DataFolder, read_json
from tasks.train.checks.training_set import write_training_set
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist
from tasks.train.evaluation.job import plan_jobs
from tasks.train.evaluation.leaderboard import Leaderboard
from tests.flows.test_ui import needs_chromium, page
from tests.processes import command_of, descendants, is_fit, is_running
from tests.thorough import ALL, takes_minutes
from tests.train.conftest import LOGISTIC, write_table
from tests.train.test_flow import NEIGHBORS, names, pipeline

__all__ = ["page"]

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_STORED_S = 60.0
_OPEN_STATES = {"PENDING", "RUNNING", "SCHEDULED"}
_SHOWN_MS = 90_000

ENDLESS = {"estimator": "sklearn.svm.SVC", "params": {"C": 1e100, "tol": 1e-300}}  # in one call of libsvm
HUGE = {"estimator": "sklearn.neural_network.MLPClassifier", "params": {"hidden_layer_sizes": [30000, 30000]}}
NAN = {"estimator": "sklearn.naive_bayes.BernoulliNB", "params": {"alpha": 0, "force_alpha": True}}  # 0 times log 0
STUMP = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1}}
_OVER = {"estimator": "sklearn.neural_network.MLPClassifier", "params": {"max_iter": 10**9, "n_iter_no_change": 10**9}}
ENSEMBLES: dict[str, Any] = {
    "blend": {"vote": ["logistic", "raising"]},
    "late": {"stack": ["logistic", "stump"], "final": _OVER, "time_limit_s": 1},
    "eating": {"stack": ["logistic", "stump"], "final": HUGE, "memory_limit_mb": 300},
    "ending": {"stack": ["logistic", "stump"], "final": NEIGHBORS},
}
KILLED_AT = (3, 9, 22) if ALL else (9,)
"""After so many results of fits."""
SLOW = {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 30}}

_RUN = """
import asyncio, sys
from pathlib import Path
from flows.train import train
from tests.train.test_failures import slow_pipeline
asyncio.run(train(slow_pipeline(Path(sys.argv[1]), workers=1), Path(sys.argv[1])))
"""


def slow_pipeline(data: Path, workers: int = 2) -> Any:
    """Return a pipeline whose fits take long enough to be killed in their midst."""
    slower, stacked = {**SLOW, "params": {"n_estimators": 60}}, {"stack": ["logistic", "slow"]}
    config = pipeline(data, workers, logistic=LOGISTIC, slow=SLOW, slower=slower, stacked=stacked)
    assert config.training is not None
    return config.model_copy(update={"training": config.training.model_copy(update={"finalists": 4})})


@contextmanager
def killing_the_last(number: signal.Signals) -> Iterator[None]:
    """Send a signal to the fit that still runs when one candidate is left."""
    done, left = threading.Event(), threading.Event()

    def notice(step: ProgressEvent) -> None:
        if step.done == step.total - 1 - len(ENSEMBLES):  # which come after all
            left.set()

    def watch() -> None:
        while not done.wait(0.1):
            for fit in descendants(os.getpid()) if left.is_set() else ():
                if is_fit(fit):
                    os.kill(fit, number)
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with subscribed(notice):
            yield
    finally:
        done.set()
        thread.join()


def states_of_task_runs(api: str, since: datetime) -> list[str]:
    """Return the states of the task runs since then, once Prefect has stored what it has been told; one that hangs stays open."""
    states: list[str] = []
    started = {"task_runs": {"start_time": {"after_": since.isoformat()}}, "limit": 200}
    deadline, before = time.monotonic() + _STORED_S, states
    with PrefectHttpxSyncClient(base_url=api) as http:
        while (not states or states != before or _OPEN_STATES & set(states)) and time.monotonic() < deadline:
            before = states
            time.sleep(1.1)  # the recorder stores once a second
            states = sorted(run["state_type"] for run in http.post("/task_runs/filter", json=started).json())
    return states


@dataclass(frozen=True)
class FailingRun:
    """A run of the pipeline `failing` that has ended, and the states of its task runs."""

    leaderboard: Leaderboard
    states: list[str]


@pytest.fixture(scope="module")
def failing_run(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> FailingRun:
    """Return a run of candidates that fail in every way, and of one that does not."""
    if sys.platform != "linux":
        pytest.skip("memory is watched by what Linux tells")
    data, since = tmp_path_factory.mktemp("failing"), datetime.now(UTC)
    config = pipeline(
        data,
        hanging={**ENDLESS, "time_limit_s": 1},
        huge={**HUGE, "memory_limit_mb": 300},
        raising=NEIGHBORS,
        nan=NAN,
        killed={**ENDLESS, "time_limit_s": 60},
        logistic=LOGISTIC,
        stump=STUMP,
        **ENSEMBLES,
    )
    with killing_the_last(signal.SIGSEGV):
        leaderboard = asyncio.run(train(config.model_copy(update={"name": "failing"}), data))
    return FailingRun(leaderboard, states_of_task_runs(prefect_server, since))


def test_each_failing_candidate_is_one_line_with_its_cause(failing_run: FailingRun) -> None:
    """One that hangs in C, eats memory, raises, predicts NaN, or is killed, and so an ensemble itself; the good ones are ranked, and nothing stays Running."""
    leaderboard, states = failing_run.leaderboard, failing_run.states

    errors = {result.name: str(result.error) for result in leaderboard.failed}
    assert names(leaderboard)[:3] == ["logistic", "stump", "dummy"]
    assert set(errors) == {"hanging", "huge", "raising", "nan", "killed", *ENSEMBLES}
    assert errors["blend"].startswith("training.candidates.blend: its member raising failed, of which the first says: ")
    for hanging, huge, raising in (("hanging", "huge", "raising"), ("late", "eating", "ending")):
        assert f"{hanging}: was killed after 1 s, its time_limit_s" in errors[hanging]
        assert "MiB, above its memory_limit_mb of 300" in errors[huge] or "MemoryError" in errors[huge]
        assert "n_neighbors = 5000" in errors[raising]
    assert re.search(r"nan: it predicts NaN for \d+ of 24 rows; change its parameters", errors["nan"])
    assert "killed: its process was killed by SIGSEGV" in errors["killed"]
    assert not [pid for pid in descendants(os.getpid()) if "isolation.server" in command_of(pid)]
    assert Counter(states)["FAILED"] == len(errors) - 1  # nothing is run for an ensemble that lacks a member
    assert set(states) == {"COMPLETED", "FAILED"}


@pytest.mark.browser
@needs_chromium
def test_the_ui_shows_each_failed_candidate_and_none_that_runs(
    prefect_server: str, failing_run: FailingRun, page: Page
) -> None:
    """The page of task runs, looked at after a run, has every unit as Completed or Failed."""
    page.goto(f"{prefect_server.removesuffix('/api')}/runs?tab=task-runs")

    expect(page.get_by_text("failing train", exact=True)).to_have_count(len(failing_run.states), timeout=_SHOWN_MS)
    shown = re.findall(r"^failing train\n(.+)\n(\w+)$", page.locator("body").inner_text(), re.MULTILINE)
    failed = {name.partition(",")[0].removeprefix("candidate ") for name, state in shown if state == "Failed"}
    assert Counter(state.upper() for _, state in shown) == Counter(failing_run.states)
    assert failed == {result.name for result in failing_run.leaderboard.failed} - {"blend"}


@takes_minutes("it trains")
def test_the_next_best_is_judged_where_a_finalist_fails(tmp_path: Path) -> None:
    """The best by its folds meets nulls on the hold-out alone, and fails there: two others are judged, and one serves."""
    amount = np.random.default_rng(0).normal(size=200)
    held_out = np.arange(200) >= 160
    linear = "sklearn.linear_model.LogisticRegression"
    config = pipeline(
        tmp_path,
        workers=None,
        strict={"estimator": linear, "preprocessing": "none"},
        shrunk={"estimator": linear, "params": {"C": 0.001}},
        stump={"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 1, "min_samples_leaf": 60}},
        raising=NEIGHBORS,
    )
    assert config.training is not None
    columns = {"at": np.arange(200), "x": pa.array(amount, mask=held_out), "y": amount > 0}
    write_table(tmp_path / "tables" / "rows", columns | {"noise": np.sin(amount * 1e3)})
    changes = {"query": "SELECT * FROM rows", "split": TimeSplit(by="time", column="at"), "finalists": 2}
    asked = config.training.model_copy(update=changes)

    leaderboard = asyncio.run(train(config.model_copy(update={"training": asked}), tmp_path))

    errors = {result.name: str(result.error) for result in leaderboard.failed}
    strict = next(line for line in leaderboard.lines if line.name == "strict")
    assert np.mean(strict.result.fold_scores) > max(line.score or 0 for line in leaderboard.lines)
    assert {line.name for line in leaderboard.lines if line.finalist} == {"shrunk", "stump", "dummy"}
    assert set(errors) == {"strict", "raising"}
    assert re.match(r"not judged on the hold-out: .*strict: ValueError: Input X contains NaN", errors["strict"])
    assert leaderboard.best is leaderboard.lines[0]
    assert leaderboard.best.p_best is None
    assert leaderboard.best.finalist is not None
    assert len(leaderboard.best.finalist.learning_curve) == 4


@takes_minutes("it trains by processes")
async def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, prefect_server: str) -> None:
    """What it did is done again; no task run stays Running."""
    config, since = slow_pipeline(tmp_path), datetime.now(UTC)
    killed: list[int] = []

    def kill_once(_: ProgressEvent) -> None:
        if not killed:
            for worker in multiprocessing.active_children():
                killed.append(worker.pid or 0)
                worker.kill()

    with subscribed(kill_once):
        leaderboard = await train(config, tmp_path)

    assert killed
    assert set(await asyncio.to_thread(states_of_task_runs, prefect_server, since)) <= {
        "COMPLETED",
        "CRASHED",
        "FAILED",
    }
    assert {line.name for line in leaderboard.lines} == {"logistic", "slow", "slower", "stacked", "dummy"}
    assert not leaderboard.failed


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """Killed while it fits, and where all is tried once an ensemble of all is made: only what is missing is fitted, and the scores are those of this one process."""
    config, folder = slow_pipeline(tmp_path, workers=1), DataFolder.at(tmp_path)
    models = folder.models("iris")

    for results in KILLED_AT:
        with subprocess.Popen([sys.executable, "-c", _RUN, str(tmp_path)], stderr=subprocess.DEVNULL) as run:
            wait_until(partial(has_results, models, results))
            started = descendants(run.pid)
            run.kill()
        wait_until(partial(have_ended, started))
    before = {path: path.stat().st_mtime_ns for path in models.glob("candidates/*/*.json")}
    assert not (models / "leaderboard.json").exists()
    asyncio.run(train(config, tmp_path))

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(before) >= KILLED_AT[-1]
    training_set = write_training_set(config.training, {"rows": folder.table("rows")}, folder.training("iris"))
    jobs = plan_jobs(config.training, training_set, tmp_path / "alone")
    lines = {line["name"]: line for line in read_json(models / "leaderboard.json")["candidates"]}
    for job in jobs:
        assert lines[job.name]["fold_scores"] == [evaluate_fold(job, fold).score for fold in range(5)]
        assert lines[job.name]["holdout"] == judge_finalist(job).score


def has_results(models: Path, number: int) -> bool:
    return len(list(models.glob("candidates/*/*.json"))) >= number


def have_ended(processes: set[int]) -> bool:
    return not any(map(is_running, processes))


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120  # a bound for a busy machine, not a figure
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()
