"""Rows of JSON as a table with the columns that a model learnt from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from tasks.core.errors import ConfigError, TidemillError
from tasks.core.escaping import count
from tasks.core.suggestions import did_you_mean
from tasks.train.data.column_kinds import ARROW_TYPES

_TOLD = 10
_SHOWN = 40

_CURES = {
    "number": "send a number, or null",
    "truth": "send true, false or null",
    "time": 'send a text such as "2013-01-31T05:00:00Z", or null',
    "text": "send a text, or null",
}
_NULL = type(None)
_TYPES: Mapping[str, frozenset[type]] = {
    "number": frozenset({int, float, _NULL}),
    "truth": frozenset({bool, _NULL}),
    "time": frozenset({str, _NULL}),
    "text": frozenset({str, _NULL}),
}
_NAMES = {
    bool: "a truth",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    _NULL: "null",
}


_COMPARED = 50  # names that a missing one may be meant by: each takes a tenth of a millisecond


class TooManyRowsError(TidemillError):
    """A request has more rows than one may have."""


def read_records(body: bytes, feature_kinds: Mapping[str, str], most_rows: int) -> pa.Table:
    """Return the rows of a JSON list of objects as a table; rows count from 1 in what is said of them.

    Args:
        body: The JSON.
        feature_kinds: Kind of each feature that the model learnt from: number, truth, time or text.
        most_rows: How many rows there may be.

    Raises:
        ConfigError: it is no such list, or rows have not the features, one sentence for each that differs.
        TooManyRowsError: there are more rows than there may be.

    """
    try:
        rows = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"the body is not JSON ({error}); send a list of rows, such as [{{...}}]") from None
    if not isinstance(rows, list):
        raise ConfigError(f"the body is {_NAMES[type(rows)]}, not a list of rows; send [{{...}}], also for one row")
    if len(rows) > most_rows:
        raise TooManyRowsError(f"the body has {len(rows):,} rows, and may have {most_rows:,}; send them in parts")
    if mistakes := list(_find_mistakes(rows, feature_kinds)):
        more = [f"and {count(len(mistakes) - _TOLD, 'further mistake')}"] if len(mistakes) > _TOLD else []
        raise ConfigError([*mistakes[:_TOLD], *more])
    columns, mistakes = {}, []
    for name, kind in feature_kinds.items():
        values = [row[name] for row in rows]
        try:
            columns[name] = pa.array(_READERS[kind](values), ARROW_TYPES[kind])
        except _WrongValueError as error:
            mistakes.append(_say(error.place, name, values[error.place], kind, error.reason))
    if mistakes:
        raise ConfigError(mistakes[:_TOLD])
    return pa.table(columns)


def _find_mistakes(rows: Sequence[Any], feature_kinds: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each column that a row lacks, has beyond the features, or has as another kind: of the first such row."""
    wanted = feature_kinds.keys()
    told = set[str]()
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            yield f"row {place + 1}: is {_NAMES[type(row)]} ({_show(row)}); send an object of columns"
            return
        if row.keys() == wanted:
            continue
        extra = [name for name in row if name not in wanted and name not in told]
        missing = [name for name in wanted if name not in row and name not in told]
        for name in missing:
            near = (
                did_you_mean(name, [other[:_SHOWN] for other in extra[:_COMPARED]], "send null where it has none")
                if extra
                else "send null where it has none"
            )
            yield f"row {place + 1}: has no column {name!r}, which is a {feature_kinds[name]} in training; {near}"
        for name in extra:
            yield f"row {place + 1}: column {name[:_SHOWN]!r} is none that the model learnt from; leave it out"
        told |= {*extra, *missing}
    for name, kind in feature_kinds.items():
        if name in told:
            continue
        values = [row[name] for row in rows]
        if foreign := set(map(type, values)) - _TYPES[kind]:
            place = next(place for place, value in enumerate(values) if type(value) in foreign)
            yield _say(place, name, values[place], kind)


def _say(place: int, name: str, value: Any, kind: str, reason: str = "") -> str:
    is_text = reason or f"is {_NAMES[type(value)]} ({_show(value)}), and was a {kind} in training"
    return f"row {place + 1}: column {name!r} {is_text}; {_CURES[kind]}"


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class _WrongValueError(Exception):
    """A value of the right type is none of its kind."""

    def __init__(self, place: int, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(reason)


def _read_numbers(values: list[Any]) -> list[float | None]:
    try:
        return [None if value is None else float(value) for value in values]
    except OverflowError:
        place = next(
            place for place, value in enumerate(values) if isinstance(value, int) and abs(value) > sys.float_info.max
        )
        raise _WrongValueError(place, "is a number beyond those of 64 bits") from None


def _read_times(values: list[str | None]) -> list[datetime | None]:
    return [None if value is None else _read_time(place, value) for place, value in enumerate(values)]


def _read_time(place: int, text: str) -> datetime:
    """Return a moment in UTC; one without a zone is of UTC, as in files."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise _WrongValueError(place, f"is no time ({_show(text)})") from None


def _as_they_are(values: list[Any]) -> list[Any]:
    return values


_READERS: Mapping[str, Callable[[list[Any]], list[Any]]] = {
    "number": _read_numbers,
    "truth": _as_they_are,
    "time": _read_times,
    "text": _as_they_are,
}
