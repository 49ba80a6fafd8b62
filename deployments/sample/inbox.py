"""The sample's inbox: a year of flights with a few damaged lines, and the irises in three files."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from deployments.sample.data import IRIS_COLUMNS, read_flight_lines, read_iris
from tasks.core.storage import commit

MONTHS = range(1, 13)
DAMAGED_MONTH = 3
IRISES_PER_FILE = 50
COMPRESSION = 1
"""The fastest: the files are written once and read once."""


def _replace(column: int, text: bytes) -> Callable[[list[bytes]], list[bytes]]:
    return lambda fields: [*fields[:column], text, *fields[column + 1 :]]


DAMAGES: dict[int, Callable[[list[bytes]], list[bytes]]] = {
    1_000: lambda fields: fields[:11],
    5_000: _replace(5, b"late"),
    9_000: lambda fields: [*fields, b"checked"],
    13_000: _replace(15, b"n/a miles"),
    17_000: lambda fields: fields[:-1],
    21_000: _replace(18, b"soon"),
    25_000: _replace(4, b"6h30"),
}
"""Damaged lines of DAMAGED_MONTH: how each comes from the good line of that number, which it precedes.

Three have too few or too many fields, four a value of the wrong type (dep_delay,
distance, time_hour, sched_dep_time). The good lines all stay.
"""


def write_inbox(inbox: Path) -> None:
    """Write the files that are missing below `inbox`; the same files get the same bytes every time."""
    _write_flights(inbox / "flights")
    _write_irises(inbox / "tour")


def _write_flights(folder: Path) -> None:
    paths = {month: folder / f"flights-2013-{month:02}.csv.gz" for month in MONTHS}
    missing = {month: path for month, path in paths.items() if not path.exists()}
    if not missing:
        return
    header, lines = read_flight_lines()
    by_month: dict[int, list[bytes]] = defaultdict(list)
    for line in lines:
        by_month[int(line.split(b",", 2)[1])].append(line)
    by_month[DAMAGED_MONTH] = _damage(by_month[DAMAGED_MONTH])
    for month, path in missing.items():
        text = b"".join([header, *by_month[month]])
        with commit(path) as part:
            # mtime=0: the time of writing would make the bytes differ.
            part.write_bytes(gzip.compress(text, COMPRESSION, mtime=0))


def _damage(lines: list[bytes]) -> list[bytes]:
    """Return the lines with the damaged ones put among them."""
    damaged: list[bytes] = []
    for number, line in enumerate(lines):
        if number in DAMAGES:
            fields = line.rstrip(b"\n").split(b",")
            damaged.append(b",".join(DAMAGES[number](fields)) + b"\n")
        damaged.append(line)
    return damaged


def _write_irises(folder: Path) -> None:
    irises = read_iris()
    for number, start in enumerate(range(0, len(irises), IRISES_PER_FILE), start=1):
        path = folder / f"data{number}.csv"
        if not path.exists():
            text = StringIO()
            csv.writer(text, lineterminator="\n").writerows([IRIS_COLUMNS, *irises[start : start + IRISES_PER_FILE]])
            with commit(path) as part:
                part.write_text(text.getvalue(), encoding="utf-8")
