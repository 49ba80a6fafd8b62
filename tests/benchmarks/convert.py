"""How fast convert is, as ratios to the fastest engine within one run, and how its cost and memory grow."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xlsxwriter

from deployments.sample.data import read_flight_lines
from tests.benchmarks.conversion import Case, run_case, told, write_year
from tests.benchmarks.job import Report
from tests.benchmarks.json_lines import measure_json
from tests.benchmarks.landed import write_landed
from tests.benchmarks.rig import Rig, open_rig
from tests.benchmarks.table import Line, describe_machine, draw_table

ROUNDS = 3  # of what takes about a second; the median counts
COPIES = 3  # of the year's flights: 1.01 million rows
LARGE_BYTES = 2_000_000_000
LARGE_ROUNDS = 1
SMALL_FILES, SMALL_ROWS = 10_000, 112  # of 10 kB each
WORKBOOK_ROWS, WORKBOOK_SHARE = 30_000, 2.0
JSON_ROWS = 100_000  # that files of JSON repeat
LANDED_COPIES = 3  # of these rows
WIDE_COLUMNS, WIDE_ROWS, WIDE_FILES = 1_000, 2_500, 8
ODD_SHARE = 2.0  # of what is neither many files nor a large one
SIZES = (1, 2, 4, 8)  # copies of 36 files, to see whether cost is linear

ENGINES = ("pandas_loop", "pyarrow_threads", "polars_sink", "duckdb_copy")
STREAMING = ("pyarrow_dataset", "polars_sink", "duckdb_copy")
LARGE_SHARE, LARGE_PEAK_MEBIBYTES, ARTICLE_SHARE = 1.2, 500, 0.5
TASK_RUNS = 100
LINEAR = 0.15  # how far a size may lie off the line, as a share

_PACKAGES = ("tidemill", "prefect", "pyarrow", "pandas", "polars", "duckdb", "python-calamine")
_MEBIBYTE = 2**20


def measure_convert() -> str:
    """Measure convert and the engines it is compared with, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig:
        lines = list(_measure(rig))
    setting = "CSV of flights to Parquet with zstd; every engine in a fresh process, its imports done before; in turns, the median counts."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure(rig: Rig) -> Iterator[Line]:
    header, lines = read_flight_lines()
    year = write_year(rig.folder / "year", header, lines, COPIES)
    yield from _compare(rig, year, "36 CSV files, 1.01 million rows", (*ENGINES, "article"), ROUNDS, 1.0)
    small = _write_small(rig.folder / "small", header, lines)
    before = rig.count_task_runs()
    yield from _compare(rig, small, "10,000 files of 10 kB", ("polars_sink", "duckdb_copy"), 1, LARGE_SHARE)
    runs = rig.count_task_runs() - before
    yield Line("task runs of that", f"{runs}", f"<= {TASK_RUNS}", runs <= TASK_RUNS)
    wide = _write_wide(rig.folder / "wide")
    what = f"{WIDE_FILES} CSV files of {WIDE_COLUMNS:,} columns"
    yield from _compare(rig, wide, what, ("pyarrow_threads", "polars_sink", "duckdb_copy"), ROUNDS, ODD_SHARE)
    yield from _measure_workbook(rig)
    yield from _measure_large(rig, header, lines)
    names = header.decode().strip().split(",")
    rows = [values_of(names, line.decode().rstrip("\n").split(",")) for line in lines[:JSON_ROWS]]
    records = [json.dumps(row).encode() for row in rows] * LANDED_COPIES
    landed = Case(write_landed(rig.folder / "landed", records), len(records))
    what = f"{landed.rows:,} rows landed from an API"
    engines = ("pyarrow_threads", "polars_sink", "duckdb_copy")
    yield from _compare(rig, landed, what, engines, ROUNDS, ODD_SHARE)
    yield from measure_json(rig.folder / "json", rows)
    yield from _measure_sizes(rig, header, lines)


def _compare(rig: Rig, case: Case, what: str, engines: Sequence[str], rounds: int, limit: float) -> Iterator[Line]:
    """Yield what convert takes, and its wall and CPU as a share of the fastest engine's."""
    ours = "landed" if case.pattern.suffix == ".zst" else "tidemill"
    reports: dict[str, list[Report]] = {engine: [] for engine in (ours, *engines)}
    for _ in range(rounds):  # in turns: what else the machine does meets all alike
        for engine, found in reports.items():
            found.append(run_case(rig, engine, case))
    middle = {engine: _median(found) for engine, found in reports.items()}
    own = middle.pop(ours)
    yield Line(f"{what}: convert, Prefect included", told(own), holds=None if own.rows == case.rows else False)
    for engine, report in middle.items():
        yield Line(f"the same by {engine.replace('_', ' ')}", told(report))
    peers = [report for engine, report in middle.items() if engine != "article" and report.rows]
    for name, key in (("wall", "seconds"), ("CPU", "cpu_s")):
        share = getattr(own, key) / min(getattr(report, key) for report in peers)
        yield Line(f"convert's {name}, as a share of the fastest", f"{share:.2f}", f"<= {limit:g}", share <= limit)
    if "article" in middle:
        share = own.seconds / middle["article"].seconds
        yield Line("as a share of the article's", f"{share:.2f}", f"<= {ARTICLE_SHARE:g}", share <= ARTICLE_SHARE)


def _measure_workbook(rig: Rig) -> Iterator[Line]:
    """Yield what a sheet of an .xlsx costs beside calamine's own reading of it, which gives rows and writes nothing."""
    case = write_workbook(rig.folder / "sheet.xlsx", WORKBOOK_ROWS)
    engines = ("tidemill", "reading_alone", "calamine_rows")
    reports: dict[str, list[Report]] = {engine: [] for engine in engines}
    for _ in range(ROUNDS):
        for engine, found in reports.items():
            found.append(run_case(rig, engine, case))
    ours, reading, theirs = (_median(reports[engine]) for engine in engines)
    share = reading.cpu_s / theirs.cpu_s
    yield Line(f"an .xlsx of {WORKBOOK_ROWS:,} x 10 cells: convert, Prefect included", told(ours))
    yield Line("its reading into columns alone", told(reading))
    yield Line("the same by calamine's to_python", told(theirs))
    yield Line(
        "the reading's CPU, as a share of that", f"{share:.2f}", f"<= {WORKBOOK_SHARE:g}", share <= WORKBOOK_SHARE
    )


def _measure_large(rig: Rig, header: bytes, lines: list[bytes]) -> Iterator[Line]:
    """Yield what one large file costs: as CSV, compressed, and as lines of JSON."""
    body, folder = b"".join(lines), rig.folder / "large"
    folder.mkdir()
    copies = LARGE_BYTES // len(body) + 1
    plain = folder / "large.csv"
    with plain.open("wb") as file, gzip.open(folder / "large.csv.gz", "wb", compresslevel=1) as packed:
        for part in (header, *[body] * copies):
            file.write(part)
            packed.write(part)
    rows = copies * len(lines)
    for what, case in (
        ("one CSV of 2 GB", Case(plain, rows)),
        ("the same as .csv.gz", Case(folder / "large.csv.gz", rows)),
        ("2 GB of it as JSON lines", _write_json(folder / "large.jsonl", header, lines)),
    ):
        engines = [engine for engine in STREAMING if not (engine == "pyarrow_dataset" and case.pattern.suffix == ".gz")]
        yield from _compare(rig, case, what, engines, LARGE_ROUNDS, LARGE_SHARE)
        peak = run_case(rig, "tidemill", case).peak_bytes / _MEBIBYTE
        yield Line(
            "convert's peak memory", f"{peak:.0f} MiB", f"<= {LARGE_PEAK_MEBIBYTES} MiB", peak <= LARGE_PEAK_MEBIBYTES
        )
        case.pattern.unlink()


def _measure_sizes(rig: Rig, header: bytes, lines: list[bytes]) -> Iterator[Line]:
    """Yield how far the cost of four sizes is from a line."""
    sizes, seconds = [], []
    for copies in SIZES:
        case = write_year(rig.folder / f"size-{copies}", header, lines, copies)
        sizes.append(sum(path.stat().st_size for path in case.pattern.parent.iterdir()) / 1e6)
        seconds.append(min(run_case(rig, "tidemill", case).cpu_s for _ in range(3)))
        shutil.rmtree(case.pattern.parent)
    slope, base = np.polyfit(sizes, seconds, 1)
    off = max(abs(took / (base + slope * size) - 1) for size, took in zip(sizes, seconds, strict=True))
    told = ", ".join(f"{size:.0f} MB {took:.2f} s" for size, took in zip(sizes, seconds, strict=True))
    yield Line(
        f"CPU of {told}: {base:.2f} s + {slope * 1000:.1f} ms/MB, farthest off the line",
        f"{off:.0%}",
        f"<= {LINEAR:.0%}",
        bool(off <= LINEAR),
    )


def _write_small(folder: Path, header: bytes, lines: list[bytes]) -> Case:
    folder.mkdir()
    for number in range(SMALL_FILES):
        start = number * SMALL_ROWS % (len(lines) - SMALL_ROWS)
        (folder / f"{number:05d}.csv").write_bytes(header + b"".join(lines[start : start + SMALL_ROWS]))
    os.sync()
    return Case(folder / "*.csv", SMALL_FILES * SMALL_ROWS)


def _write_wide(folder: Path) -> Case:
    """Write files of many columns: whole numbers, fractions, words and days in turns."""
    folder.mkdir()
    numbers = np.random.default_rng(1)
    header = ",".join(f"column_{number}" for number in range(WIDE_COLUMNS)) + "\n"
    for number in range(WIDE_FILES):
        values = numbers.integers(0, 100_000, (WIDE_ROWS, WIDE_COLUMNS))
        body = "".join(",".join(map(_wide_field, range(WIDE_COLUMNS), row)) + "\n" for row in values.tolist())
        (folder / f"{number}.csv").write_text(header + body)
    return Case(folder / "*.csv", WIDE_FILES * WIDE_ROWS)


def _wide_field(column: int, value: int) -> str:
    return (f"{value}", f"{value / 8}", f"word {value % 500}", f"2013-{value % 12 + 1:02d}-{value % 28 + 1:02d}")[
        column % 4
    ]


def write_workbook(path: Path, rows: int) -> Case:
    """Write a sheet of numbers, texts, days, times and booleans, with blanks."""
    numbers = np.random.default_rng(1)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        day, at = (book.add_format({"num_format": text}) for text in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"))
        sheet.write_row(0, 0, ["id", "name", "price", "quantity", "day", "at", "paid", "city", "note", "share"])
        for row in range(1, rows + 1):
            price, share = numbers.random(2)
            sheet.write_row(row, 0, [row, f"name {row % 5000}", round(price * 1000, 2), row * 7 % 100])
            sheet.write_number(row, 4, 41275 + row % 365, day)
            sheet.write_number(row, 5, 41275 + row * 61 / 86_400, at)
            sheet.write_row(
                row, 6, [row % 2 == 0, ("Berlin", "Paris", "Rome")[row % 3], f"note {row}" * (row % 4 > 0), share]
            )
    return Case(path, rows)


def _write_json(path: Path, header: bytes, lines: list[bytes]) -> Case:
    """Write as many rows as lines of JSON as make the size of a large file."""
    names = header.decode().strip().split(",")
    body = "".join(_as_json(names, line.decode().rstrip("\n").split(",")) for line in lines).encode()
    copies = LARGE_BYTES // len(body) + 1
    with path.open("wb") as file:
        for _ in range(copies):
            file.write(body)
    return Case(path, copies * len(lines))


def _as_json(names: list[str], fields: list[str]) -> str:
    return json.dumps(values_of(names, fields)) + "\n"


def values_of(names: list[str], fields: list[str]) -> dict[str, int | str | None]:
    """Return the fields of a line of CSV as JSON has them."""
    return {
        name: None if field in ("", "NA") else int(field) if field.lstrip("-").isdigit() else field
        for name, field in zip(names, fields, strict=True)
    }


def _median(reports: list[Report]) -> Report:
    return sorted(reports, key=lambda report: report.seconds)[len(reports) // 2]
