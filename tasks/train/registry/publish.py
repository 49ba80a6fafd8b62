"""Publishing: the best candidate of a training as a version, whole or not at all."""

from __future__ import annotations

import platform
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from tasks.config import OwnSplit
from tasks.core.errors import TrainingError
from tasks.core.own_code import code_versions
from tasks.core.storage import commit, commit_folder, commit_json, remove_stale_temp_files, write_json
from tasks.lineage.records import LINEAGE, RUN, TrainingRecord, read_training_record, write_record
from tasks.train.assessment.assess import Assessment
from tasks.train.data.training_set import TrainingSet, version_of
from tasks.train.evaluation.job import jobs_on
from tasks.train.evaluation.leaderboard import Leaderboard, Line
from tasks.train.evaluation.results import HOLDOUT_FILE, MODEL_FILE, Finalist
from tasks.train.registry.card import write_card
from tasks.train.registry.training_rows import TrainingRows, read_training_rows
from tasks.train.registry.version import (
    CARD,
    ENVIRONMENT,
    VERSION_FILE,
    Environment,
    KeptTraining,
    Version,
    folders_of,
    is_model_intact,
    list_versions,
    number_of,
    read_environment,
)

MOST_HOLDOUT_BYTES = 16 * 2**20  # a larger one stays with its candidate
_PACKAGES = ("tidemill", "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "duckdb", "skops")
_LIBRARIES = ("xgboost", "lightgbm", "catboost")  # their estimators need them again


def publish_version(models: Path, leaderboard: Leaderboard, assessment: Assessment | None = None) -> Version:
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
        wanted = assessment.fingerprint if assessment is not None else best.result.fingerprint
        known = next((v for v in list_versions(models) if v.fingerprint == wanted), None)
        if known is None:
            return _publish(models, leaderboard, assessment, best, best.finalist)
        _mend(models / known.name, known, best.finalist, leaderboard.training_set)
        return known


def _publish(
    models: Path, leaderboard: Leaderboard, assessment: Assessment | None, best: Line, finalist: Finalist
) -> Version:
    training = leaderboard.training
    training_rows = read_training_rows(training, leaderboard.training_set, leaderboard.split)
    made = _describe(models, leaderboard, best, finalist, training_rows, assessment)
    if made.code:
        _check_code(models, leaderboard, best)
    environment = _environment(made)
    record = _record_of(leaderboard.training_set)
    with commit_folder(models / made.name) as part:
        shutil.copyfile(finalist.folder / MODEL_FILE, part / MODEL_FILE)
        holdout = finalist.folder / HOLDOUT_FILE
        if holdout.is_file() and _is_small(holdout):
            shutil.copyfile(holdout, part / HOLDOUT_FILE)
        training_rows.keep(part)
        write_json(part / VERSION_FILE, asdict(made) | {"training": training.model_dump(mode="json")})
        write_json(part / ENVIRONMENT, asdict(environment))
        if record is not None:
            write_record(part / LINEAGE, record)
        (part / CARD).write_text(write_card(made, environment, record), encoding="utf-8")
    return made


def _check_code(models: Path, leaderboard: Leaderboard, best: Line) -> None:
    """Raise where the code that is there is not what the candidate was planned with, and its version would name the wrong one.

    Raises:
        TrainingError: it has changed.

    """
    jobs = jobs_on(leaderboard.split, leaderboard.training, leaderboard.training_set, models)
    if next(job.fingerprint for job in jobs if job.name == best.name) != best.result.fingerprint:
        packages = " or ".join(leaderboard.training.trusted)
        raise TrainingError(
            f"training.candidates.{best.name}: the code of {packages} was changed while it was trained, so that no version "
            "of it is kept; run it again"
        )


def _record_of(training_set: TrainingSet) -> TrainingRecord | None:
    """Return what a training set was made of; None where nothing of it, or only of another one, was kept."""
    record = read_training_record(training_set.path.parent / LINEAGE)
    return record if record is not None and record.fingerprint == training_set.fingerprint else None


def _mend(folder: Path, version: Version, finalist: Finalist, training_set: TrainingSet) -> None:
    """Make again what of a version's files is gone, or cannot be read as what it is."""
    for name, is_intact in {MODEL_FILE: is_model_intact, HOLDOUT_FILE: Path.is_file}.items():
        made = finalist.folder / name
        if not is_intact(folder / name) and made.is_file() and (name == MODEL_FILE or _is_small(made)):
            with commit(folder / name) as part:
                shutil.copyfile(made, part)
    environment = read_environment(folder / ENVIRONMENT)
    if environment is None:
        environment = _environment(version)
        commit_json(folder / ENVIRONMENT, asdict(environment))
    record = read_training_record(folder / LINEAGE)
    if record is None and version.training_set == training_set.fingerprint:
        record = _record_of(training_set)
        if record is not None:
            write_record(folder / LINEAGE, record)
    if not (folder / CARD).is_file():
        with commit(folder / CARD) as part:
            part.write_text(write_card(version, environment, record), encoding="utf-8")


def _is_small(holdout: Path) -> bool:
    return holdout.stat().st_size <= MOST_HOLDOUT_BYTES


def _describe(
    models: Path,
    leaderboard: Leaderboard,
    best: Line,
    finalist: Finalist,
    training_rows: TrainingRows,
    assessment: Assessment | None,
) -> Version:
    training, training_set, split = leaderboard.training, leaderboard.training_set, leaderboard.split
    number = 1 + max((number_of(folder) for folder in folders_of(models)), default=0)
    identity = assessment.fingerprint if assessment is not None else best.result.fingerprint
    assert best.score is not None
    assert best.interval is not None
    return Version(
        name=f"v{number:04d}-{identity[:8]}",
        pipeline=models.name,
        candidate=best.name,
        fingerprint=identity,
        training_set=training_set.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=training_set.task,
        target=training.target,
        metric=training.metric,
        score=finalist.score,
        interval=finalist.interval,
        cv_score=best.score,
        cv_interval=best.interval,
        p_dummy=best.p_dummy,
        metrics=dict(finalist.metrics),
        training_rows=split.train,
        test_rows=split.test,
        folds=len(split.folds),
        params=dict(best.result.params),
        features=training_rows.kinds,
        importances=dict(finalist.importances),
        learning_curve=list(finalist.learning_curve),
        equals=[line.name for line in leaderboard.lines if line.within_noise and line.name != best.name],
        warnings=[*training_set.warnings, *best.result.warnings],
        training=KeptTraining.model_validate(training.model_dump(mode="json")),
        positive=training_set.positive,
        guessed=training_set.guessed,
        reference=training_rows.reference,
        model=best.result.fingerprint,
        calibration=finalist.calibration,
        combination=finalist.combination,
        assessment=assessment,
        types=finalist.types,
        code=code_versions(training.trusted) if finalist.types or isinstance(training.split, OwnSplit) else {},
        flow_run=RUN.get(),
    )


def _environment(version: Version) -> Environment:
    used = {path.partition(".")[0] for path in version.estimators}
    packages = (*_PACKAGES, *(name for name in _LIBRARIES if name in used))
    versions = {name: version_of(name) for name in packages} | version.code
    return Environment(platform.python_version(), platform.platform(), versions)
