"""How fast tables are made of tables, as ratios to DuckDB alone and to a function alone within one run, and beyond memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from deployments.sample.data import AIRPORT_COLUMNS, read_airports, read_flight_lines, read_weather
from tasks.core.child_process import first_line, start_child, stop_child
from tests.benchmarks.peers.tables import MEMORY_MB
from tests.benchmarks.rig import Rig, open_rig, say
from tests.benchmarks.table import Line, describe_machine, draw_table

ROUNDS = 9
COPIES = 10  # of the year's flights, where a join is to take about a second
LARGE_ROWS = 190_000_000  # of 54 bytes as Parquet
SHARE = 1.15
FUNCTION_S = 0.5
LARGE_PEAK = 1.5  # of the memory that a query may take

_PACKAGES = ("tidemill", "prefect", "duckdb", "pyarrow", "pandas")
_LIMIT_S = 3600.0


def measure_tables() -> str:
    """Measure tables made of tables and their peers, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig:
        lines = list(_measure(rig))
    setting = "Flights with weather and airports, as Parquet with zstd; both in one process, its imports done before, in turns; medians."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure(rig: Rig) -> Iterator[Line]:
    one, ten, large = (rig.folder / name for name in ("one", "ten", "large"))
    write_inbox(one, 1)
    write_inbox(ten, COPIES)
    for query, folder, what in (
        ("grouped", one, "336,776 flights joined and grouped"),
        ("joined", one, "336,776 flights joined"),
        ("grouped", ten, "3.4 million flights joined and grouped"),
        ("joined", ten, "3.4 million flights joined"),
    ):
        yield from _compare(run(rig, query, folder, ROUNDS), what)
    yield from _measure_function(run(rig, "function", one, ROUNDS))
    yield from _measure_large(run(rig, "large", large, LARGE_ROWS))


def _compare(told: dict[str, Any], what: str) -> Iterator[Line]:
    """Yield what a query takes by the flow, by DuckDB, and by Prefect without any work."""
    ours, peer, alone = (median(told[way]) for way in ("tidemill", "duckdb", "prefect"))
    same = None if len(set(told["rows"])) == 1 else False
    yield Line(f"{what}: tables, Prefect included", f"{ours:.3f} s", holds=same)
    yield Line("the same by DuckDB's COPY", f"{peer:.3f} s")
    yield Line("a flow run of one task that does nothing", f"{alone:.3f} s")
    yield Line("tables as a multiple of DuckDB's COPY", f"{ours / peer:.2f}", f"<= {SHARE}", ours <= SHARE * peer)


def _measure_function(told: dict[str, Any]) -> Iterator[Line]:
    """Yield what a function takes by the flow tables alone, within a run that converts, and alone."""
    alone, flow, within = (median(told[way]) for way in ("function", "tidemill", "within"))
    yield Line("a function of 336,776 flights, called alone: read, group, write", f"{alone:.3f} s")
    for what, seconds in (("by the flow tables alone, beyond that", flow), ("in a run that converts first", within)):
        over = seconds - alone
        yield Line(what, f"{over:.3f} s", f"<= {FUNCTION_S} s", over <= FUNCTION_S)


def _measure_large(told: dict[str, Any]) -> Iterator[Line]:
    """Yield what is larger than memory."""
    size, peak = told["bytes"] / 1e9, told["peak"] / 2**20
    for name, seconds in told["seconds"].items():
        how = "written" if name == "large" else f"{name} by a key without repeats"
        yield Line(
            f"{told['rows'][name]:,} rows, {size:.1f} GB of Parquet, {how} in {MEMORY_MB} MiB", f"{seconds:.0f} s"
        )
    limit = LARGE_PEAK * MEMORY_MB
    yield Line(
        "the most memory of the process, Prefect included", f"{peak:,.0f} MiB", f"<= {limit:,.0f} MiB", peak <= limit
    )


def run(rig: Rig, what: str, folder: Path, number: int) -> dict[str, Any]:
    """Return what a fresh process tells that makes tables of an inbox."""
    child = start_child("tests.benchmarks.peers.tables", what, str(folder), str(number), environment=rig.environment)
    try:
        said = first_line(child)
        child.wait(_LIMIT_S)
    finally:
        stop_child(child)
    say(f"{what} {folder.name}: {said}")
    told: dict[str, Any] = json.loads(said)
    return told


def write_inbox(folder: Path, copies: int, flights: int | None = None) -> None:
    """Write flights, all or the first ones, as many times, and the weather and the airports that they are joined with."""
    header, lines = read_flight_lines()
    for copy in range(copies):
        path = _file(folder, "flights", f"{copy:02d}.csv")
        path.write_bytes(header + b"".join(lines[:flights]))
    hours = [hour for hours in read_weather().values() for hour in hours]
    _write(_file(folder, "weather", "all.csv"), list(hours[0]), (hour.values() for hour in hours))
    _write(_file(folder, "airports", "all.csv"), AIRPORT_COLUMNS, read_airports())


def _file(folder: Path, source: str, name: str) -> Path:
    path = folder / "inbox" / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
