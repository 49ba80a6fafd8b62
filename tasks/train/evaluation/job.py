"""What is to be evaluated: one job a candidate, with a fingerprint of all its result depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from tasks.config import Candidate, Training
from tasks.config.metrics import METRICS
from tasks.core.own_code import code_versions
from tasks.core.registry import import_path
from tasks.core.storage import fingerprint, hash_file
from tasks.train.data.split_file import SavedSplit, keep_split
from tasks.train.data.training_set import Problem, TrainingSet, versions
from tasks.train.models.estimators import BASELINE, is_own

BASELINES: dict[Problem, Candidate] = {
    "classification": Candidate(estimator="sklearn.dummy.DummyClassifier", params={"strategy": "prior"}),
    "regression": Candidate(estimator="sklearn.dummy.DummyRegressor", params={"strategy": "mean"}),
}
EVALUATION = 6  # to be raised when the same candidate would be evaluated otherwise than before
_LIMITS = {"time_limit_s", "memory_limit_mb"}  # they decide whether there is a result, never which


@dataclass(frozen=True)
class CandidateJob:
    """One candidate to be evaluated on the folds of the training rows, and perhaps on the hold-out."""

    name: str
    candidate: Candidate
    training: Training
    training_set: TrainingSet
    split: SavedSplit
    models: Path
    """Folder of the pipeline's models."""
    versions: Mapping[str, str]
    """Of the packages that the results depend on."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metrics of extensions, by their paths: hashes of the modules that compute them."""

    @cached_property
    def fingerprint(self) -> str:
        """Return the fingerprint of all that the results depend on; a finished one is not fitted again."""
        return fingerprint(
            {
                "evaluation": EVALUATION,
                "training_set": self.training_set.fingerprint,
                "target": self.training.target,
                "task": self.training_set.task,
                "positive": self.training_set.positive,
                "split": self.training.split.model_dump(),
                "metric": self.training.metric,
                "seed": self.training.seed,
                **({"weights": self.training.weights} if self.training.weights else {}),
                "candidate": self.candidate.model_dump(exclude=_LIMITS),
                "versions": self.versions,
                **({"metrics": self.metrics} if self.metrics else {}),
                **({"kept_from_models": kept} if (kept := self._kept_from_models) else {}),
            }
        )

    @property
    def _kept_from_models(self) -> list[str]:
        """Return the columns that only slices are made by."""
        return sorted(each.column for each in self.training.slicings if not each.feature)

    @property
    def folder(self) -> Path:
        """Return the folder of the candidate's results and model."""
        return self.models / "candidates" / f"{self.name}-{self.fingerprint[:12]}"

    @property
    def own_packages(self) -> tuple[str, ...]:
        """Return the packages of the user's own that the candidate's classes are of."""
        return own_packages(self.candidate)

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Return the module of the candidate's estimator, to be imported once for all fits; what is the user's own belongs in processes that may be killed."""
        return () if is_own(self.candidate.estimator) else (self.candidate.estimator.rpartition(".")[0],)


def plan_jobs(training: Training, training_set: TrainingSet, models: Path) -> tuple[CandidateJob, ...]:
    """Return the jobs of a training, the baseline first."""
    split = keep_split(training, training_set)
    candidates = {BASELINE: BASELINES[training_set.task], **training.candidates}
    metrics = {path: _hash_module(path) for path in sorted(METRICS.outside().values())}
    return tuple(
        CandidateJob(name, candidate, training, training_set, split, models, versions_for(candidate), metrics)
        for name, candidate in candidates.items()
    )


def versions_for(candidate: Candidate) -> dict[str, str]:
    """Return the versions that this process has of what a candidate's results depend on."""
    package, own = candidate.estimator.partition(".")[0], own_packages(candidate)
    others = () if package == "sklearn" or package in own else (package,)
    return versions("scikit-learn", "numpy", "scipy", "pandas", "skops", *others) | code_versions(own)


def own_packages(candidate: Candidate) -> tuple[str, ...]:
    """Return the packages of the user's own that a candidate's classes are of."""
    return tuple(sorted({path.partition(".")[0] for path in (candidate.estimator,) if is_own(path)}))


def _hash_module(path: str) -> str:
    """Return the hash of the file that defines what a path leads to: when it is edited, its figures are others."""
    found = import_path(path)
    spec = find_spec((found if isinstance(found, type) else type(found)).__module__)
    return hash_file(Path(spec.origin)) if spec and spec.has_location and spec.origin else ""
