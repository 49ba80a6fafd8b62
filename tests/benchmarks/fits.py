"""The work of the benchmark of training: candidates on flights, and one fit of one fold, the same for all peers."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from deployments.sample.data import read_flight_lines
from tasks.config import Training
from tasks.core.child_process import exit_with_parent
from tasks.train.checks.training_set import write_training_set
from tasks.train.evaluation.job import CandidateJob, plan_jobs

ROWS = 60_000
FOLDS = 5
_BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
_FOREST = "sklearn.ensemble.RandomForestClassifier"
_LOGISTIC = "sklearn.linear_model.LogisticRegression"
CANDIDATES: dict[str, Any] = {
    "boosting": {"estimator": _BOOSTING, "params": {"max_iter": 100, "early_stopping": False}},
    "boosting-slow": {
        "estimator": _BOOSTING,
        "params": {"max_iter": 200, "learning_rate": 0.05, "early_stopping": False},
    },
    "forest": {"estimator": _FOREST, "params": {"min_samples_leaf": 10}},
    "forest-deep": {"estimator": _FOREST, "params": {"min_samples_leaf": 2}},
    "logistic": {"estimator": _LOGISTIC, "params": {"max_iter": 200}},
    "logistic-strong": {"estimator": _LOGISTIC, "params": {"max_iter": 200, "C": 0.01}},
    "tree": {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"min_samples_leaf": 50}},
    "bayes": {"estimator": "sklearn.naive_bayes.GaussianNB"},
}
QUERY = """
SELECT arr_delay >= 15 AS late, month, day, hour, minute, sched_arr_time, distance, carrier, origin, dest, flight
FROM flights WHERE arr_delay IS NOT NULL ORDER BY time_hour, carrier, flight, origin
"""


def training_of(candidates: dict[str, Any], workers: int, rows: int = ROWS, **asked: Any) -> Training:
    """Return the training section of the benchmark, and what else is asked for in it."""
    return Training.model_validate(
        {
            "query": QUERY,
            "target": "late",
            "metric": "roc_auc",
            "sample_rows": rows,
            "split": {"by": "random", "folds": FOLDS},
            "runner": {"kind": "processes", "workers": workers},
            "candidates": candidates,
            **asked,
        }
    )


def plan(folder: Path, training: Training, name: str) -> tuple[CandidateJob, ...]:
    """Return the jobs of a training whose results go to a folder of that name."""
    table = folder / "tables" / "flights"
    if not table.exists():
        write_flights(table)
    training_set = write_training_set(training, {"flights": table}, folder / f"training-{training.sample_rows}")
    return plan_jobs(training, training_set, folder / "models" / name)


def write_flights(table: Path) -> None:
    """Write the flights of the year as a table."""
    header, lines = read_flight_lines()
    table.mkdir(parents=True)
    flights = pa_csv.read_csv(pa.BufferReader(b"".join([header, *lines])))
    pq.write_table(flights, table / "part-0.parquet")


def tell(work: Callable[[tuple[CandidateJob, ...]], dict[str, list[float]]]) -> None:
    """Do a peer's work in this process, whose argument is the folder, and print its seconds and its scores."""
    exit_with_parent()
    jobs = plan(Path(sys.argv[1]), training_of(CANDIDATES, workers=2), "peers")
    start = time.perf_counter()
    scores = work(jobs)
    print(json.dumps({"seconds": time.perf_counter() - start, "scores": scores}), flush=True)
