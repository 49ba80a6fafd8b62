"""Versions of models that neither serve nor are needed by what is kept, and predictions of such versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.clean.item import Item, Place
from tasks.core.errors import TrainingError
from tasks.core.storage import DataFolder
from tasks.train.predict.awaited import WEEK, list_kept, made_at, read_awaited, read_kept, week_of
from tasks.train.predict.output import MADE_BY, rejects_beside
from tasks.train.registry.champion import LOCK, Champion, read_champion
from tasks.train.registry.version import VERSION_FILE, folders_of, read_version_in


def find_models(folder: DataFolder, before: float) -> Iterator[Place]:
    """Yield the predictions and versions of each pipeline; those made after `before`, in seconds since 1970, stay."""
    for models in sorted((folder.root / "models").glob("*/")):
        predictions = folder.predictions(models.name)
        locks = (models / LOCK, folder.training(models.name) / ".lock")
        truth = folder.truth(models.name)
        yield Place(partial(_look, models, predictions, truth, before), (*locks, truth / ".lock"))


def _look(models: Path, predictions: Path, truth: Path, before: float) -> Iterator[Item]:
    try:
        champion = read_champion(models)
    except TrainingError:
        yield Item(
            "model versions", models.name, (), "its champion.json is damaged, so that it is not known which serves"
        )
        return
    by: dict[str, str] = {}
    for path in sorted(predictions.glob("[!._]*.parquet")):
        version = _version_of(path)
        kept = _why_prediction_kept(path, version, champion, before)
        if kept is not None and version is not None:
            by.setdefault(version, path.name)
        yield Item("predictions", f"predictions/{models.name}/{path.name}", (path, rejects_beside(path)), kept)
    for item, version in _look_at_kept(truth, before):
        if item.kept is not None and version is not None:
            by.setdefault(version, item.name)
        yield item
    versions = folders_of(models)
    needed = _needed(champion, [folder.name for folder in versions], by)
    for folder in versions:
        kept = needed.get(folder.name) or (None if _made_at(folder) < before else "younger")
        yield Item("model versions", f"models/{models.name}/{folder.name}", (folder,), kept)


def _look_at_kept(truth: Path, before: float) -> Iterator[tuple[Item, str | None]]:
    """Yield the predictions that are kept until their truth is known, each with its version; those of a week go together.

    Where nothing says any longer how long that takes, nothing is awaited.
    """
    awaited = read_awaited(truth)
    delay = awaited.delay if awaited is not None else timedelta(0)
    for path in list_kept(truth):
        week = week_of(made_at(path))
        known = week + WEEK + delay
        version = None
        with suppress(OSError, ValueError, KeyError, TypeError, pa.ArrowException):
            version = read_kept(path).version
        name = f"truth/{truth.name}/{path.name}"
        if known > datetime.now(UTC):
            yield Item("predictions kept for their truth", name, (path,), "its truth is awaited"), version
        else:
            kept = "younger" if (week + WEEK).timestamp() >= before else None
            yield Item("predictions kept for their truth", name, (path,), kept), version


def _needed(champion: Champion | None, there: list[str], by: dict[str, str]) -> dict[str, str]:
    """Return why versions are needed, by their names."""
    needed = {version: f"the prediction {name} is by it" for version, name in by.items()}
    if there:
        needed[there[-1]] = "it is the latest"
    if champion is not None:
        if before := [name for name in champion.previous if name in there]:
            needed[before[-1]] = "a rollback leads to it"
        needed[champion.version] = "it serves"
    return needed


def _why_prediction_kept(path: Path, version: str | None, champion: Champion | None, before: float) -> str | None:
    if path.stat().st_mtime >= before:
        return "younger"
    if version is None:
        return "no version is named in it"
    return "the version that serves made it" if champion and champion.version == version else None


def _version_of(prediction: Path) -> str | None:
    """Return the version that made a prediction; None where it has no row, or is none of ours."""
    with suppress(OSError, pa.ArrowException, KeyError):
        for batch in pq.ParquetFile(prediction).iter_batches(1, columns=[MADE_BY]):
            return str(batch.column(MADE_BY)[0].as_py())
    return None


def _made_at(folder: Path) -> float:
    """Return when a version was made, in seconds since 1970."""
    version = read_version_in(folder)
    return datetime.fromisoformat(version.created).timestamp() if version else (folder / VERSION_FILE).stat().st_mtime
