"""The model whose predictions are measured, and one measurement in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from tasks.core.child_process import exit_with_parent
from tasks.train.data.features import features_among, read_frame
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import read_input
from tasks.train.registry import list_versions, load_model
from tests.benchmarks.fits import CANDIDATES, QUERY, write_flights
from tests.benchmarks.job import peak_bytes
from tests.train.publishing import judge_tables

ROWS = 10_000_000
CHAMPION = "boosting"
_FRAME_ROWS = 500_000
PER_S = 200
SECONDS = 30


def publish(data: Path) -> None:
    """Make a champion of flights, and two files of rows: `rows.parquet` and `some.parquet`."""
    flights = data / "tables" / "flights"
    write_flights(flights)
    judged = judge_tables(
        data, "flights", {"flights": flights}, CANDIDATES[CHAMPION], query=QUERY, target="late", metric="roc_auc"
    )
    judged.decide()
    (version,) = list_versions(judged.models)
    with pa.memory_map(str(judged.leaderboard.training_set.path)) as mapped:
        rows = pa.ipc.open_file(mapped).read_all().select(list(version.features))
        pq.write_table(rows.slice(0, 2000), data / "some.parquet")
        with pq.ParquetWriter(data / "rows.parquet", rows.schema, compression="zstd") as writer:
            for start in range(0, ROWS, rows.num_rows):
                writer.write_table(rows.slice(0, min(rows.num_rows, ROWS - start)))


def main() -> None:
    """Measure what the first argument says, on the data folder that is the second."""
    exit_with_parent()
    data = Path(sys.argv[2])
    print(json.dumps({"predict": _predict, "proba": _proba, "rows": _one_by_one}[sys.argv[1]](data)), flush=True)


def _predict(data: Path) -> dict[str, Any]:
    start, cpu = time.perf_counter(), time.process_time()
    predict_rows(data / "models" / "flights", read_input(str(data / "rows.parquet"), {}), {}, data / "out.parquet")
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu_s": cpu_s, "peak_bytes": peak_bytes()}


def _model(data: Path) -> Any:
    (version,) = list_versions(data / "models" / "flights")
    return load_model(data / "models" / "flights" / version.name / "model.skops")


def _proba(data: Path) -> dict[str, Any]:
    model, file = _model(data), pq.ParquetFile(data / "rows.parquet")
    features = features_among(file.schema_arrow)
    seconds = cpu_s = estimator_s = 0.0
    for batch in file.iter_batches(_FRAME_ROWS):
        frame = read_frame(pa.Table.from_batches([batch]), features)
        start, cpu = time.perf_counter(), time.process_time()
        given = model[:-1].transform(frame)
        between = time.perf_counter()
        model[-1].predict_proba(given)
        seconds, cpu_s = seconds + time.perf_counter() - start, cpu_s + time.process_time() - cpu
        estimator_s += time.perf_counter() - between
    return {"seconds": seconds, "estimator_s": estimator_s, "cpu_s": cpu_s}


def _one_by_one(data: Path) -> dict[str, Any]:
    """Return how long one row takes, asked when it is due as over HTTP, by one thread as there; and since it was due."""
    model, table = _model(data), pq.read_table(data / "some.parquet")
    frame = read_frame(table, features_among(table.schema))
    rows = [frame.iloc[number : number + 1] for number in range(len(frame))]
    called, since_due = list[float](), list[float]()
    with threadpool_limits(limits=1):
        for row in rows[:PER_S]:
            model.predict_proba(row)
        begun = time.perf_counter()
        for number in range(PER_S * SECONDS):
            if time.perf_counter() - begun > 2 * SECONDS:
                break  # this machine cannot do as many
            due = begun + number / PER_S
            time.sleep(max(0.0, due - time.perf_counter()))
            start = time.perf_counter()
            model.predict_proba(rows[number % len(rows)])
            called.append(time.perf_counter() - start)
            since_due.append(time.perf_counter() - due)
    median, p99 = np.quantile(np.array(called) * 1000, [0.5, 0.99])
    return {"median_ms": median, "p99_ms": p99, "p99_since_due_ms": np.quantile(np.array(since_due) * 1000, 0.99)}


if __name__ == "__main__":
    main()
