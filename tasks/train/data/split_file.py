"""The split of a training set, drawn once and kept on disk: whoever needs the hold-out or a fold reads it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from tasks.config import OwnSplit, Split, Training
from tasks.core.own_code import code_versions
from tasks.core.storage import commit, fingerprint
from tasks.train.data.training_set import TrainingSet, versions
from tasks.train.data.types import Array


class Sides(NamedTuple):
    """Positions in the training set of the rows on each side of a split."""

    train: Array
    test: Array


_MAGIC_BYTES = 8  # ARROW1 and padding; an Arrow file then goes on as an Arrow stream does


@contextmanager
def mapped_table(path: Path) -> Iterator[pa.Table]:
    """Yield the table of an Arrow file.

    It is read as the stream that it holds: Arrow's reader of files starts
    threads, and a fit is to have one.
    """
    with pa.memory_map(str(path)) as mapped:
        mapped.seek(_MAGIC_BYTES)
        yield pa.ipc.open_stream(mapped).read_all()


@dataclass(frozen=True)
class SavedSplit:
    """Where the positions of rows are kept, and how many there are: to train and to test on, in all and in each fold."""

    path: Path
    train: int
    test: int
    folds: tuple[tuple[int, int], ...]

    @property
    def fold_train(self) -> int:
        """Return how many rows a fold trains on, in the mean."""
        return round(float(np.mean([train for train, _ in self.folds])))

    @property
    def fold_test(self) -> int:
        """Return how many rows a fold tests on, in the mean."""
        return round(float(np.mean([test for _, test in self.folds])))

    def held_out_units(self) -> Array | None:
        """Return the moment or group of each held-out row, where the split is by one."""
        with np.load(self.path) as kept:
            unit: Array | None = kept.get("unit")
            return unit

    def sides(self, fold: int | None = None) -> Sides:
        """Return the rows that train and test in a fold, or in the whole."""
        suffix = "" if fold is None else f"_{fold}"
        with np.load(self.path) as kept:
            return Sides(kept[f"train{suffix}"], kept[f"test{suffix}"])


def keep_split(training: Training, training_set: TrainingSet) -> SavedSplit:
    """Return the split that is kept beside a training set; where it is not there, or damaged, draw it and commit it.

    Raises:
        TrainingError: when the rows cannot be split as the pipeline says.

    """
    path = training_set.path.with_name(f"rows-{_fingerprint(training, training_set)[:12]}.npz")
    (train, test), *folds = _read_sizes(path) or _draw(training, training_set, path)
    return SavedSplit(path, train, test, tuple((train, test) for train, test in folds))


def _read_sizes(path: Path) -> list[list[int]] | None:
    """Return how many rows train and test, in all and in each fold; None where the file is not there, or damaged."""
    try:
        with np.load(path) as kept:
            for name in kept.files:
                kept[name]  # read to its end, where its checksum is compared
            sizes: list[list[int]] = kept["sizes"].tolist()
            return sizes
    except (FileNotFoundError, EOFError, BadZipFile, KeyError, ValueError, TypeError, AttributeError):
        return None


def _draw(training: Training, training_set: TrainingSet, path: Path) -> list[list[int]]:
    """Draw a split and commit the positions of its rows; return how many train and test, in all and in each fold."""
    from tasks.train.data.split import split_rows  # noqa: PLC0415 - scikit-learn costs a second to import

    with pa.memory_map(str(training_set.path)) as mapped:
        rows = split_rows(training, pa.ipc.open_file(mapped).read_all(), training_set.task)
    sides = [(rows.train, rows.test), *rows.folds]
    arrays: dict[str, Any] = {"train": rows.train, "test": rows.test}
    if rows.unit is not None:
        arrays["unit"] = rows.unit[rows.test]
    for number, (train, test) in enumerate(rows.folds):
        arrays |= {f"train_{number}": train, f"test_{number}": test}
    sizes = [[len(train), len(test)] for train, test in sides]
    with commit(path) as part, part.open("wb") as file:
        np.savez(file, sizes=np.array(sizes), **arrays)
    return sizes


def split_code(split: Split) -> dict[str, str]:
    """Return what tells the code of a splitter of the user's own, by its package."""
    return code_versions([split.splitter]) if isinstance(split, OwnSplit) else {}


def _fingerprint(training: Training, training_set: TrainingSet) -> str:
    return fingerprint(
        {
            "training_set": training_set.fingerprint,
            "task": training_set.task,
            "target": training.target,
            "split": training.split.model_dump(),
            "seed": training.seed,
            "versions": versions("scikit-learn", "numpy") | split_code(training.split),
        }
    )
