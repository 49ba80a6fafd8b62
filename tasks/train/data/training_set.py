"""The training set: the query's rows in one Arrow file, built once and checked before any fit."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tasks.config import Label, Training
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.storage import commit, commit_json, fingerprint, hash_file, read_json, remove_stale_temp_files
from tasks.core.tables import MANIFEST, list_parts


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python (major.minor) and the named distributions, without importing them."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python, **{package: _version_of(package) for package in packages}}


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return version(f"{package}-cpu")  # as xgboost without the parts for graphics cards is named


Problem = Literal["classification", "regression"]

MIN_ROWS = 10  # below, a held-out fifth is not two rows
_BATCH_ROWS = 100_000
_CHECKS = 6  # raised when the checks look for more: what passed earlier ones is checked again


@dataclass(frozen=True)
class TrainingSet:
    """The rows to learn from, in an uncompressed Arrow file that processes map.

    `fingerprint` is the SHA-256 of the file's bytes; `train_rows` and
    `test_rows` are what the pipeline's split makes of `rows`.
    """

    path: Path
    fingerprint: str
    rows: int
    columns: tuple[str, ...]
    task: Problem
    train_rows: int
    test_rows: int
    positive: Label | None = None
    """The positive one of two classes."""
    guessed: tuple[str, ...] = ()
    """What of task and positive the pipeline file leaves to a guess."""
    warnings: tuple[str, ...] = ()
    """What may make scores better than they will be: copies, giveaways, groups on both sides of the split."""


def build_training_set(
    training: Training,
    tables: Mapping[str, Path],
    folder: Path,
    *,
    fresh: bool = False,
    stop: threading.Event | None = None,
) -> TrainingSet:
    """Run the query over the tables and commit its rows as `folder/training_set.arrow`.

    Nothing is run when the query, the tables, the settings and the file are
    those of the last time; `fresh` runs it all the same.

    Args:
        training: The training section of a pipeline.
        tables: Folder of Parquet parts by table name.
        folder: Where the training set is kept.
        fresh: Build also what is there already.
        stop: Ends the query when it is set.

    Raises:
        ConfigError: when the section itself is wrong, one sentence per mistake.
        TrainingError: when the query does not run, or its rows cannot be learnt from.

    """
    remove_stale_temp_files(folder)
    path, manifest = folder / "training_set.arrow", folder / "training_set.json"
    inputs, checked = _inputs(training, tables), _settings(training)
    known = None if fresh else _known(path, manifest)
    if known and known["inputs"] == inputs and known["checked"] == checked:
        return _restored(path, known)
    _check_settings(training)
    if not (known and known["inputs"] == inputs):
        try:
            _write(training, tables, path, stop)
        except TrainingError as error:
            # The frames it came through hold DuckDB's connection, which complains when Python ends before they do.
            error.__context__ = None
            raise error.with_traceback(None) from None
    built = _check(training, path)
    commit_json(manifest, {"inputs": inputs, "checked": checked, **asdict(built), "path": path.name})
    return built


def _check_settings(training: Training) -> None:
    from tasks.train.checks.section import check_training  # noqa: PLC0415 - scikit-learn costs a second to import

    if mistakes := check_training(training):
        raise ConfigError(mistakes)


def _check(training: Training, path: Path) -> TrainingSet:
    """Return the description of the file, after every check that needs its rows."""
    from tasks.train.checks.rows import check_rows  # noqa: PLC0415 - scikit-learn costs a second to import

    with pa.memory_map(str(path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        checked = check_rows(training, table)
        return TrainingSet(
            path=path,
            fingerprint=hash_file(path),
            rows=table.num_rows,
            columns=tuple(table.column_names),
            task=checked.target.task,
            train_rows=checked.train_rows,
            test_rows=checked.test_rows,
            positive=checked.target.positive,
            guessed=checked.target.guessed,
            warnings=checked.warnings,
        )


def _write(training: Training, tables: Mapping[str, Path], path: Path, stop: threading.Event | None) -> None:
    from tasks.train.data.query import opened_tables, read_result, run_query  # noqa: PLC0415 - workers do without DuckDB

    path.parent.mkdir(parents=True, exist_ok=True)
    spill, limits = path.parent / "spill", training.query_limits
    shutil.rmtree(spill, ignore_errors=True)  # of a run that was killed
    with opened_tables(tables, spill, limits) as connection:
        rows = run_query(connection, training.query, tables, limits=limits, stop=stop)
        if rows < MIN_ROWS:
            raise TrainingError(
                f"training.query: gave {rows} rows, and training needs {MIN_ROWS}; widen the query or fill its tables"
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


def _known(path: Path, manifest: Path) -> dict[str, Any] | None:
    """Return the manifest of the file that is there, or None where they do not belong together."""
    known = read_json(manifest)
    if not isinstance(known, dict) or not path.is_file() or hash_file(path) != known.get("fingerprint"):
        return None
    return known


def _restored(path: Path, known: Mapping[str, Any]) -> TrainingSet:
    kept = {name: known[name] for name in ("fingerprint", "rows", "task", "train_rows", "test_rows", "positive")}
    lists: dict[str, Any] = {name: tuple(known[name]) for name in ("columns", "guessed", "warnings")}
    return TrainingSet(path=path, **kept, **lists)


def _inputs(training: Training, tables: Mapping[str, Path]) -> str:
    """Return the fingerprint of all that decides the rows."""
    draw = (training.sample_rows, training.seed) if training.sample_rows else None
    parts = {name: _table_state(folder) for name, folder in sorted(tables.items())}
    return fingerprint({"query": training.query, "draw": draw, "tables": parts, "duckdb": versions("duckdb")})


def _table_state(folder: Path) -> Any:
    manifest = folder / MANIFEST
    if manifest.is_file():
        return hash_file(manifest)
    states = ((part.name, part.stat()) for part in list_parts(folder))
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]


def _settings(training: Training) -> str:
    """Return the fingerprint of all that the checks looked at besides the rows."""
    return fingerprint(
        [_CHECKS, json.loads(training.model_dump_json(exclude={"runner", "query_limits"})), versions("scikit-learn")]
    )
