"""Units of work: what one gives does not depend on how the folds are cut into units."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tasks.core.errors import RunnerError
from tasks.core.isolation.client import run_isolated, stop_call_server
from tasks.runners.worker_check import only_place_for_workers
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.results import EvaluationResult, FoldResult
from tasks.train.execution.units import Unit, run_unit
from tests.processes import descendants, is_fit
from tests.train.conftest import LOGISTIC, sklearn_table
from tests.train.test_isolation import wait_until

Jobs = Callable[..., dict[str, CandidateJob]]


@pytest.fixture(autouse=True, scope="module")
def _server_ends() -> Iterator[None]:
    """End the fit server of this module's tests after the last."""
    yield
    stop_call_server()


@pytest.fixture
def run_folds(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[EvaluationResult]]:
    """Return a function that runs a unit of folds, evaluated by a function of `tests.train.calls`."""

    def _run(function: str, *folds: int, **limits: float) -> list[EvaluationResult]:
        monkeypatch.setattr("tasks.train.execution.units._FOLDS", f"tests.train.calls:{function}")
        job = jobs(sklearn_table("iris"), candidates={"logistic": {**LOGISTIC, **limits}})["logistic"]
        return run_unit(Unit(job, "folds", folds))

    return _run


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is watched by what Linux tells")
def test_a_fold_is_not_blamed_for_memory_that_those_before_it_left(
    run_folds: Callable[..., list[EvaluationResult]],
) -> None:
    """It is evaluated in another process; one that is beyond the limit by itself has failed."""
    results = run_folds("keep_memory", 0, 1, 2, 3, memory_limit_mb=200)

    assert [(result.error, isinstance(result, FoldResult) and result.fold) for result in results] == [
        (None, fold) for fold in range(4)
    ]
    (alone,) = run_folds("keep_memory", 4, 5, memory_limit_mb=64)
    assert "above its memory_limit_mb of 64" in str(alone.error)


def test_a_process_that_dies_after_its_folds_harms_none(run_folds: Callable[..., list[EvaluationResult]]) -> None:
    """Each of them has told its result."""
    assert [result.error for result in run_folds("die_after_all", 0, 1)] == [None, None]


def test_a_unit_ends_on_a_worker_whose_run_has_ended(jobs: Jobs, tmp_path: Path) -> None:
    """The run removes the folder in which it waits; a fit that would take hours is then killed, whatever its limit is."""
    endless = {"estimator": "sklearn.svm.SVC", "params": {"C": 1e100, "tol": 1e-300}, "time_limit_s": 3600}
    job = jobs(sklearn_table("breast_cancer"), candidates={"endless": endless})["endless"]
    with only_place_for_workers(tmp_path) as left, only_place_for_workers(tmp_path) as place:
        ends = Thread(target=_end_once_it_fits, args=(place,))
        ends.start()
        with pytest.raises(RunnerError, match="its run has ended"):
            run_unit(Unit(job, "folds", (0,), place=place))
        ends.join()

        assert not left.exists()
    wait_until(lambda: not _fits())


def _end_once_it_fits(place: Path) -> None:
    wait_until(_fits)
    place.rmdir()


def _fits() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if is_fit(pid)]


def test_what_saves_models_is_imported_once_for_all_judgements_and_for_no_fold(jobs: Jobs) -> None:
    """To import it takes longer than small fits do: forks after a judgement find it there, and folds begin without it."""
    stop_call_server()
    job = jobs(sklearn_table("iris"), candidates={"logistic": LOGISTIC})["logistic"]

    run_unit(Unit(job, "folds", (0, 1)))
    before = run_isolated("tests.train.test_units:is_imported", "skops.io", time_s=120)
    (judged,) = run_unit(Unit(job, "judge"))
    after = run_isolated("tests.train.test_units:is_imported", "skops.io", time_s=120)

    assert (before.outcome, judged.error, after.outcome) == (False, None, True)


def is_imported(module: str) -> bool:
    """Return whether a module is there already."""
    return module in sys.modules
