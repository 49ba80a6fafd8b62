"""Tables made of tables, by the flow and by their peers in turns, in a process of their own: DuckDB's COPY, and the function alone."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from prefect import flow, task

from flows.cli.flush import flush
from flows.cli.prefect_api import PrefectApi
from flows.convert import convert
from flows.pipeline import pipeline
from flows.tables import tables
from tasks.config import Pipeline
from tasks.config.base import trust
from tasks.core.child_process import exit_with_parent
from tasks.core.outcome import Failed
from tasks.core.tables import list_parts, parts_as_sql
from tests.benchmarks.job import peak_bytes
from tests.benchmarks.tidemill import IMPORTED_LATE

SOURCES = ("flights", "weather", "airports")
MEMORY_MB = 1024

_JOIN = """
    FROM flights AS f
    LEFT JOIN weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour
    LEFT JOIN airports AS a ON a.faa = f.dest
"""
QUERIES = {
    "grouped": "SELECT f.origin, a.name AS airport, f.month, count(*) AS flights, avg(f.arr_delay) AS delay, "
    f"max(w.wind_speed) AS wind {_JOIN} GROUP BY ALL",
    "joined": f"SELECT f.*, w.temp, w.wind_speed, w.precip, w.visib, a.name AS airport, a.lat, a.lon {_JOIN}",
}
FUNCTION = """
def by_hour(flights):
    return flights.groupby(["origin", "hour"], as_index=False).agg(delay=("dep_delay", "mean"), flights=("flight", "size"))
"""
LARGE: dict[str, dict[str, Any]] = {
    "sorted": {"query": "SELECT * FROM large", "sort_by": ["key"]},
    "grouped": {"query": "SELECT key, max(text) AS text, sum(x) AS x, sum(y) AS y FROM large GROUP BY key"},
    "joined": {"query": "SELECT l.key, l.text, r.x, r.y FROM large AS l JOIN large AS r ON l.next = r.key"},
}
_LARGE = """
    SELECT hash(range) // 2 AS key, hash((range + 1) % {rows}) // 2 AS next, md5(range::VARCHAR) AS text,
        hash(range + 0.1) / 1e9 AS x, hash(range + 0.2) / 1e9 AS y
    FROM range({rows})
"""

Told = dict[str, list[float]]
"""The seconds of each way, round by round, and the rows that the last of each has made."""


@task
async def _nothing() -> None:
    """Do nothing, in a task run."""


@flow(name="prefect alone")
async def prefect_alone() -> None:
    """Do nothing, in a flow run of one task: what Prefect costs by itself."""
    await _nothing()


def measure_query(name: str, folder: Path, rounds: int) -> Told:
    """Make a table of a query by the flow, by DuckDB alone, and nothing by Prefect alone, in turns."""
    made = _pipeline(folder, {"made": {"query": QUERIES[name]}})
    asyncio.run(convert(made, folder))
    peer = folder / "peer.parquet"

    def copy() -> None:
        with duckdb.connect() as connection:
            for source in SOURCES:
                connection.execute(f"CREATE VIEW {source} AS FROM {parts_as_sql(folder / 'tables' / source)}")
            connection.execute(f"COPY ({QUERIES[name]}) TO '{peer}' (FORMAT parquet, COMPRESSION zstd)")

    ways: dict[str, Callable[[], object]] = {
        "tidemill": lambda: asyncio.run(tables(made, folder, fresh=True)),
        "duckdb": copy,
        "prefect": lambda: asyncio.run(prefect_alone()),
    }
    return _in_turns(ways, rounds) | {"rows": [_rows(folder), pq.read_metadata(peer).num_rows]}


def measure_function(folder: Path, rounds: int) -> Told:
    """Make a table by a function: by the flow, within a whole run, and by the function alone, in turns."""
    path = folder / "delays.py"
    path.write_text(FUNCTION)
    called = f"{path}:by_hour"
    trust("function", called)
    made = _pipeline(folder, {"made": {"python": called, "inputs": ["flights"]}})
    asyncio.run(convert(made, folder))
    peer, within = folder / "peer.parquet", []

    def call() -> None:
        import pandas as pd  # noqa: PLC0415 - as the flow's process does not

        space: dict[str, Any] = {}
        exec(FUNCTION, space)  # noqa: S102 - ours
        frame = pd.concat([pd.read_parquet(part) for part in list_parts(folder / "tables" / "flights")])
        space["by_hour"](frame).to_parquet(peer, compression="zstd")

    ways: dict[str, Callable[[], object]] = {
        "tidemill": lambda: asyncio.run(tables(made, folder, fresh=True)),
        "run": lambda: within.append(asyncio.run(pipeline(made, folder, fresh=True)).seconds["tables"]),
        "function": call,
    }
    told = _in_turns(ways, rounds) | {"within": within[1:]}
    return told | {"rows": [_rows(folder), pq.read_metadata(peer).num_rows]}


def measure_large(folder: Path, rows: int) -> dict[str, Any]:
    """Make a table of so many rows, and of it what is larger than the memory that each may take; return bytes and seconds."""
    limits = {"memory_limit_mb": MEMORY_MB}
    declared = {name: {**table, **limits} for name, table in LARGE.items()}
    made = _pipeline(folder, {"large": {"query": _LARGE.format(rows=rows), **limits}, **declared})
    outcomes = [each for each in asyncio.run(tables(made, folder, fresh=True)) if not isinstance(each, Failed)]
    size = sum(part.stat().st_size for part in list_parts(folder / "tables" / "large"))
    return {
        "bytes": size,
        "peak": peak_bytes(),
        "seconds": {each.source: each.findings.seconds for each in outcomes},
        "rows": {each.source: each.rows_table for each in outcomes},
    }


def _pipeline(folder: Path, made: Mapping[str, Any]) -> Pipeline:
    sources = {name: {"kind": "files", "path": f"{folder}/inbox/{name}/*.csv"} for name in SOURCES}
    return Pipeline.model_validate({"name": "benchmark", "sources": sources, "tables": made})


def _in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> Told:
    """Return the seconds of each way in each round; one before them imports what the first run does."""
    told: Told = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, run in ways.items():
            seconds = _seconds(run)
            if number:
                told[way].append(seconds)
    return told


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _rows(folder: Path) -> int:
    return sum(pq.read_metadata(part).num_rows for part in list_parts(folder / "tables" / "made"))


def main() -> None:
    """Measure what the arguments say, a query, `function` or `large`, in a folder with an inbox, and print it as JSON."""
    exit_with_parent()
    what, folder, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    for name in IMPORTED_LATE:
        import_module(name)
    if what == "large":
        told: Mapping[str, Any] = measure_large(folder, number)
    else:
        told = measure_function(folder, number) if what == "function" else measure_query(what, folder, number)
    print(json.dumps(told), flush=True)
    flush(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)


if __name__ == "__main__":
    main()
