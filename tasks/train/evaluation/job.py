"""What is to be evaluated: one job a candidate, with a fingerprint of all its result depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tasks.config import AnyCandidate, Candidate, OwnSplit, Stack, Training
from tasks.config.metrics import METRICS
from tasks.core.own_code import code_versions
from tasks.core.registry import import_path
from tasks.core.storage import fingerprint, hash_file
from tasks.train.data.split_file import SavedSplit, keep_split, split_code
from tasks.train.data.training_set import Problem, TrainingSet, versions
from tasks.train.models.estimators import BASELINE, is_own, own_paths

BASELINES: dict[Problem, Candidate] = {
    "classification": Candidate(estimator="sklearn.dummy.DummyClassifier", params={"strategy": "prior"}),
    "regression": Candidate(estimator="sklearn.dummy.DummyRegressor", params={"strategy": "mean"}),
}
FINAL_OF_AMOUNTS = Candidate(estimator="sklearn.linear_model.RidgeCV", preprocessing="none")
"""What learns from the members of a stack where the pipeline does not say; of classes it is shares that are learnt."""
EVALUATION = 6  # to be raised when the same candidate would be evaluated otherwise than before
_LIMITS = {"time_limit_s", "memory_limit_mb"}  # they decide whether there is a result, never which


@dataclass(frozen=True)
class CandidateJob:
    """One candidate to be evaluated on the folds of the training rows, and perhaps on the hold-out."""

    name: str
    candidate: AnyCandidate
    training: Training
    training_set: TrainingSet
    split: SavedSplit
    models: Path
    """Folder of the pipeline's models."""
    versions: Mapping[str, str]
    """Of the packages that the results depend on."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metrics of extensions, by their paths: hashes of the modules that compute them."""
    members: tuple[CandidateJob, ...] = ()
    """The jobs of the candidates that an ensemble is made of."""

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
                **({"members": [member.fingerprint for member in self.members]} if self.members else {}),
                **({"metrics": self.metrics} if self.metrics else {}),
                **({"kept_from_models": kept} if (kept := self._kept_from_models) else {}),
                **({"drawn": hash_file(self.split.path)} if isinstance(self.training.split, OwnSplit) else {}),
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
    def single(self) -> Candidate:
        """Return the candidate of a job that is no ensemble's."""
        assert isinstance(self.candidate, Candidate)
        return self.candidate

    @property
    def final(self) -> Candidate | None:
        """Return what learns from the members of a stack; None where shares of a mean do, and of another candidate."""
        if not isinstance(self.candidate, Stack):
            return None
        usual = FINAL_OF_AMOUNTS if self.training_set.task == "regression" else None
        return self.training.fitted.get(f"{self.name}.final", usual)

    @property
    def fitted(self) -> tuple[Candidate, ...]:
        """Return all that is fitted for the candidate, an ensemble's members among them."""
        own = [self.candidate] if isinstance(self.candidate, Candidate) else [self.final] if self.final else []
        return (*(each for member in self.members for each in member.fitted), *own)

    @property
    def estimators(self) -> tuple[str, ...]:
        """Return the import paths of the estimators of all that is fitted for the candidate."""
        return tuple(each.estimator for each in self.fitted)

    @property
    def own_packages(self) -> tuple[str, ...]:
        """Return the packages of the user's own that the candidate's classes are of."""
        return tuple(sorted({path.partition(".")[0] for each in self.fitted for path in own_paths(each)}))

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Return the modules of the candidate's estimators, to be imported once for all fits; what is the user's own belongs in processes that may be killed."""
        return tuple(path.rpartition(".")[0] for path in self.estimators if not is_own(path))

    def moved(self, **changes: Any) -> CandidateJob:
        """Return the job with something else in it and in its members."""
        return replace(self, **changes, members=tuple(member.moved(**changes) for member in self.members))


def plan_jobs(training: Training, training_set: TrainingSet, models: Path) -> tuple[CandidateJob, ...]:
    """Return the jobs of a training, the baseline first."""
    return jobs_on(keep_split(training, training_set), training, training_set, models)


def jobs_on(split: SavedSplit, training: Training, training_set: TrainingSet, models: Path) -> tuple[CandidateJob, ...]:
    """Return the same on a split that is drawn already."""
    candidates = {BASELINE: BASELINES[training_set.task], **training.candidates}
    metrics = {path: _hash_module(path) for path in sorted(METRICS.outside().values())}
    planned: dict[str, CandidateJob] = {}
    for name in sorted(candidates, key=lambda name: bool(candidates[name].members)):  # ensembles after their members
        candidate = candidates[name]
        members = tuple(planned[member] for member in candidate.members)
        job = CandidateJob(name, candidate, training, training_set, split, models, {}, metrics, members)
        planned[name] = replace(job, versions=versions_for(job))
    return tuple(planned[name] for name in candidates)


def versions_for(job: CandidateJob) -> dict[str, str]:
    """Return the versions that this process has of what a candidate's results depend on."""
    packages = {path.partition(".")[0] for path in job.estimators} - {"sklearn", *job.own_packages}
    libraries = versions("scikit-learn", "numpy", "scipy", "pandas", "skops", *sorted(packages))
    trusted = job.training.trusted if job.own_packages else ()  # a class may be derived from one of another of them
    return libraries | code_versions([*job.own_packages, *trusted]) | split_code(job.training.split)


def _hash_module(path: str) -> str:
    """Return the hash of the file that defines what a path leads to: when it is edited, its figures are others."""
    found = import_path(path)
    spec = find_spec((found if isinstance(found, type) else type(found)).__module__)
    return hash_file(Path(spec.origin)) if spec and spec.has_location and spec.origin else ""
