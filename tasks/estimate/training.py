"""What a training would take, by the training set that is there, or the tables that its query names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from tasks.config import AnyCandidate, Candidate, OwnSplit, Pipeline, TimeSplit, Training
from tasks.core.escaping import count
from tasks.core.sql import half_of_memory
from tasks.core.storage import DataFolder, read_json
from tasks.estimate.estimate import Estimate
from tasks.estimate.size import Columns, TableSize
from tasks.estimate.tables import QUERY_BYTES
from tasks.tables.order import tables_in

_CELL_BYTES = 8
NUMBER_TIMES, TEXT_TIMES = 3.2, 30
"""Times 8 bytes for each value that a fit's memory grows by: numbers 2.5 to 3.5, texts of 30 categories 9 to 42, as they become columns. Neighbours and kernels take more."""
UNKNOWN_TIMES = 5
"""Times the bytes of the rows, where the columns are not known yet."""
_MIB = 2**20


def estimate_training(
    config: Pipeline, training: Training, folder: DataFolder, sizes: dict[str, TableSize | None]
) -> list[Estimate]:
    """Return what the training set, and then each candidate, would take."""
    names = tables_in(training.query, config)
    known = [size for size in map(sizes.get, names) if size is not None]
    whole = len(known) == len(names) and bool(known)
    read = sum(size.memory_bytes for size in known) if whole else None
    size = _find_set(folder.training(config.name)) or (max(known, key=lambda each: each.rows) if whole else None)
    if size is not None and training.sample_rows is not None:
        size = replace(size, rows=min(size.rows, training.sample_rows))
    limit = training.query_limits.memory_limit_mb or half_of_memory()
    most = limit * _MIB
    spilled = max(0, (read or 0) - most)
    built = Estimate(
        "train",
        "training set",
        count(len(names), "table"),
        unpacked_bytes=read,
        rows=size.rows if size else None,
        memory_bytes=None if read is None else min(QUERY_BYTES + read, most),
        task_runs=0,
        disk_bytes=size.memory_bytes if size else None,
        spill=folder.training(config.name) / "spill" if spilled else None,
        spill_bytes=spilled,
        cure="set training.query_limits.memory_limit_mb: what is beyond it spills to the disk",
    )
    return [built, *(_fit(name, candidate, training, size) for name, candidate in training.candidates.items())]


def _find_set(folder: Path) -> TableSize | None:
    """Return how large the training set of the last run is; None where there is none."""
    path = folder / "training_set.arrow"
    told = read_json(folder / "training_set.json")
    kept = told.get("training_set") if isinstance(told, dict) else None
    rows = kept.get("rows") if isinstance(kept, dict) else None
    if not rows or not path.is_file():
        return None
    try:
        with pa.memory_map(str(path)) as mapped:
            columns = Columns.of(pa.ipc.open_file(mapped).schema)
    except (pa.ArrowException, OSError):  # which a run makes anew, or tells
        return None
    return TableSize(rows, path.stat().st_size / rows, columns)


def _memory_of_fit(size: TableSize) -> int:
    if size.columns is None:
        return UNKNOWN_TIMES * size.memory_bytes
    return round(_CELL_BYTES * size.rows * (NUMBER_TIMES * size.columns.others + TEXT_TIMES * size.columns.texts))


def _fit(name: str, candidate: AnyCandidate, training: Training, size: TableSize | None) -> Estimate:
    """Return what one fit of a candidate would take; of an ensemble it is known once its members are."""
    memory = _memory_of_fit(size) if size and isinstance(candidate, Candidate) else None
    limit = candidate.memory_limit_mb
    doubts = []
    if memory is not None and limit is not None and memory > limit * _MIB:
        doubts.append(
            f"is likely to be killed at its memory_limit_mb of {limit}; raise it, or learn from fewer rows: sample_rows"
        )
    split = training.split
    folds = (
        None if isinstance(split, OwnSplit) else split.folds * (1 if isinstance(split, TimeSplit) else split.repeats)
    )
    return Estimate(
        "train", name, "training set", None, None, size.rows if size else None, memory, folds, doubts=tuple(doubts)
    )
