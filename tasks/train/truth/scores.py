"""What past predictions have come to, as it is kept: one table for others to read, and what is known of its making."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import TrainingError
from tasks.core.storage import commit, commit_json, json_reader

SCHEMA = pa.schema(
    {
        "week": pa.date32(),
        "version": pa.string(),
        "metric": pa.string(),
        "figure": pa.string(),
        "value": pa.float64(),
        "low": pa.float64(),
        "high": pa.float64(),
    }
)
"""One row a figure of the predictions that a version made in a week, which is named by its Monday.

The metric is that by which the version was ranked; low and high are the ends of 95 %.
"""
SCORES, _STATE = "scores.parquet", "state.json"


class Row(TypedDict):
    """A row of the table."""

    week: date
    version: str
    metric: str
    figure: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Scored:
    """What the figures of a version in a week were made of."""

    digest: str
    files: tuple[str, ...]
    """Names of the kept predictions; where one is gone, the figures stay as they are."""


@dataclass(frozen=True)
class State:
    """What the table was made of, and what was told of it."""

    inputs: str = ""
    weeks: dict[str, Scored] = field(default_factory=dict)
    """By week and version."""
    told: tuple[str, ...] = ()
    """Weeks and versions whose score has fallen, of which somebody was told."""
    problems: tuple[str, ...] = ()
    """Sentences on what of predictions and outcomes does not count."""


_read_state = json_reader(State)


def name_week(week: date, version: str) -> str:
    """Return what a version in a week is known by."""
    return f"{week} {version}"


def read_state(folder: Path) -> State:
    """Return what is known of the table; nothing where it is not there."""
    known = _read_state(folder / _STATE)
    return known if known is not None and (folder / SCORES).is_file() else State()


def keep_state(folder: Path, state: State) -> None:
    """Commit what is known of the table."""
    commit_json(folder / _STATE, asdict(state))


def read_scores(folder: Path) -> list[Row]:
    """Return the rows of the table, by week and version; none where there is no table.

    Raises:
        TrainingError: it cannot be read.

    """
    path = folder / SCORES
    if not path.is_file():
        return []
    try:
        with pq.ParquetFile(path) as file:  # `read_table` imports pandas
            rows: list[Row] = file.read().select(SCHEMA.names).to_pylist()
            return rows
    except (OSError, KeyError, pa.ArrowException) as error:
        said = (str(error).splitlines() or [""])[0].rstrip(".")
        raise TrainingError(f"{path}: cannot be read ({said}); move it away, and the next run makes it anew") from None


def keep_scores(folder: Path, rows: Iterable[Row]) -> Path:
    """Commit the table; return where it lies."""
    ordered = sorted(rows, key=lambda row: (row["week"], row["version"]))
    path = folder / SCORES
    with commit(path) as part:
        pq.write_table(pa.Table.from_pylist(ordered, SCHEMA), part, compression="zstd")
    return path


def write_figure(row: Row | None) -> str:
    """Return a figure with its interval, where it has one."""
    if row is None:
        return "not defined"
    ends = "" if row["low"] is None or row["high"] is None else f" ({row['low']:.4f} to {row['high']:.4f})"
    return f"{row['value']:.4f}{ends}"


@dataclass(frozen=True)
class WeekOfVersion:
    """The figures of a version in a week."""

    week: date
    version: str
    metric: str
    """By which the version was ranked."""
    figures: dict[str, Row]

    @property
    def name(self) -> str:
        """Return what it is known by."""
        return name_week(self.week, self.version)

    @property
    def has_fallen(self) -> bool:
        """Return whether its score is surely worse than that of the hold-out."""
        return "fell" in self.figures and self.figures["fell"]["value"] == 1

    @property
    def score(self) -> Row | None:
        """Return what it scores by its metric; None where its rows do not define it."""
        return self.figures.get(self.metric)

    def number(self, figure: str) -> int:
        """Return how many there are of something that is counted."""
        return int(self.figures[figure]["value"]) if figure in self.figures else 0


def by_week(rows: Iterable[Row]) -> Iterator[WeekOfVersion]:
    """Yield the figures of each version in each week, in the order of the rows."""
    found: dict[tuple[date, str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["week"], row["version"], row["metric"]), {})[row["figure"]] = row
    for (week, version, metric), figures in found.items():
        yield WeekOfVersion(week, version, metric, figures)


@dataclass(frozen=True)
class Judged:
    """What past predictions have come to."""

    path: Path
    """The table of all figures."""
    weeks: tuple[WeekOfVersion, ...]
    problems: tuple[str, ...]
    """Sentences on what does not count, with cures."""
    kept: int
    """How many predictions are kept."""
    young: int
    """How many of them are too young to count."""
    scored: tuple[WeekOfVersion, ...]
    """Those that are scored anew; the others are as they were."""
    is_new: bool
    untold: tuple[WeekOfVersion, ...]
    """Those whose score has fallen, and of which nobody was told yet."""
