"""What a run and workers on other machines share: the data folder, or files handed over through a store that all reach."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

from tasks.core.errors import TrainingError
from tasks.core.storage import commit, hash_file
from tasks.runners.worker_check import this_worker
from tasks.train.evaluation.job import CandidateJob, versions_for
from tasks.train.evaluation.results import (
    HOLDOUT_FILE,
    MODEL_FILE,
    EvaluationResult,
    FoldResult,
    HoldoutResult,
    Refit,
    fold_file,
    keep_part,
)


def check_reach(job: CandidateJob) -> None:
    """Raise unless this process can read what a candidate learns from, and write its results.

    Raises:
        TrainingError: it cannot, as no other candidate could.

    """
    path = job.training_set.path
    try:
        for path in (job.training_set.path, job.split.path):
            path.open("rb").close()
        path = job.folder
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{path}: {this_worker()} cannot reach it ({error.strerror}); put the data folder on storage that every "
            "worker mounts at the same path, or name a store that all reach as training.runner.data_url"
        ) from None


def check_versions(job: CandidateJob) -> None:
    """Raise unless this process has the packages that the run has.

    Raises:
        TrainingError: it has others, which would give other results.

    """
    here = versions_for(job)
    other = [name for name, version in job.versions.items() if here[name] != version]
    if other:
        told = ", ".join(f"{name} {here[name]} instead of {job.versions[name]}" for name in other)
        raise TrainingError(f"{this_worker()} has {told}; install there what the run has, or its scores differ")


SETS_KEPT = 3  # training sets in a worker's own folder, of the runs that it worked for last; more where more runs have units there


@dataclass(frozen=True)
class SharedStore:
    """A folder of a store, of one run: the run puts in the rows, the workers their models; it is empty in the end."""

    url: str

    @classmethod
    def within(cls, url: str) -> SharedStore:
        """Return the store of a new run below `url`."""
        return cls(f"{url.rstrip('/')}/run-{uuid4().hex[:16]}")

    def offer(self, job: CandidateJob) -> None:
        """Put into the store what every candidate of a training reads.

        Raises:
            TrainingError: the store cannot be written.

        """
        with self._opened("cannot be written") as (system, root):
            system.mkdir(root, create_parents=False)  # some stores would make a bucket of a misspelt name
            for path in (job.training_set.path, job.split.path):
                system.put_file(str(path), f"{root}/{path.name}")

    def offer_members(self, job: CandidateJob, names: Sequence[str]) -> None:
        """Put files of an ensemble's members into the store, where no worker has put them there.

        Raises:
            TrainingError: the store cannot be written.

        """
        with self._opened("cannot be written") as (system, root):
            system.invalidate_cache()
            for path in (member.folder / name for member in job.members for name in names):
                if not system.exists(f"{root}/{path.parent.name}-{path.name}"):
                    system.put_file(str(path), f"{root}/{path.parent.name}-{path.name}")

    @contextmanager
    def taken(self, job: CandidateJob, folder: Path, names: Sequence[str] = ()) -> Iterator[CandidateJob]:
        """Yield the job as it reads and writes in `folder`, a worker's own; its model is then put into the store.

        `names` are the files that it needs of an ensemble's members.

        Raises:
            TrainingError: the store cannot be read or written.

        """
        local = self._take(job, folder)
        try:
            for path in (member.folder / name for member in local.members for name in names):
                self._fetch(path, name=f"{path.parent.name}-{path.name}")
            yield local
            self._give_back(local)
        finally:
            shutil.rmtree(local.models, ignore_errors=True)

    def _take(self, job: CandidateJob, folder: Path) -> CandidateJob:
        """Return the job as it is in `folder`, to which what it reads is fetched once a training set."""
        own = folder / job.training_set.fingerprint[:16]
        rows = own / job.split.path.name
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            self._fetch(rows)
            table = self._fetch(own / job.training_set.path.name, job.training_set.fingerprint)
            own.touch()
            models = folder / "models" / f"{own.name}-{uuid4().hex}"  # threads have units of one candidate at once
            models.mkdir(parents=True)
            _keep_latest(folder)
        return job.moved(
            training_set=replace(job.training_set, path=table),
            split=replace(job.split, path=rows),
            models=models,
        )

    def _fetch(self, path: Path, sha256: str | None = None, name: str | None = None) -> Path:
        """Return the path, to which the store's file of its name is fetched unless it is there; `sha256` is to be its hash."""
        if not path.exists():
            with self._opened("cannot be read") as (system, root), commit(path) as part:
                system.get_file(f"{root}/{name or path.name}", str(part))
                if sha256 not in (None, hash_file(part)):
                    raise OSError(f"{path.name} is not as it was put there")
        return path

    def _give_back(self, job: CandidateJob) -> None:
        """Put the model and what it says of rows, where a worker made them, into the store."""
        names = (HOLDOUT_FILE, MODEL_FILE, *(fold_file(fold) for fold in range(len(job.split.folds))))
        made = [path for name in names if (path := job.folder / name).exists()]
        if made:
            with self._opened("cannot be written") as (system, root):
                system.invalidate_cache()
                if not system.exists(f"{root}/{job.split.path.name}"):  # what is put there now stays there
                    raise FileNotFoundError("its run has ended")
                for path in made:
                    system.put_file(str(path), f"{root}/{job.folder.name}-{path.name}")

    def receive(self, job: CandidateJob, parts: Sequence[EvaluationResult]) -> None:
        """Keep the results of a job, which a worker has told, in the job's folder; what its model says of rows, and the model of a judged one, is fetched.

        Raises:
            TrainingError: the store cannot be read.

        """
        for part in parts:
            if part.error is not None:
                continue
            for name in _files_of(part):
                with self._opened("cannot be read") as (system, root), commit(job.folder / name) as path:
                    system.get_file(f"{root}/{job.folder.name}-{name}", str(path))
            keep_part(job, part)

    def clear(self) -> None:
        """Delete the folder; where that fails it is left, which harms no run."""
        with suppress(TrainingError, FileNotFoundError), self._opened("cannot be cleared") as (system, root):
            system.rm(root, recursive=True)

    @contextmanager
    def _opened(self, failed: str) -> Iterator[tuple[Any, str]]:
        """Yield the store's file system, and the folder's path in it."""
        import fsspec  # noqa: PLC0415 - most trainings need no store, and their workers start sooner without it

        from tasks.core.remote_storage import missing_package  # noqa: PLC0415 - the same

        try:
            yield fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise TrainingError(f"training.runner.data_url: {missing_package(self.url, error)}") from error
        except Exception as error:  # a store fails in its own ways
            raise TrainingError(
                f"training.runner.data_url: {self.url}: {failed} ({type(error).__name__}: {error}); check the address and the credentials"
            ) from error


def _files_of(part: EvaluationResult) -> tuple[str, ...]:
    """Return the names of the files that belong to a result."""
    if isinstance(part, HoldoutResult):
        return HOLDOUT_FILE, MODEL_FILE
    if isinstance(part, Refit):
        return (MODEL_FILE,)
    return (fold_file(part.fold),) if isinstance(part, FoldResult) else ()


def _keep_latest(folder: Path) -> None:
    """Delete the training sets that were used longest ago, and that no unit uses now."""
    used = {path.name.partition("-")[0] for path in (folder / "models").iterdir()}
    sets = sorted((path for path in folder.glob("*/") if path.name != "models"), key=lambda path: path.stat().st_mtime)
    for old in sets[:-SETS_KEPT]:
        if old.name not in used:
            shutil.rmtree(old)
