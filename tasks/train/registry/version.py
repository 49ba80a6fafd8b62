"""Versions of a pipeline's model: one folder each, written whole and never changed."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from pydantic import BaseModel, ConfigDict, JsonValue

from tasks.config import DecisionRule, Label, QueryLimits, Split
from tasks.core.errors import ConfigError
from tasks.core.own_code import code_versions
from tasks.core.storage import json_reader
from tasks.train.assessment.assess import Assessment
from tasks.train.data.drift import Reference
from tasks.train.data.training_set import Problem
from tasks.train.evaluation.results import Calibration, Combination

VERSION_FILE = "metrics.json"
CARD = "model_card.md"
ENVIRONMENT = "environment.json"
_NAME = re.compile(r"v(?P<number>\d{4,})-[0-9a-f]{8}")


class _Kept(BaseModel):
    """A part of a pipeline as it was: what is not read of it again may be of another version, or of an extension."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class KeptFinal(_Kept):
    """The final model of a stack, as its pipeline declared it."""

    params: dict[str, JsonValue] = {}


class KeptCandidate(_Kept):
    """A candidate, as its pipeline declared it."""

    estimator: str = ""
    """Import path; an ensemble has none."""
    params: dict[str, JsonValue] = {}
    vote: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()
    final: KeptFinal | None = None
    """None where the pipeline leaves it to the training."""

    @property
    def members(self) -> tuple[str, ...]:
        """Return the candidates that an ensemble is made of."""
        return (*self.vote, *self.stack)

    @property
    def made_by(self) -> str:
        """Return in a few words what it is."""
        kind = "vote" if self.vote else "stack"
        return self.estimator or f"a {kind} of {', '.join(self.members)}"


class KeptTraining(_Kept):
    """What is read again of the training section that a version is of; `metrics.json` has all of it."""

    query: str
    query_limits: QueryLimits = QueryLimits()
    split: Split
    seed: int
    weights: str | None = None
    trusted: tuple[str, ...] = ()
    decision: DecisionRule | None = None
    candidates: dict[str, KeptCandidate]


@dataclass(frozen=True)
class Environment:
    """What a version was made with; `environment.json` of its folder."""

    python: str
    platform: str
    packages: dict[str, str | None]


@dataclass(frozen=True)
class Version:
    """A model that may serve, and all that is known of it; `metrics.json` of its folder.

    `score` is the metric as scikit-learn scores it, greater is better, on the
    hold-out, and `cv_score` its mean over the folds; `metrics` are the usual
    ones of the task in their own units and direction.
    """

    name: str
    pipeline: str
    candidate: str
    fingerprint: str
    """Fingerprint of all that the version depends on: its model, and what its assessment was asked for."""
    training_set: str
    """Fingerprint of the training set's file."""
    created: str
    task: Problem
    target: str
    metric: str
    score: float
    interval: tuple[float, float] | None
    """None where no draw of the held-out rows defines the metric."""
    cv_score: float
    cv_interval: tuple[float, float]
    p_dummy: float | None
    metrics: dict[str, float]
    training_rows: int
    test_rows: int
    folds: int
    params: dict[str, Any]
    features: dict[str, str]
    """Kind of each feature: number, truth, time or text."""
    importances: dict[str, tuple[float, float]]
    learning_curve: list[tuple[int, float, float]]
    equals: list[str]
    """Candidates that are within noise of this one."""
    warnings: list[str]
    training: KeptTraining
    positive: Label | None = None
    """The positive one of two classes, of which f1 and pr_auc are."""
    guessed: tuple[str, ...] = ()
    """What of task and positive the pipeline file left to a guess."""
    reference: dict[str, Reference] = field(default_factory=dict)
    """How the features were spread over the rows learnt from."""
    model: str = ""
    """Fingerprint of all that the model depends on: training set, candidate, seed, library versions; versions made before it was kept have none."""
    combination: Combination | None = None
    """Of an ensemble."""
    calibration: Calibration | None = None
    """What correcting its probabilities made of it, where the candidate asks for that."""
    assessment: Assessment | None = None
    """What is known of the model beside its scores, and what its predictions become."""
    types: tuple[str, ...] = ()
    """Types of the user's own that the model is made of; beside them it has those that every model may have."""
    code: dict[str, str] = field(default_factory=dict)
    """What tells the code of all packages that the pipeline file trusted, where the model or the split is of such."""
    flow_run: str = ""
    """The id of the Prefect flow run that published it; versions made before it was kept have none."""

    @property
    def of_model(self) -> str:
        """Return what tells its model from others."""
        return self.model or self.fingerprint

    @property
    def changed(self) -> str | None:
        """Return which packages that its classes may be of have other code now, in a clause; None where none has."""
        now = code_versions(self.code) if self.types else {}
        names = [name for name, told in now.items() if told != self.code[name]]
        verb = "has" if len(names) == 1 else "have"
        return f"{' and '.join(names)} {verb} changed since {self.name} was made" if names else None

    @property
    def declared(self) -> KeptCandidate:
        """Return the candidate, as the pipeline declared it."""
        return self.training.candidates[self.candidate]

    @property
    def members(self) -> dict[str, KeptCandidate]:
        """Return the candidates that an ensemble is made of, by their names."""
        return {name: self.training.candidates[name] for name in self.declared.members}

    @property
    def estimators(self) -> tuple[str, ...]:
        """Return the import paths of all that is fitted within the model."""
        final = self.combination.final if self.combination else None
        return tuple(
            filter(None, (self.declared.estimator, *(each.estimator for each in self.members.values()), final))
        )

    @property
    def declared_params(self) -> dict[str, JsonValue]:
        """Return the parameters that the pipeline declared; of an ensemble, by member, and of its final model by `final`."""
        params = [(name, each.params) for name, each in self.members.items()]
        if self.declared.final is not None:
            params.append(("final", self.declared.final.params))
        return self.declared.params | {f"{name}.{key}": value for name, each in params for key, value in each.items()}


_read = json_reader(Version)
read_environment = json_reader(Environment)


def list_versions(models: Path) -> list[Version]:
    """Return the versions of a pipeline, the oldest first."""
    found = (read_version_in(folder) for folder in folders_of(models))
    return [known for known in found if known is not None]


def read_version_in(folder: Path) -> Version | None:
    """Return the version in a folder; None where it is damaged."""
    return _read(folder / VERSION_FILE)


def read_version(models: Path, name: str) -> Version:
    """Return a version by its name.

    Raises:
        ConfigError: when there is none of that name.

    """
    known = {each.name: each for each in list_versions(models)}
    if name not in known:
        there = f"it has {', '.join(known)}" if known else "it has none yet; run the pipeline first"
        raise ConfigError(f"{name!r} is not a version of {models.name}; {there}")
    return known[name]


def is_model_intact(path: Path) -> bool:
    """Return whether a model's file is there, and every byte of it as it was written."""
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, BadZipFile, zlib.error):
        return False


def folders_of(models: Path) -> list[Path]:
    """Return the folders of a pipeline's versions, the oldest first."""
    if not models.is_dir():
        return []
    return sorted((path for path in models.iterdir() if _NAME.fullmatch(path.name)), key=number_of)


def number_of(folder: Path) -> int:
    """Return the number of a version, by its folder."""
    match = _NAME.fullmatch(folder.name)
    assert match
    return int(match["number"])
