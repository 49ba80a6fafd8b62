"""What is to be evaluated: one job a candidate, with a fingerprint of all its result depends on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tasks.spec import Candidate, Training
from tasks.store import fingerprint
from tasks.train.estimators import BASELINE
from tasks.train.training_set import Task, TrainingSet
from tasks.train.versions import versions

BASELINES: dict[Task, Candidate] = {
    "classification": Candidate(estimator="sklearn.dummy.DummyClassifier", params={"strategy": "prior"}),
    "regression": Candidate(estimator="sklearn.dummy.DummyRegressor", params={"strategy": "mean"}),
}


@dataclass(frozen=True)
class CandidateJob:
    """One candidate to be fitted on the training set and judged on its held-out rows."""

    name: str
    candidate: Candidate
    training: Training
    training_set: TrainingSet
    models: Path
    """Folder that holds the candidates of the pipeline."""

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of all that the result depends on; a finished one is not fitted again."""
        return fingerprint(
            {
                "training_set": self.training_set.fingerprint,
                "target": self.training.target,
                "split": self.training.split.model_dump(),
                "metric": self.training.metric,
                "seed": self.training.seed,
                "candidate": self.candidate.model_dump(),
                "versions": versions("scikit-learn", "numpy", "pandas", "skops"),
            }
        )

    @property
    def folder(self) -> Path:
        """Return the folder of the candidate's model and metrics."""
        return self.models / f"{self.name}-{self.fingerprint[:12]}"


def plan_jobs(training: Training, training_set: TrainingSet, models: Path) -> tuple[CandidateJob, ...]:
    """Return the jobs of a training, the baseline first."""
    candidates = {BASELINE: BASELINES[training_set.task], **training.candidates}
    return tuple(CandidateJob(name, c, training, training_set, models) for name, c in candidates.items())
