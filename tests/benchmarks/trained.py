"""The training that is measured: candidates evaluated by the workers of a flow on a running Prefect server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from prefect import flow

from flows.cli.flush import flush
from flows.cli.prefect_api import PrefectApi
from tasks.core.child_process import exit_with_parent
from tasks.core.progress import subscribed
from tasks.runners.processes import ProcessesRunner
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.results import CandidateResult
from tasks.train.execution.pool import opened_workers
from tasks.train.execution.schedule import evaluate_all
from tests.benchmarks.fits import CANDIDATES, plan, training_of

_FEW_ROWS = 1_000
_DUMMIES = 20


@flow(name="benchmark", persist_result=False)
async def evaluate(jobs: tuple[CandidateJob, ...]) -> dict[str, Any]:
    """Evaluate the jobs and return seconds, by part, and scores."""
    ends: list[float] = []
    runner = jobs[0].training.runner
    assert isinstance(runner, ProcessesRunner)
    start = time.perf_counter()
    with subscribed(lambda _: ends.append(time.perf_counter() - start)):
        async with opened_workers(runner) as workers:
            results = await evaluate_all(jobs, workers, fresh=True)
            seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "first_s": ends[0],
        "work_s": sum((result.fold_s or 0.0) * len(result.fold_scores) for result in results),
        "scores": {result.name: list(result.fold_scores) for result in results},
        "longest_s": max(_longest(results)),
    }


def _longest(results: list[CandidateResult]) -> list[float]:
    return [result.fold_s or 0.0 for result in results]


def main() -> None:
    """Do what the arguments say: the folder, what to evaluate (candidates, dummies, none), and the number of workers."""
    exit_with_parent()
    folder, what, workers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    dummy = {"estimator": "sklearn.dummy.DummyClassifier"}
    few = {"candidates": 8, "dummies": _DUMMIES, "none": 1}[what]
    candidates = CANDIDATES if what == "candidates" else {f"dummy-{number}": dummy for number in range(few)}
    training = training_of(candidates, workers, *(() if what == "candidates" else (_FEW_ROWS,)))
    jobs = plan(folder, training, f"{what}-{workers}")
    print(json.dumps(asyncio.run(evaluate(jobs))), flush=True)
    flush(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)


if __name__ == "__main__":
    main()
