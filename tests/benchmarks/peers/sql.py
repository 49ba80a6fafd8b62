"""A query of PostgreSQL made a table by the flows, and Parquet by their peers, in turns: the driver alone, and DuckDB's COPY."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from adbc_driver_postgresql import dbapi

from flows.cli.flush import flush
from flows.cli.prefect_api import PrefectApi
from flows.convert import convert
from flows.ingest import ingest
from tasks.config import Pipeline
from tasks.core.child_process import exit_with_parent
from tests.benchmarks.job import peak_bytes
from tests.benchmarks.tidemill import IMPORTED_LATE

_DUCKDB = """
import sys
folder, extension, address, path = sys.argv[1:]
sys.path.insert(0, folder)
import time, duckdb
connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute(f"LOAD '{extension}'")
start = time.perf_counter()
connection.execute(f"COPY (SELECT * FROM postgres_scan('{address}', 'public', 'orders')) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
print(time.perf_counter() - start, duckdb.__version__)
"""


def copy_by_duckdb(given: str, address: str, path: Path) -> tuple[float, str]:
    """Return the seconds of DuckDB's COPY in a process of its own, its start left out, and its version."""
    arguments = [*given.split(":", 1), address, str(path)]
    said = subprocess.run([sys.executable, "-c", _DUCKDB, *arguments], capture_output=True, text=True, check=True)
    seconds, version = said.stdout.split()
    return float(seconds), version


def copy_by_driver(address: str, path: Path) -> None:
    """Write what the driver gives, batch by batch."""
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM orders")
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)


def run(pipeline: Pipeline, folder: Path) -> None:
    """Fetch and convert."""
    asyncio.run(ingest(pipeline, folder))
    asyncio.run(convert(pipeline, folder))


def main() -> None:
    """Measure what this process is given: an address, a folder, how many rows and rounds, and where a DuckDB is."""
    exit_with_parent()
    address, place, rows, rounds, given = sys.argv[1:]
    folder = Path(place)
    source = {"kind": "sql", "database": address, "query": "SELECT * FROM orders"}
    parts = {"partitions": {"id": {"range": [1, int(rows)], "every": int(rows) // 4}}}
    pipeline, parted = (
        Pipeline.model_validate({"name": "benchmark", "sources": {"orders": each}}) for each in (source, source | parts)
    )
    for name in (*IMPORTED_LATE, "tasks.ingest.sql.postgresql"):
        import_module(name)
    told: dict[str, Any] = {name: [] for name in ("tidemill", "cpu", "ingest", "parted", "adbc", "duckdb")} | {
        "version": ""
    }

    told["imports"] = peak_bytes()

    def timed(name: str, call: Callable[[], object]) -> None:
        start = time.perf_counter()
        call()
        told[name].append(time.perf_counter() - start)

    for _ in range(int(rounds)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        cpu = time.process_time()
        timed("ingest", lambda: asyncio.run(ingest(pipeline, folder)))
        timed("tidemill", lambda: asyncio.run(convert(pipeline, folder)))
        told["tidemill"][-1] += told["ingest"][-1]
        told["cpu"].append(time.process_time() - cpu)
        told.setdefault("peak", peak_bytes())  # of the first, before others have held anything
        timed("parted", lambda: run(parted, folder / "parted"))
        timed("adbc", lambda: copy_by_driver(address, folder / "peer.parquet"))
        if given:
            seconds, told["version"] = copy_by_duckdb(given, address, folder / "duckdb.parquet")
            told["duckdb"].append(seconds)
    print(json.dumps(told), flush=True)
    flush(PrefectApi(url=os.environ["PREFECT_API_URL"]), None)


if __name__ == "__main__":
    main()
