"""What the endpoint answers: the champion's word on the rows of requests, and the champion exchanged while it answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from tasks.core.bucket.opened import update_folder
from tasks.core.errors import ConfigError, TrainingError
from tasks.core.own_code import code_versions
from tasks.train.data.column_kinds import ARROW_TYPES
from tasks.train.data.drift import Drift, count_values, measure_drift
from tasks.train.data.features import features_among
from tasks.train.data.types import Array
from tasks.train.evaluation.results import MODEL_FILE
from tasks.train.predict.model import ServingModel, read_serving
from tasks.train.predict.output import MADE_BY
from tasks.train.predict.preparation import find_preparation
from tasks.train.registry import load_model
from tasks.train.registry.champion import CHAMPION
from tasks.train.scoring.records import TooManyRowsError, read_records

MOST_ROWS = 10_000
_COUNTED_ROWS = 100  # half a millisecond of a few requests
OK, TOO_LARGE, WRONG_ROWS, FAILED = 200, 413, 422, 500
_ANY: Mapping[str, Any] = {"number": 0.0, "truth": False, "time": datetime(2000, 1, 1), "text": ""}  # noqa: DTZ001 - of UTC


@dataclass(frozen=True)
class Answer:
    """Status and JSON that a request is answered with."""

    status: int
    content: bytes


def refuse(status: int, *sentences: str) -> Answer:
    """Return the answer to a request that is refused."""
    return Answer(status, msgspec.json.encode({"errors": sentences}))


@dataclass
class Serving:
    """A version that answers, since when, and what it was asked so far."""

    model: ServingModel
    since: str
    rows: int = 0
    _asked: list[Mapping[str, Array]] = field(default_factory=list)
    _uncounted: int = 0
    _counted: dict[str, Array] = field(default_factory=dict)

    def predict(self, table: pa.Table) -> list[dict[str, Any]]:
        """Return what the model adds to each row, and keep the rows to be counted: together they take as long as one of them.

        Raises:
            TrainingError: the model cannot predict these rows.

        """
        if not table.num_rows:
            return []
        told, columns = self.model.answer(table)
        self.rows += table.num_rows
        self._uncounted += table.num_rows
        self._asked.append(columns)
        if self._uncounted >= _COUNTED_ROWS:
            self._count()
        rows: list[dict[str, Any]] = told.drop_columns([MADE_BY]).to_pylist()
        return rows

    def drift(self) -> list[Drift]:
        """Return how far the rows asked have moved from those learnt from."""
        self._count()
        return measure_drift(self.model.version.reference, self._counted) if self.rows else []

    def _count(self) -> None:
        if self._asked:
            names = self.model.version.reference
            columns = {name: np.concatenate([each[name] for each in self._asked]) for name in names}
            counted = count_values(self.model.version.reference, columns)
            self._counted = {name: bins + self._counted.get(name, 0) for name, bins in counted.items()}
            self._asked, self._uncounted = [], 0


def load_serving(
    models: Path, trusted: Collection[str] = (), imported: MutableMapping[str, str] | None = None
) -> Serving:
    """Return the champion, ready to answer.

    Args:
        models: The pipeline's models.
        trusted: Packages that its pipeline file trusts.
        imported: What told the code of packages when this process first loaded a model that may be of such; added to.

    Raises:
        ConfigError: none serves.
        TrainingError: champion.json, its version or its model is damaged, or this process has other code than is there now.

    """
    version = read_serving(models)
    known = {} if imported is None else imported
    now = code_versions(trusted) if version.types else {}
    if stale := [name for name, told in now.items() if known.setdefault(name, told) != told]:
        raise TrainingError(f"{' and '.join(stale)} changed since score began; start it again")
    schema = pa.schema([pa.field(name, ARROW_TYPES[kind]) for name, kind in version.features.items()])
    loaded = load_model(models / version.name / MODEL_FILE, version.types, trusted)
    preparation = None if version.types else find_preparation(loaded, version.reference)
    model = ServingModel(version, loaded, features_among(schema), preparation)
    row = pa.table({name: [_ANY[kind]] for name, kind in version.features.items()}, schema)
    try:
        model.answer(row)  # the first answer of a model takes far longer than those after it
    except Exception as error:  # noqa: BLE001 - a damaged model fails anywhere
        raise TrainingError(
            f"{version.name} cannot predict ({error}); promote another version, or train again"
        ) from None
    return Serving(model, datetime.now(UTC).isoformat(timespec="seconds"))


def _doubt(serving: Serving) -> str | None:
    """Return why a version may answer otherwise than it was scored."""
    changed = serving.model.version.changed
    return (
        f"{changed}, and may answer otherwise than it was scored; train again, or put its code back"
        if changed
        else None
    )


Stamp = tuple[tuple[int, int, int] | None, ...]


class Scorer:
    """Answers by the champion of a pipeline, and takes another one when `champion.json` says so.

    Batches are answered by one thread at a time, and a champion is loaded by
    another: until it is there, and where it cannot be loaded, the one before
    answers on.
    """

    def __init__(self, models: Path, most_rows: int = MOST_ROWS, trusted: Collection[str] = ()) -> None:
        self.models, self.most_rows, self._trusted = models, most_rows, trusted
        self._stamp = self._look()
        self._imported: dict[str, str] = {}
        self.serving = load_serving(models, trusted, self._imported)
        self.warning = _doubt(self.serving)
        """Why a champion that was to take over does not, or may answer otherwise than it was scored."""

    def answer(self, bodies: Sequence[bytes]) -> list[Answer]:
        """Return the answer to each of some requests, whose rows are predicted together."""
        serving = self.serving
        read = [self._read(serving, body) for body in bodies]
        tables = [each for each in read if isinstance(each, pa.Table)]
        try:
            said = iter(serving.predict(pa.concat_tables(tables)) if tables else [])
        except Exception as error:  # whatever a model says of rows, it is of who sent them, and not of the others
            if len(bodies) > 1:
                return [answer for body in bodies for answer in self._alone(body)]
            if isinstance(error, TrainingError):
                return [refuse(WRONG_ROWS, str(error))]
            raise
        name = serving.model.version.name
        answers = []
        for each in read:
            if isinstance(each, Answer):
                answers.append(each)
                continue
            rows = list(islice(said, each.num_rows))
            answers.append(Answer(OK, msgspec.json.encode({MADE_BY: name, "predictions": rows})))
        return answers

    def _alone(self, body: bytes) -> list[Answer]:
        try:
            return self.answer([body])
        except Exception as error:  # noqa: BLE001 - the others are to be answered
            return [refuse(FAILED, f"the model failed of these rows ({error})")]

    def _read(self, serving: Serving, body: bytes) -> pa.Table | Answer:
        try:
            return read_records(body, serving.model.version.features, self.most_rows)
        except TooManyRowsError as error:
            return refuse(TOO_LARGE, str(error))
        except ConfigError as error:
            return refuse(WRONG_ROWS, *error.mistakes)

    def exchange(self, tell: Callable[[str], None]) -> None:
        """Take the champion that serves now, where it is another one than before; `tell` is told what came of it."""
        update_folder(self.models)
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        before = self.serving.model.version
        try:
            taken = load_serving(self.models, self._trusted, self._imported)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being loaded, the one before serves on
            if isinstance(error, OSError):
                self._stamp = ()  # it may be there at the next look
            self.warning = f"{error}; {before.name} serves on"
            tell(f"warning: {self.warning}")
            return
        self.warning = _doubt(taken)
        if taken.model.version != before:
            self.serving = taken
            tell(f"{taken.model.version.name} ({taken.model.version.candidate}) serves in place of {before.name}")
            if self.warning is not None:
                tell(f"warning: {self.warning}")

    def _look(self) -> Stamp:
        """Return what tells apart the champion's files as they are from those of before."""
        return tuple(_stamp_of(path) for path in (self.models / CHAMPION, *self.models.glob(f"v*/{MODEL_FILE}")))

    def health(self) -> dict[str, Any]:
        """Return which version answers, and whether all is well."""
        version = self.serving.model.version
        return {
            "status": "ok" if self.warning is None else "warning",
            "warning": self.warning,
            "pipeline": version.pipeline,
            MADE_BY: version.name,
            "candidate": version.candidate,
            "target": version.target,
            "since": self.serving.since,
            "rows": self.serving.rows,
        }

    def drift(self) -> dict[str, Any]:
        """Return how far the rows that this version was asked have moved, where no thread answers meanwhile."""
        serving = self.serving
        found = serving.drift()
        return {
            MADE_BY: serving.model.version.name,
            "since": serving.since,
            "rows": serving.rows,
            "drifted": [each.feature for each in found if each.drifted],
            "features": [asdict(each) for each in found],
        }


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns
