"""Whether a worker, perhaps on another machine, is fit for a run: it reaches the data folder, and its packages are the run's."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tasks.errors import TrainingError
from tasks.train.jobs import CandidateJob, versions_for


def check_reach(job: CandidateJob) -> None:
    """Return where this process can read what a candidate learns from, and write its results.

    Raises:
        TrainingError: it cannot, as no other candidate could.

    """
    path = job.training_set.path
    try:
        for path in (job.training_set.path, job.rows.path):
            path.open("rb").close()
        path = job.folder
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{path}: {_this_worker()} cannot reach it ({error.strerror}); put the data folder on storage that every "
            "worker mounts at the same path, or name a store that all reach as training.runner.data_url"
        ) from None


def check_versions(job: CandidateJob) -> None:
    """Return where this process has the packages that the run has.

    Raises:
        TrainingError: it has others, which would give other results.

    """
    here = versions_for(job.candidate)
    other = [name for name, version in job.versions.items() if here[name] != version]
    if other:
        told = ", ".join(f"{name} {here[name]} instead of {job.versions[name]}" for name in other)
        raise TrainingError(f"{_this_worker()} has {told}; install there what the run has, or its scores differ")


def own_folder() -> Path:
    """Return the folder of this Dask worker, which is deleted when the worker ends."""
    from distributed import get_worker  # noqa: PLC0415 - an extra

    return Path(get_worker().local_directory) / "tidemill"


def _this_worker() -> str:
    return f"the worker {socket.gethostname()} (process {os.getpid()})"
