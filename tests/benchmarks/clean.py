"""What a column costs that cleans itself, as a share of the same rows with a plain number in its place, within one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.rig import say
from tests.benchmarks.table import Line, describe_machine, draw_table
from tests.convert.conftest import files_source, make_table

ROWS, ROUNDS = 450_000, 5
SHARE = 1.5

_PACKAGES = ("tidemill", "pyarrow", "numpy")


@dataclass(frozen=True)
class Kind:
    """A way of writing a number between 0 and 1, what is declared of it, and the plain column that it is compared with."""

    write: Callable[[int, float], str]
    declared: Mapping[str, Any]
    plain: str = "float"


_STRIP = {"type": "float", "strip": True}
KINDS: Mapping[str, Kind] = {
    "float": Kind(lambda _, share: f"{share * 1000:.2f}", {"type": "float"}),
    "int": Kind(lambda _, share: f"{int(share * 1e6)}", {"type": "int"}, "int"),
    "strip: true, one unit": Kind(lambda _, share: f"{share * 1000:.2f} €", _STRIP),
    "strip: true, two currencies": Kind(
        lambda row, share: f"{share * 1000:.2f} €" if row % 3 else f"${share * 1000:.2f}", _STRIP
    ),
    "strip: [kg]": Kind(lambda _, share: f"{share * 1000:.2f} kg", {"type": "float", "strip": ["kg"]}),
    "thousands, quoted": Kind(lambda _, share: f'"{share * 1e5:,.2f}"', {"type": "float", "thousands": ","}),
    "decimal comma, quoted": Kind(
        lambda _, share: f'"{share * 1000:.2f}"'.replace(".", ","), {"type": "float", "decimal": ","}
    ),
    "pattern": Kind(lambda _, share: f"Order {int(share * 1e6)}", {"type": "int", "pattern": r"Order (\d+)"}, "int"),
    "words": Kind(
        lambda _, share: "ja" if share > 1 / 2 else "nein", {"type": "bool", "true": ["ja"], "false": ["nein"]}, "int"
    ),
    "unit of whole seconds": Kind(
        lambda _, share: f"{1_700_000_000 + int(share * 1e7)}", {"type": "timestamp", "unit": "s"}, "int"
    ),
    "unit of decimals": Kind(lambda _, share: f"{1_700_000_000 + share * 1e7:.3f}", {"type": "timestamp", "unit": "s"}),
    "origin": Kind(lambda _, share: f"{int(40_000 + share * 5_000)}", {"type": "date", "origin": 1900}, "int"),
    "expression": Kind(lambda _, share: f"{share * 1000:.2f}", {"type": "float", "expression": "v * 2"}),
}


def measure_clean() -> str:
    """Measure each kind of cleaning and the plain number, and return the table."""
    machine = describe_machine(_PACKAGES)
    with tempfile.TemporaryDirectory(prefix="tidemill-benchmark-") as folder:
        lines = list(_measure(Path(folder)))
    setting = f"CPU of convert without Prefect, of a CSV of {ROWS:,} rows of id, v and w, by what v is; in turns, the least counts."
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure(folder: Path) -> Iterator[Line]:
    sizes = {name: _write(folder / f"{place}.csv", kind) for place, (name, kind) in enumerate(KINDS.items())}
    took: dict[str, list[float]] = {name: [] for name in KINDS}
    for _ in range(ROUNDS):
        for place, (name, kind) in enumerate(KINDS.items()):
            took[name].append(_convert(folder / f"{place}.csv", kind.declared))
    least = {name: min(each) for name, each in took.items()}
    for name, kind in KINDS.items():
        say(f"{name}: {least[name]:.3f} s, {sizes[name] / 1e6:.1f} MB")
        share = least[name] / least[kind.plain]
        per_byte = share * sizes[kind.plain] / sizes[name]
        told = f"{least[name]:.2f} s, {share:.2f} a row, {per_byte:.2f} a MB"
        yield Line(name, told, *(() if name == kind.plain else (f"<= {SHARE} a row", share <= SHARE)))


def _write(path: Path, kind: Kind) -> int:
    """Write a file of three columns, and return its size."""
    shares = np.random.default_rng(1).random(ROWS).tolist()
    rows = (f"{row},{kind.write(row, share)},{row % 97 / 8}\n" for row, share in enumerate(shares))
    path.write_text("id,v,w\n" + "".join(rows))
    return path.stat().st_size


def _convert(path: Path, declared: Mapping[str, Any]) -> float:
    """Return the CPU seconds that it takes to convert a file in this process."""
    source = files_source(str(path), columns={"v": declared})
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        make_table(Path(folder), source)
        return time.process_time() - start
