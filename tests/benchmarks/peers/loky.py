"""The same calls by joblib, whose processes are loky's: each is handed its rows by a file that it maps."""

from __future__ import annotations

from joblib import Parallel, delayed

from tasks.train.evaluation.job import CandidateJob
from tests.benchmarks.fits import tell
from tests.benchmarks.peers.pool import by_candidate, calls_of, train_model


def in_loky(jobs: tuple[CandidateJob, ...]) -> dict[str, list[float]]:
    """Do the work as joblib does by default."""
    return by_candidate(jobs, Parallel(n_jobs=2)(delayed(train_model)(*call) for call in calls_of(jobs)))


if __name__ == "__main__":
    tell(in_loky)
