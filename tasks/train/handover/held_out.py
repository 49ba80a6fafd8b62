"""The rows that a version was judged on, as long as its training set is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import DataFolder, hash_file
from tasks.train.data.features import Features, features_among, read_frame
from tasks.train.data.types import Array
from tasks.train.evaluation.results import HOLDOUT_FILE, MODEL_FILE
from tasks.train.registry import Version, load_model, read_champion, read_version

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Held:
    """A version, its model, and the features of the rows that it was judged on."""

    version: Version
    folder: Path
    model: Pipeline
    features: Features
    frame: pd.DataFrame
    trusted: tuple[str, ...] = ()
    """Packages of the user's own that the model may be made of."""

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield the rows in parts."""
        for start in range(0, len(self.frame), _BATCH_ROWS):
            yield self.frame.iloc[start : start + _BATCH_ROWS]

    def ask(self, rows: pd.DataFrame) -> Array:
        """Return what the model says of rows: the probability of each class, or where there are none, the prediction."""
        asked = getattr(self.model, "predict_proba", self.model.predict)
        return np.asarray(asked(rows), dtype=object if hasattr(self.model, "classes_") else None)


def hold(folder: DataFolder, pipeline: str, name: str | None, trusted: Collection[str] = ()) -> Held:
    """Return a version of a pipeline, or the one that serves, with the rows that it was judged on.

    `trusted` are the packages that the pipeline file trusts.

    Raises:
        ConfigError: there is no such version, or none serves.
        TrainingError: its model, its code, or the training set that it is of, is not there as it was.

    """
    models = folder.models(pipeline)
    champion = None if name else read_champion(models)
    if name is None and champion is None:
        raise ConfigError(f"no version of {pipeline} serves yet; run its pipeline first, or name a version")
    version = read_version(models, name or (champion.version if champion else ""))
    if changed := version.changed:
        raise TrainingError(
            f"{changed}, so that it is another model; put its code back, or hand on the version of a new run"
        )
    path = folder.training(pipeline) / "training_set.arrow"
    gone = (
        f"run the pipeline as it was then, or hand on the version of a new run, with the training set of {folder.root}"
    )
    if not path.is_file() or hash_file(path) != version.training_set:
        raise TrainingError(
            f"the training set that {version.name} is of is no longer in {path.parent}, so that nothing can be compared; {gone}"
        )
    table = _read_rows(path, _find_holdout(models, version, gone))
    features = features_among(table.schema.field(name) for name in version.features)
    model = load_model(models / version.name / MODEL_FILE, version.types, trusted)
    return Held(version, models / version.name, model, features, read_frame(table, features), tuple(trusted))


def _find_holdout(models: Path, version: Version, cure: str) -> Path:
    """Return the file that names the held-out rows: a large one stays with its candidate."""
    candidate = models / "candidates" / f"{version.candidate}-{version.of_model[:12]}"
    for path in (models / version.name / HOLDOUT_FILE, candidate / HOLDOUT_FILE):
        if path.is_file():
            return path
    raise TrainingError(f"{HOLDOUT_FILE} of {version.name} is gone, which names the rows that it was judged on; {cure}")


def _read_rows(path: Path, holdout: Path) -> pa.Table:
    with pa.memory_map(str(holdout)) as mapped:
        rows = pa.ipc.open_file(mapped).read_all().column("row").to_numpy()
    with pa.memory_map(str(path)) as mapped:
        return pa.ipc.open_file(mapped).read_all().take(pa.array(rows))
