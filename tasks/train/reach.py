"""Whether a worker, perhaps on another machine, reaches the data folder of the run."""

from __future__ import annotations

import os
import socket

from tasks.errors import TrainingError
from tasks.train.jobs import CandidateJob


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
        worker = f"the worker {socket.gethostname()} (process {os.getpid()})"
        raise TrainingError(
            f"{path}: {worker} cannot reach it ({error.strerror}); put the data folder on storage that every worker "
            "mounts at the same path, and give that path as data"
        ) from None
