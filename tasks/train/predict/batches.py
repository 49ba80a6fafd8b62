"""The champion's word on every row of an input, committed as one Parquet file."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from tasks.config import QueryLimits
from tasks.core.errors import ConfigError, TidemillError, TrainingError
from tasks.core.progress import ProgressEvent, emit
from tasks.core.storage import commit
from tasks.train.data.drift import Drift, count_values, measure_drift
from tasks.train.data.features import features_among
from tasks.train.data.types import Array
from tasks.train.evaluation.results import MODEL_FILE
from tasks.train.predict.awaited import Keeping, read_awaited
from tasks.train.predict.inputs import Input, ReadLimits, opened, read_batches
from tasks.train.predict.model import ServingModel, read_serving
from tasks.train.predict.output import keep_rejects
from tasks.train.predict.prediction import Prediction
from tasks.train.registry import load_model

# Threads, for they start at once: 800,000 rows of 12 columns by two of them took 1.6 s (logistic) and 3.3 s (boosting),
# by two processes 4.3 s and 8.0 s; only a forest, 28 s, is faster by processes, 21 s.
BATCH_ROWS = 50_000
MOST_THREADS = 8

Given = TypeVar("Given")
Made = TypeVar("Made")


def _cores() -> int:
    return min(MOST_THREADS, len(os.sched_getaffinity(0)))


@dataclass(frozen=True)
class Pace:
    """How many threads predict batches of how many rows, what a query of them may take, and what breaks it off.

    Without `limits` they are those of the training that the model is of.
    """

    threads: int = field(default_factory=_cores)
    batch_rows: int = BATCH_ROWS
    stop: threading.Event = field(default_factory=threading.Event)
    limits: QueryLimits | None = None


def predict_rows(  # noqa: PLR0913, PLR0917 - what a prediction is made of
    models: Path,
    rows: Input,
    tables: Mapping[str, Path],
    output: Path,
    pace: Pace | None = None,
    trusted: Collection[str] = (),
    truth: Path | None = None,
) -> Prediction:
    """Predict every row of an input by the pipeline's champion, and commit them as a Parquet file.

    Batches are read one after another, predicted by threads, and written in
    their order: the same rows give the same file, and memory holds a few
    batches, however many rows there are. `trusted` are the packages of the
    user's own that the pipeline's file trusts. Where their truth is awaited,
    by what lies in the folder `truth`, they are kept there too.

    Raises:
        ConfigError: when no version serves, or the rows have not its features.
        TrainingError: when the rows cannot be read, or the model not be loaded; or it was broken off.

    """
    try:
        return _predict(models, rows, tables, output.absolute(), pace or Pace(), trusted, truth)
    except TidemillError as error:
        # The frames it came through hold DuckDB's connection, which complains when Python ends before they do.
        error.__context__ = None
        raise error.with_traceback(None) from None


def _predict(  # noqa: PLR0913, PLR0917 - the same
    models: Path,
    rows: Input,
    tables: Mapping[str, Path],
    output: Path,
    pace: Pace,
    trusted: Collection[str],
    truth: Path | None,
) -> Prediction:
    version = read_serving(models)
    loaded = load_model(models / version.name / MODEL_FILE, version.types, trusted)
    if version.types:  # whose code may not be made for threads
        pace = replace(pace, threads=1)
    spill = output.parent / f".spill.{os.getpid()}"
    output.parent.mkdir(parents=True, exist_ok=True)
    limits = pace.limits or version.training.query_limits
    awaited = None if truth is None else read_awaited(truth)
    keeping = None if truth is None or awaited is None else Keeping(truth, rows.name, awaited, datetime.now(UTC))
    doubts = rows.warnings
    if changed := version.changed:
        doubts = (
            *doubts,
            f"{changed}, and may predict otherwise than it was scored; train again, or put its code back",
        )
    with opened(rows, tables, version.features, spill, ReadLimits(pace.batch_rows, limits, pace.stop)) as stream:
        model = ServingModel(version, loaded, features_among(stream.schema.field(name) for name in version.features))
        _check_names(rows, stream.schema, model)
        if keeping is not None and (missing := keeping.find_missing(stream.schema.names)):
            doubts = (*doubts, _explain_missing(rows, missing))
            keeping = None
        count, drift = _write(
            model, read_batches(stream, rows), stream.schema, Destination(output, rows, pace, keeping)
        )
    prediction = Prediction(output, count, str(rows), version.name, version.candidate, version.target, tuple(drift))
    rejects, kept = rows.rejects, keep_rejects(rows.rejects.files, output)
    return replace(prediction, rejected=rejects.count, reason=rejects.reason, rejects=kept, doubts=doubts)


def _explain_missing(rows: Input, missing: Sequence[str]) -> str:
    named = ", ".join(map(repr, missing))
    return f"{rows}: has no column {named}, by which truth.key joins outcomes, so that its predictions are not kept to be scored; add it to the rows"


@dataclass(frozen=True)
class Destination:
    """Where predictions of rows are written, how, and where they are kept until their truth is known."""

    output: Path
    rows: Input
    pace: Pace
    keeping: Keeping | None


def _write(
    model: ServingModel, batches: Iterable[pa.RecordBatch], schema: pa.Schema, to: Destination
) -> tuple[int, list[Drift]]:
    count, counted = 0, {name: np.zeros(len(kept.counts), int) for name, kept in model.version.reference.items()}
    empty, pace = model.empty(schema), to.pace
    bounded = [column.name for column in empty.schema if not pa.types.is_floating(column.type)]  # they may have NaN
    keeping = to.keeping
    with (
        commit(to.output) as part,
        threadpool_limits(limits=1),
        ThreadPoolExecutor(
            pace.threads, initializer=threadpool_limits, initargs=(1,)
        ) as pool,  # OpenMP's: each its own
        pq.ParquetWriter(part, empty.schema, compression="zstd", write_statistics=bounded) as writer,
        nullcontext() if keeping is None else keeping.opened(model, empty.schema) as keeper,
    ):
        for told, values in _in_order(pool, lambda batch: _predict_batch(model, batch), batches, pace.threads + 1):
            if pace.stop.is_set():
                raise TrainingError("the prediction was broken off; nothing is written, run it again")
            plain = told.cast(empty.schema)
            writer.write_table(plain)
            if keeper is not None:
                keeper.write(plain)
            count += told.num_rows
            for name, bins in values.items():
                counted[name] += bins
            emit(ProgressEvent("predict", to.rows.name, count, count, f"{count:,} rows"))
        drift = measure_drift(model.version.reference, counted) if count else []
        if keeper is not None and keeping is not None:
            keeper.describe(keeping.describe(model, drift))
    return count, drift


def _predict_batch(model: ServingModel, batch: pa.RecordBatch) -> tuple[pa.Table, dict[str, Array]]:
    """Return a batch with what the model says of it, and its values counted."""
    told, frame = model.predict(pa.Table.from_batches([batch]))
    return told, count_values(model.version.reference, frame)


def _in_order(
    pool: ThreadPoolExecutor, make: Callable[[Given], Made], given: Iterable[Given], ahead: int
) -> Iterator[Made]:
    """Yield what the pool makes of each, in order, at most `ahead` of them begun before they are wanted."""
    begun: deque[Future[Made]] = deque()
    try:
        for each in given:
            begun.append(pool.submit(make, each))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()


def _check_names(rows: Input, schema: pa.Schema, model: ServingModel) -> None:
    there = {name.lower() for name in schema.names}
    taken = [name for name in model.added if name.lower() in there]
    if taken:
        raise ConfigError(f"{rows}: has a column {taken[0]!r} already, which the prediction adds; rename it in a query")
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise ConfigError(f"{rows}: has two columns {twice[0]!r}; rename one in the query")
