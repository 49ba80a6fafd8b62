"""Rows and models handed over through a store, between a run and workers that share no disk with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tasks.core.errors import RunnerError, TrainingError
from tasks.runners.dask import DaskRunner
from tasks.runners.worker_check import check_run
from tasks.train.evaluation.folds import evaluate_fold
from tasks.train.evaluation.holdout import judge_finalist, measure_importances
from tasks.train.evaluation.job import CandidateJob
from tasks.train.evaluation.results import FoldResult, HoldoutResult, kept_part
from tasks.train.execution.pool import Workers
from tasks.train.execution.shared_store import SETS_KEPT, SharedStore, check_versions
from tasks.train.execution.units import Unit
from tests.train.conftest import sklearn_table

Jobs = Callable[..., dict[str, CandidateJob]]


@pytest.fixture
def store(tmp_path: Path) -> SharedStore:
    """Return the store of a run through a folder of this machine."""
    (tmp_path / "store").mkdir()
    return SharedStore.within(f"file://{tmp_path}/store/")


def test_a_worker_reads_and_writes_in_a_folder_of_its_own(jobs: Jobs, store: SharedStore, tmp_path: Path) -> None:
    """Its results are those of the run's machine, which receives them; nothing is left in the store, nor of models there."""
    job, own = jobs(sklearn_table("iris"))["logistic"], tmp_path / "worker"
    store.offer(job)
    with store.taken(job, own) as local:
        judged, fold = judge_finalist(local), evaluate_fold(local, 0)
        assert own in local.training_set.path.parents
        assert own in local.split.path.parents
        assert own in local.folder.parents

    store.receive(job, [judged, fold])
    store.clear()

    assert replace(judged, fit_s=0) == replace(judge_finalist(job), fit_s=0)
    assert (kept_part(job, HoldoutResult), kept_part(job, FoldResult, 0)) == (judged, fold)
    assert list((tmp_path / "store").iterdir()) == []
    assert list(own.rglob("*.skops")) == []


def test_units_of_one_candidate_do_not_meet(jobs: Jobs, store: SharedStore, tmp_path: Path) -> None:
    """A thread of a worker may end with a point of a learning curve while another still needs the model it made."""
    job, own = jobs(sklearn_table("iris"))["logistic"], tmp_path / "worker"
    store.offer(job)

    with store.taken(job, own) as judging:
        judge_finalist(judging)
        with store.taken(job, own) as measuring:
            assert measuring.training_set.path == judging.training_set.path
        assert measure_importances(judging)


def test_nothing_is_put_there_once_the_run_has_ended(jobs: Jobs, tmp_path: Path) -> None:
    """A worker that ends later than an interrupted run would leave its model for ever."""
    job, store = jobs(sklearn_table("iris"))["logistic"], SharedStore.within("memory://ended")
    system = fsspec.filesystem("memory")
    system.mkdir("/ended")
    store.offer(job)

    stack = ExitStack()
    judge_finalist(stack.enter_context(store.taken(job, tmp_path / "worker")))
    store.clear()
    with pytest.raises(TrainingError, match=r"cannot be written \(FileNotFoundError: its run has ended\)"):
        stack.close()

    assert system.find("/ended") == []


def test_what_was_put_there_in_part_is_deleted(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends while it hands over its rows leaves none of them."""
    (tmp_path / "store").mkdir()
    job = jobs(sklearn_table("iris"))["logistic"]
    job.split.path.unlink()
    workers = Workers(DaskRunner(address="tcp://127.0.0.1:9", data_url=f"file://{tmp_path}/store"))
    monkeypatch.setattr(workers, "_opened", lambda: None)

    with pytest.raises(TrainingError, match=r"cannot be written \(FileNotFoundError: "):
        workers._submit(Unit(job, "judge"))
    workers.close()

    assert list((tmp_path / "store").iterdir()) == []


def test_a_worker_sees_whether_its_run_waits(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit is told of a folder of the data folder that is there until the run ends, whichever workers come and go; of a store it is told nothing."""
    given: list[Unit] = []

    class Opened:
        def submit(self, _task: object, parameters: dict[str, Any], **_: object) -> None:
            given.append(parameters["unit"])

    job = jobs(sklearn_table("iris"))["logistic"]
    workers = Workers(DaskRunner(address="tcp://127.0.0.1:9"))
    monkeypatch.setattr(workers, "_opened", Opened)

    workers._submit(Unit(job, "folds", (0,)))
    workers._close_runner()
    workers._submit(Unit(job, "judge"))

    (place,) = {unit.place for unit in given}
    assert place is not None
    assert place.parent == job.training_set.path.parent
    assert not place.name.endswith(".part")  # of which `clean` of another machine knows no process
    check_run(place)
    workers.close()
    with pytest.raises(RunnerError, match="its run has ended"):
        check_run(place)
    place.symlink_to(place)
    check_run(place)  # which cannot be asked for, as storage that does not answer: it may be there


def test_rows_are_fetched_once_and_checked(jobs: Jobs, store: SharedStore, tmp_path: Path) -> None:
    """What a worker has is not fetched again; what is not as it was put there is refused and not kept."""
    job = jobs(sklearn_table("iris"))["logistic"]
    with (
        pytest.raises(TrainingError, match=rf"{store.url}: cannot be read \(FileNotFoundError: "),
        store.taken(job, tmp_path / "a"),
    ):
        pass
    store.offer(job)
    with store.taken(job, tmp_path / "b") as local:
        fetched = local.training_set.path.stat().st_mtime_ns
    stored = Path(store.url.removeprefix("file://")) / "training_set.arrow"
    stored.write_bytes(stored.read_bytes()[:-1])

    with store.taken(job, tmp_path / "b") as local:
        assert local.training_set.path.stat().st_mtime_ns == fetched
    with (
        pytest.raises(TrainingError, match=r"training_set\.arrow is not as it was put there"),
        store.taken(job, tmp_path / "a"),
    ):
        pass
    assert list((tmp_path / "a").rglob("*.arrow")) == []


def test_a_worker_keeps_the_sets_of_late(jobs: Jobs, store: SharedStore, tmp_path: Path) -> None:
    """Of the training sets that a worker was handed, those used longest ago are deleted."""
    table, folders = sklearn_table("iris"), []
    for rows in range(60, 60 + 10 * (SETS_KEPT + 1), 10):
        job = jobs({name: list(column)[-rows:] for name, column in table.items()})["logistic"]
        store.clear()
        store.offer(job)
        with store.taken(job, tmp_path / "own") as local:
            folders.append(local.training_set.path.parent)

    assert [folder.is_dir() for folder in folders] == [False] + [True] * SETS_KEPT


def test_a_set_is_kept_while_a_unit_reads_it(jobs: Jobs, store: SharedStore, tmp_path: Path) -> None:
    """Whatever other sets the worker's threads are handed meanwhile."""
    table, sets = sklearn_table("iris"), list[Path]()
    with ExitStack() as stack:
        for rows in range(60, 60 + 10 * (SETS_KEPT + 1), 10):
            job = jobs({name: list(column)[-rows:] for name, column in table.items()})["logistic"]
            store.clear()
            store.offer(job)
            sets.append(stack.enter_context(store.taken(job, tmp_path / "own")).training_set.path)

        assert [path.is_file() for path in sets] == [True] * (SETS_KEPT + 1)


def test_a_worker_with_other_packages_is_refused(jobs: Jobs) -> None:
    """The package and both versions are named: scores would differ."""
    job = jobs(sklearn_table("iris"))["logistic"]
    here = job.versions["numpy"]

    check_versions(job)
    with pytest.raises(
        TrainingError, match=rf"the worker \S+ \(process \d+\) has numpy {re.escape(here)} instead of 0\.1; install"
    ):
        check_versions(replace(job, versions={**job.versions, "numpy": "0.1"}))
