"""Versions of a pipeline's model: one folder each, written whole and never changed."""

from __future__ import annotations

import math
import platform
import re
import shutil
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from filelock import FileLock

from tasks.config import Label, Training
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import (
    commit,
    commit_folder,
    commit_json,
    json_reader,
    read_json,
    remove_stale_temp_files,
    write_json,
)
from tasks.train.data.drift import Reference
from tasks.train.data.training_set import Problem, TrainingSet
from tasks.train.evaluation.leaderboard import Leaderboard, Line
from tasks.train.evaluation.results import HOLDOUT_FILE, MODEL_FILE, Finalist
from tasks.train.registry.training_rows import Learnt, read_learnt

METRICS = "metrics.json"
CARD = "model_card.md"
ENVIRONMENT = "environment.json"
MOST_HOLDOUT_BYTES = 16 * 2**20  # a larger one stays with its candidate
_NAME = re.compile(r"v(?P<number>\d{4,})-[0-9a-f]{8}")
_PACKAGES = ("tidemill", "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "duckdb", "skops")
_LIBRARIES = ("xgboost", "lightgbm", "catboost")  # their estimators need them again


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
    """Fingerprint of all that the model depends on: training set, candidate, seed, library versions."""
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
    training: dict[str, Any]
    """The training section of the pipeline."""
    positive: Label | None = None
    """The positive one of two classes, of which f1 and pr_auc are."""
    guessed: tuple[str, ...] = ()
    """What of task and positive the pipeline file left to a guess."""
    reference: dict[str, Reference] = field(default_factory=dict)
    """How the features were spread over the rows learnt from."""


_read = json_reader(Version)


def list_versions(models: Path) -> list[Version]:
    """Return the versions of a pipeline, the oldest first."""
    found = (_read(folder / METRICS) for folder in _folders(models))
    return [known for known in found if known is not None]


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


def publish_version(models: Path, leaderboard: Leaderboard, training: Training, training_set: TrainingSet) -> Version:
    """Commit the best candidate as a version, and return it; of one that is there already, what is lost or damaged is made again.

    Raises:
        TrainingError: when no candidate was judged on the hold-out.

    """
    best = leaderboard.best
    if best is None or best.finalist is None:
        raise TrainingError(
            "no candidate was judged on the hold-out, so there is no version to keep; see the leaderboard"
        )
    models.mkdir(parents=True, exist_ok=True)
    with FileLock(models / ".versions.lock"):
        remove_stale_temp_files(models)
        known = next((v for v in list_versions(models) if v.fingerprint == best.result.fingerprint), None)
        if known is None:
            return _publish(models, leaderboard, best, training, training_set)
        _mend(models / known.name, known, best.finalist)
        return known


def _publish(
    models: Path, leaderboard: Leaderboard, best: Line, training: Training, training_set: TrainingSet
) -> Version:
    from tasks.train.registry.card import write_card  # noqa: PLC0415 - it reads versions itself

    assert best.finalist is not None
    learnt = read_learnt(training, training_set)
    made = _describe(models, leaderboard, best, best.finalist, training, training_set, learnt)
    environment = _environment(training.candidates[best.name].estimator)
    with commit_folder(models / made.name) as part:
        shutil.copyfile(best.finalist.folder / MODEL_FILE, part / MODEL_FILE)
        holdout = best.finalist.folder / HOLDOUT_FILE
        if holdout.is_file() and _is_small(holdout):
            shutil.copyfile(holdout, part / HOLDOUT_FILE)
        learnt.keep(part)
        write_json(part / METRICS, asdict(made))
        write_json(part / ENVIRONMENT, environment)
        (part / CARD).write_text(write_card(made, environment), encoding="utf-8")
    return made


def _mend(folder: Path, known: Version, finalist: Finalist) -> None:
    """Make again what of a version's files is gone, or cannot be read as what it is."""
    from tasks.train.registry.card import write_card  # noqa: PLC0415 - it reads versions itself

    for name, is_whole in {MODEL_FILE: is_whole_model, HOLDOUT_FILE: Path.is_file}.items():
        made = finalist.folder / name
        if not is_whole(folder / name) and made.is_file() and (name == MODEL_FILE or _is_small(made)):
            with commit(folder / name) as part:
                shutil.copyfile(made, part)
    environment = read_json(folder / ENVIRONMENT)
    if not isinstance(environment, dict):
        environment = _environment(known.training["candidates"][known.candidate]["estimator"])
        commit_json(folder / ENVIRONMENT, environment)
    if not (folder / CARD).is_file():
        with commit(folder / CARD) as part:
            part.write_text(write_card(known, environment), encoding="utf-8")


def is_whole_model(path: Path) -> bool:
    """Tell whether a model's file is there, and every byte of it as it was written."""
    try:
        with ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, BadZipFile, zlib.error):
        return False


def _is_small(holdout: Path) -> bool:
    return holdout.stat().st_size <= MOST_HOLDOUT_BYTES


def _describe(  # noqa: PLR0913, PLR0917 - what a version is made of
    models: Path,
    leaderboard: Leaderboard,
    best: Line,
    finalist: Finalist,
    training: Training,
    training_set: TrainingSet,
    learnt: Learnt,
) -> Version:
    number = 1 + max((_number(folder) for folder in _folders(models)), default=0)
    assert best.score is not None
    assert best.interval is not None
    return Version(
        name=f"v{number:04d}-{best.result.fingerprint[:8]}",
        pipeline=models.name,
        candidate=best.name,
        fingerprint=best.result.fingerprint,
        training_set=training_set.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=training_set.task,
        target=training.target,
        metric=leaderboard.metric,
        score=finalist.score,
        interval=finalist.interval,
        cv_score=best.score,
        cv_interval=best.interval,
        p_dummy=best.p_dummy,
        metrics=dict(finalist.metrics),
        training_rows=leaderboard.training_rows,
        test_rows=leaderboard.test_rows,
        folds=leaderboard.folds,
        params=dict(best.result.params),
        features=learnt.kinds,
        importances={n: drop for n, drop in finalist.importances.items() if math.isfinite(sum(drop))},
        learning_curve=list(finalist.learning_curve),
        equals=[line.name for line in leaderboard.lines if line.within_noise and line.name != best.name],
        warnings=[*leaderboard.warnings, *best.result.warnings],
        training=training.model_dump(mode="json"),
        positive=training_set.positive,
        guessed=training_set.guessed,
        reference=learnt.reference,
    )


def _environment(estimator: str) -> dict[str, Any]:
    packages = (*_PACKAGES, *(name for name in _LIBRARIES if estimator.startswith(f"{name}.")))
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version_of(name) for name in packages},
    }


def _version_of(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):  # as xgboost without the parts for graphics cards is named
        with suppress(PackageNotFoundError):
            return version(name)
    return None


def _folders(models: Path) -> list[Path]:
    if not models.is_dir():
        return []
    return sorted((path for path in models.iterdir() if _NAME.fullmatch(path.name)), key=_number)


def _number(folder: Path) -> int:
    match = _NAME.fullmatch(folder.name)
    assert match
    return int(match["number"])
