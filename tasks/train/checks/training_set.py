"""The training set of a run: built where its query or tables changed, and checked before any fit."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pyarrow as pa

from tasks.config import Training
from tasks.config.metrics import METRICS
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.isolation.client import stop_call_server
from tasks.core.own_code import code_versions
from tasks.core.storage import commit_json, fingerprint, hash_file, json_reader, remove_stale_temp_files
from tasks.lineage.records import LINEAGE, Made, TrainingRecord, Upstream, make_record, take_upstream, write_record
from tasks.train.data.split_file import keep_split
from tasks.train.data.training_set import TrainingSet, table_state, versions, write_rows
from tasks.train.models.estimators import BOOSTING

_CHECKS = 7  # raised when the checks look for more: what passed earlier ones is checked again


@dataclass(frozen=True)
class _Built:
    """The manifest of a training set: the fingerprints of what it is made of and of what it was checked by."""

    inputs: str
    checked: str
    training_set: TrainingSet


_read = json_reader(_Built)


def write_training_set(
    training: Training,
    tables: Mapping[str, Path],
    folder: Path,
    *,
    fresh: bool = False,
    stop: threading.Event | None = None,
) -> TrainingSet:
    """Run the query over the tables and commit its rows as `folder/training_set.arrow`, and their split beside it.

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
    known = None if fresh else _read_built(path, manifest)
    if known and known.inputs == inputs and known.checked == checked:
        if not (folder / LINEAGE).exists():  # an earlier version made it, of the tables as they stand
            _keep_record(
                folder, known.training_set, Made(kind="sql", query=training.query), _find_upstream(training, tables)
            )
        return replace(known.training_set, path=path)
    _check_settings(training)
    upstream: Upstream | None = None
    if not (known and known.inputs == inputs):
        upstream = _find_upstream(training, tables)
        try:
            write_rows(training, tables, path, stop)
        except TrainingError as error:
            # The frames it came through hold DuckDB's connection, which complains when Python ends before they do.
            error.__context__ = None
            raise error.with_traceback(None) from None
    built = _check(training, path)
    if training.trusted:
        stop_call_server()  # which has loaded what the checks asked for
    if upstream is not None:
        _keep_record(folder, built, make_record("sql", query=training.query), upstream)
    told = asdict(built) | {"path": path.name}
    commit_json(manifest, {"inputs": inputs, "checked": checked, "training_set": told})
    return built


def _find_upstream(training: Training, tables: Mapping[str, Path]) -> Upstream:
    """Return what the query's rows are of now: the tables that it names, and what these are made of."""
    from tasks.core.sql_nodes import find_tables, parse_tree  # noqa: PLC0415 - workers do without DuckDB

    named = {each.lower() for each in find_tables(parse_tree(training.query))}
    return take_upstream(folder for name, folder in tables.items() if name.lower() in named)


def _keep_record(folder: Path, built: TrainingSet, made: Made, upstream: Upstream) -> None:
    """Keep what a training set was made of; by its fingerprint it is known to be of this one."""
    write_record(folder / LINEAGE, TrainingRecord(built.fingerprint, built.rows, made, upstream))


def is_checked(training: Training, folder: Path, tables: Mapping[str, Path] | None = None) -> bool:
    """Return whether the training set in `folder` was built by these settings, of these tables where any are given: they were right then."""
    known = _read(folder / "training_set.json")
    if known is None or known.checked != _settings(training):
        return False
    return tables is None or known.inputs == _inputs(training, tables)


def _check_settings(training: Training) -> None:
    from tasks.train.checks.section import check_training  # noqa: PLC0415 - scikit-learn costs a second to import

    if mistakes := check_training(training):
        raise ConfigError(mistakes)


def _check(training: Training, path: Path) -> TrainingSet:
    """Return the description of the file, after every check that needs its rows."""
    from tasks.train.checks.coverage import check_coverage_rows  # noqa: PLC0415 - scikit-learn costs a second to import
    from tasks.train.checks.rows import warn_of_rows  # noqa: PLC0415 - the same
    from tasks.train.checks.target import check_target  # noqa: PLC0415 - the same

    with pa.memory_map(str(path)) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        target = check_target(training, table)
        built = TrainingSet(
            path=path,
            fingerprint=hash_file(path),
            rows=table.num_rows,
            columns=tuple(table.column_names),
            task=target.task,
            positive=target.positive,
            guessed=target.guessed,
        )
        split = keep_split(training, built)  # drawn here, and read wherever else it is needed
        check_coverage_rows(training, table, split, classes=target.task == "classification")
        return replace(built, warnings=warn_of_rows(training, table, target, split.sides()))


def _read_built(path: Path, manifest: Path) -> _Built | None:
    """Return the manifest of the file that is there, or None where they do not belong together."""
    known = _read(manifest)
    if known is None or not path.is_file() or hash_file(path) != known.training_set.fingerprint:
        return None
    return known


def _inputs(training: Training, tables: Mapping[str, Path]) -> str:
    """Return the fingerprint of all that decides the rows."""
    draw = (training.sample_rows, training.seed) if training.sample_rows else None
    parts = {name: table_state(folder) for name, folder in sorted(tables.items())}
    return fingerprint({"query": training.query, "draw": draw, "tables": parts, "duckdb": versions("duckdb")})


def _settings(training: Training) -> str:
    """Return the fingerprint of all that the checks looked at besides the rows."""
    section = json.loads(training.model_dump_json(exclude={"runner", "query_limits"}))
    named = {candidate.estimator.partition(".")[0] for candidate in training.fitted.values()}
    there = versions("scikit-learn", "duckdb") | code_versions(training.trusted)
    for name in sorted(named & BOOSTING.keys()):
        with suppress(PackageNotFoundError):  # the check tells what to install
            there |= versions(name)
    return fingerprint([_CHECKS, section, there, sorted(METRICS.outside().items())])
