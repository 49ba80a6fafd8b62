"""What is done the slow way, counted, and rows of the benchmark to do it to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deployments.sample.data import read_flight_lines
from tasks.config import Source
from tasks.convert.formats import parquet
from tasks.convert.formats.csv import reader as csv_reader
from tasks.convert.formats.excel import workbook
from tasks.convert.formats.excel.cells import Grid
from tasks.convert.formats.json import apart, damaged, document, lines, mixed
from tasks.convert.formats.json import rows as rows_module
from tasks.convert.formats.json.names import LinesRead
from tasks.convert.schema import written
from tasks.convert.table import job
from tasks.convert.table.state import CommittedTable
from tests.benchmarks.convert import values_of
from tests.convert.conftest import make_table

ROWS, BYTES, FEW = 2000, 300_000, 20
_SLOW: dict[str, tuple[ModuleType | type, str]] = {
    "a line of JSON": (lines, "rows_of_line"),
    "a block of JSON lines": (apart, "read_lines"),
    "a document": (document, "read_records"),
    "a damaged line of JSON": (damaged, "rows_of_line"),
    "a block of CSV as texts": (csv_reader, "read_texts_at_once"),
    "a block of CSV by Python's reader": (csv_reader, "read_texts"),
    "a workbook by openpyxl": (workbook, "CarefulWorkbook"),
}


@dataclass(frozen=True)
class Flights:
    """Rows of the benchmark: as CSV, with its header, and as records."""

    header: str
    lines: list[str]
    rows: list[dict[str, Any]]


def read_flights() -> Flights:
    """Return the first flights of the year."""
    header, found = read_flight_lines()
    texts = [line.decode().rstrip("\n") for line in found[:ROWS]]
    names = header.decode().strip()
    return Flights(names, texts, [values_of(names.split(","), text.split(",")) for text in texts])


def count_slow(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is done the slow way; all of it is done."""
    counts: Counter[str] = Counter()

    def counted(what: str, called: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counts[what] += 1
            return called(*arguments, **options)

        return call

    for what, (module, name) in _SLOW.items():
        monkeypatch.setattr(module, name, counted(what, getattr(module, name)))
    return counts


def count_calls(monkeypatch: pytest.MonkeyPatch, counts: Counter[str], owner: ModuleType | type, name: str) -> None:
    """Count the calls of a function."""
    called = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        counts[name] += 1
        return called(*arguments, **options)

    monkeypatch.setattr(owner, name, call)


def count_values(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the values and records that are written by themselves, by the functions that do it."""
    counts: Counter[str] = Counter()
    for module, name in (
        (workbook, "CarefulWorkbook"),
        (Grid, "rows"),
        (written, "as_text"),
        (parquet, "write_objects"),
        (document, "_value_of"),
        (damaged, "flatten"),
        (lines, "rows_of_line"),
        (damaged, "rows_of_line"),
        (mixed, "_write"),
        (rows_module, "json_type"),
        (LinesRead, "read"),
        (job, "Naming"),
    ):
        count_calls(monkeypatch, counts, module, name)
    return counts


def inbox(root: Path) -> Path:
    """Return the folder of the files of a source."""
    folder = root / "inbox"
    folder.mkdir(exist_ok=True)
    return folder


def with_odd_line(path: Path, odd: str) -> None:
    """Write a line between the others of a file."""
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[: len(lines) // 2], odd, *lines[len(lines) // 2 :]]))


def made(root: Path, source: Source, rejected: int = 0, least: int = ROWS // 4 + 1) -> CommittedTable:
    """Return the table of a source, of which so many rows are rejects and all others, this many at least, in it."""
    table = make_table(root, source)
    assert (table.rows_rejected, table.rows_table) == (rejected, table.rows_received - rejected)
    assert table.rows_table >= least
    return table


def lengths_given(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[int]:
    """Return how many values a function of a module is given, call by call, from now on."""
    lengths: list[int] = []
    function = getattr(module, name)

    def counted(texts: Any, *arguments: Any, **options: Any) -> Any:
        lengths.append(len(texts))
        return function(texts, *arguments, **options)

    monkeypatch.setattr(module, name, counted)
    return lengths
