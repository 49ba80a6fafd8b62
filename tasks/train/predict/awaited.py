"""Predictions whose truth is awaited: what of each is kept until outcomes are known, whatever becomes of the file asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config import GroupSplit, Label, TimeSplit, Truth
from tasks.core.storage import commit, commit_json, json_reader
from tasks.train.predict.output import MADE_BY

if TYPE_CHECKING:
    from tasks.train.data.drift import Drift
    from tasks.train.predict.model import ServingModel

WEEK = timedelta(days=7)
UNIT, WEIGHT, KEY = "unit", "weight", "key_"
_SECTION, _KEPT = "awaited.json", b"tidemill"
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Awaited:
    """What predictions have to know of the section truth: by which columns it is joined, and how long it takes."""

    key: tuple[str, ...]
    delay_s: float

    @property
    def delay(self) -> timedelta:
        """Return the age from which a prediction counts."""
        return timedelta(seconds=self.delay_s)


@dataclass(frozen=True)
class Kept:
    """What is told of one kept prediction, in its own file; when it was made is in the file's name."""

    version: str
    source: str
    key: tuple[str, ...]
    """The columns that its columns key_1, key_2, … are."""
    classes: tuple[Label, ...] | None
    """Those that the model knows; None of amounts."""
    features: int
    drifted: int
    """How many of the features had moved from the rows learnt from."""
    psi: float
    """The largest population stability index of a feature."""


_read_section = json_reader(Awaited)


def await_truth(folder: Path, truth: Truth | None) -> None:
    """Have predictions be kept from now on, in a pipeline's folder of the truth, or no longer, as its file says."""
    wanted = None if truth is None else Awaited(truth.key, truth.delay.total_seconds())
    if read_awaited(folder) == wanted:
        return
    if wanted is None:
        (folder / _SECTION).unlink(missing_ok=True)
    else:
        commit_json(folder / _SECTION, asdict(wanted))


def read_awaited(folder: Path) -> Awaited | None:
    """Return what is awaited; None where nothing is."""
    return _read_section(folder / _SECTION)


def list_kept(folder: Path) -> list[Path]:
    """Return the kept predictions, the oldest first; a file of another name is none of ours."""
    return sorted(path for path in (folder / "predictions").glob("[!.]*.parquet") if _is_stamped(path))


def made_at(path: Path) -> datetime:
    """Return when a kept prediction was made, by its name."""
    return datetime.strptime(path.name.partition("-")[0], _STAMP).replace(tzinfo=UTC)


def _is_stamped(path: Path) -> bool:
    with suppress(ValueError):
        return made_at(path) is not None
    return False


def week_of(moment: datetime) -> datetime:
    """Return when the ISO week of a moment, in UTC, began."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def read_kept(path: Path) -> Kept:
    """Return what is told of a kept prediction.

    Raises:
        OSError, ValueError, KeyError: it is damaged.

    """
    told = json.loads((pq.read_metadata(path).metadata or {})[_KEPT])
    return Kept(**{**told, "key": tuple(told["key"]), "classes": told["classes"] and tuple(told["classes"])})


class Keeper:
    """Keeps of a prediction, as it is made, the columns that are scored once the truth is known."""

    def __init__(self, columns: Sequence[str], writer: pq.ParquetWriter) -> None:
        self._columns, self._writer = columns, writer

    def write(self, told: pa.Table) -> None:
        """Keep some rows."""
        columns = [told.column(name) for name in self._columns]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._writer.schema))

    def describe(self, kept: Kept) -> None:
        """Keep what is told of all of them."""
        self._writer.add_key_value_metadata({_KEPT: json.dumps(asdict(kept))})


@dataclass(frozen=True)
class Keeping:
    """Where a prediction is kept, of which rows, and when it was made."""

    folder: Path
    source: str
    """The name of the rows."""
    awaited: Awaited
    at: datetime

    @property
    def path(self) -> Path:
        """Return the file; those of one input follow each other."""
        return self.folder / "predictions" / f"{self.at.strftime(_STAMP)}-{self.source}.parquet"

    def find_missing(self, names: Sequence[str]) -> list[str]:
        """Return the columns of the key that rows lack."""
        return [name for name in self.awaited.key if name not in names]

    def describe(self, model: ServingModel, drift: Sequence[Drift]) -> Kept:
        """Return what is told of the prediction."""
        classes = getattr(model.model, "classes_", None)
        return Kept(
            model.version.name,
            self.source,
            self.awaited.key,
            None if classes is None else tuple(classes.tolist()),
            len(drift),
            sum(each.drifted for each in drift),
            max((each.psi for each in drift), default=0.0),
        )

    @contextmanager
    def opened(self, model: ServingModel, schema: pa.Schema) -> Iterator[Keeper]:
        """Yield what keeps the rows of a prediction, which has a schema; all of it is committed at the end, or nothing."""
        training, names = model.version.training, schema.names
        # A column may be several of them, and is then there several times.
        wanted = [(name, f"{KEY}{place}") for place, name in enumerate(self.awaited.key, start=1)]
        if isinstance(training.split, TimeSplit | GroupSplit) and training.split.column in names:
            wanted.append((training.split.column, UNIT))
        if training.weights is not None and training.weights in names:
            wanted.append((training.weights, WEIGHT))
        wanted += [(name, name) for name in model.added if name != MADE_BY]
        fields = [schema.field(name).with_name(kept) for name, kept in wanted]
        with commit(self.path) as part, pq.ParquetWriter(part, pa.schema(fields), compression="zstd") as writer:
            yield Keeper([name for name, _ in wanted], writer)
