"""The training set: the query's rows in one Arrow file, built once and checked before any fit."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tasks.config import Label, Training
from tasks.core.errors import TrainingError
from tasks.core.escaping import count
from tasks.core.storage import commit, hash_file
from tasks.core.tables import MANIFEST, list_parts


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python (major.minor) and the named distributions, without importing them."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{package: version_of(package) or version(package) for package in packages}}


def version_of(package: str) -> str | None:
    """Return the version of a distribution that is installed; None where it is not."""
    for name in (package, f"{package}-cpu"):  # as xgboost without the parts for graphics cards is named
        with suppress(PackageNotFoundError):
            return version(name)
    return None


Problem = Literal["classification", "regression"]

MIN_ROWS = 10  # below, a held-out fifth is not two rows
_BATCH_ROWS = 100_000


@dataclass(frozen=True)
class TrainingSet:
    """The rows to learn from, in an uncompressed Arrow file that processes map.

    `fingerprint` is the SHA-256 of the file's bytes.
    """

    path: Path
    fingerprint: str
    rows: int
    columns: tuple[str, ...]
    task: Problem
    positive: Label | None = None
    """The positive one of two classes."""
    guessed: tuple[str, ...] = ()
    """What of task and positive the pipeline file leaves to a guess."""
    warnings: tuple[str, ...] = ()
    """What may make scores better than they will be: duplicates, leakage, groups on both sides of the split."""


def write_rows(training: Training, tables: Mapping[str, Path], path: Path, stop: threading.Event | None) -> None:
    """Run the query over the tables and commit its rows as the Arrow file `path`.

    Raises:
        TrainingError: when the query does not run, or gives too few rows to learn from.

    """
    from tasks.core.join_keys import tell_unmatched  # noqa: PLC0415 - workers do without DuckDB
    from tasks.core.sql import opened_tables  # noqa: PLC0415 - workers do without DuckDB
    from tasks.train.data.query import read_result, run_query  # noqa: PLC0415 - workers do without DuckDB

    path.parent.mkdir(parents=True, exist_ok=True)
    spill, limits = path.parent / "spill", training.query_limits
    shutil.rmtree(spill, ignore_errors=True)  # of a run that was killed
    with opened_tables(tables, spill, limits) as connection:
        rows = run_query(connection, training.query, tables, limits=limits, stop=stop)
        if rows < MIN_ROWS:
            why = "" if rows else tell_unmatched(connection, training.query, "training.query", stop)
            raise TrainingError(
                f"training.query: gave {count(rows, 'row')}, and training needs {MIN_ROWS}; widen the query or fill its tables{why}"
            )
        reader = read_result(connection, _BATCH_ROWS)
        with commit(path) as part, pa.ipc.new_file(str(part), reader.schema) as file:
            _copy_rows(reader, file, _drawn(training, rows))


def _drawn(training: Training, rows: int) -> np.ndarray[Any, Any] | None:
    """Return the positions of the sample, ascending, or None for all rows."""
    if training.sample_rows is None or training.sample_rows >= rows:
        return None
    draw = np.random.default_rng(training.seed).choice(rows, training.sample_rows, replace=False)
    return np.sort(draw)


def _copy_rows(reader: Any, file: Any, drawn: np.ndarray[Any, Any] | None) -> None:
    start = 0
    for batch in reader:
        if drawn is None:
            file.write_batch(batch)
        else:
            first, last = np.searchsorted(drawn, [start, start + batch.num_rows])
            file.write_batch(batch.take(pa.array(drawn[first:last] - start)))
        start += batch.num_rows


def table_state(folder: Path) -> Any:
    """Return what changes when a table does."""
    manifest = folder / MANIFEST
    if manifest.is_file():
        return hash_file(manifest)
    states = ((part.name, part.stat()) for part in list_parts(folder))
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]
