"""How fast a table is made of a query of PostgreSQL, as ratios to its driver alone and to DuckDB's own COPY within one run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from statistics import median
from typing import Any

from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.rig import open_rig, say
from tests.benchmarks.table import Line, describe_machine, draw_table
from tests.postgresql import PASSWORD, serve_postgresql

ROWS = 1_000_000
ROUNDS = 5
SHARE = 1.2
PEAK_MEBIBYTES = 400
DUCKDB = "TIDEMILL_BENCHMARK_DUCKDB"
"""Where to import a DuckDB from whose extension postgres_scanner is there, and the path of that, with a colon between: PyPI has both of one version."""

_PACKAGES = ("tidemill", "prefect", "adbc-driver-postgresql", "pyarrow", "duckdb")
_LIMIT_S = 600.0
_TABLE = f"""
CREATE TABLE orders AS SELECT x AS id, (x * 37 % 100000)::numeric(10,2) AS total,
    timestamptz '2024-01-01' + x * interval '7 seconds' AS changed, 'customer ' || x % 5000 AS customer, x % 7 AS qty,
    x % 3 = 0 AS paid, date '2024-01-01' + x % 365 AS day, random() AS score FROM generate_series(1, {ROWS}) AS x
"""  # noqa: S608 - a figure of ours


def measure_sql() -> str:
    """Measure queries and their peers, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig, serve_postgresql() as server:
        server.query(_TABLE)
        server.query("ALTER TABLE orders ADD PRIMARY KEY (id)")
        server.query("ANALYZE orders")
        own = {"PGPASSWORD": PASSWORD}
        given = [server.address(), str(rig.folder / "sql"), str(ROWS), str(ROUNDS), os.environ.get(DUCKDB, "")]
        child = start_child("tests.benchmarks.peers.sql", *given, environment={**rig.environment, **own})
        try:
            said = first_line(child)
            child.wait(_LIMIT_S)
        finally:
            stop_child(child)
        say(said)
        lines = list(_compare(json.loads(said)))
    setting = f"{ROWS:,} rows of 8 columns from PostgreSQL on this machine to a table, and to Parquet with zstd; in turns, medians of {ROUNDS}."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _compare(told: dict[str, Any]) -> Iterator[Line]:
    ours = median(told["tidemill"])
    yield Line("ingest and convert, Prefect included", f"{ours:.2f} s, CPU {median(told['cpu']):.2f} s")
    yield Line("of these, ingest", f"{median(told['ingest']):.2f} s")
    yield Line("as 4 partitions by range, of 2 connections", f"{median(told['parted']):.2f} s")
    peak = told["peak"] / 2**20
    yield Line("the most memory once all is imported, MiB", f"{told['imports'] / 2**20:,.0f}")
    yield Line("the most memory, MiB", f"{peak:,.0f}", f"<= {PEAK_MEBIBYTES}", peak <= PEAK_MEBIBYTES)
    names = {
        "adbc": "its driver and pyarrow alone",
        "duckdb": f"{' '.join(('DuckDB', told['version'])).strip()}'s COPY (FROM postgres_scan) TO",
    }
    for name, what in names.items():
        if not told[name]:
            yield Line(what, f"- (name one by {DUCKDB})")
            continue
        theirs = median(told[name])
        yield Line(what, f"{theirs:.2f} s")
        limit = f"<= {SHARE}" if name == "duckdb" else ""
        holds = ours <= SHARE * theirs if limit else None
        yield Line("Tidemill as a multiple of that", f"{ours / theirs:.2f}", limit, holds)
