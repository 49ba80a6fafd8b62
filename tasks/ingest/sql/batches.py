"""Batches of rows as a database gives them: decimals exact, times that there are, and types that a table has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.errors import PermanentSourceError
from tasks.core.tables import quote_name

_MOST_DIGITS = 38
_FEW_DIGITS = 18
_NO_NUMBER = r"(?i)nan|inf"
_LEAST, _MOST = date(1, 1, 1), date(9999, 12, 31)
_LEAST_TIME = datetime(1, 1, 1, tzinfo=UTC)
_MOST_TIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def refuse_type(column: str, kind: str, cast: str, quoted: str | None = None) -> NoReturn:
    """Raise that a column is of a type that no table has, and how it is cast, by its name as the database has it quoted."""
    quoted = quoted or quote_name(column)
    raise PermanentSourceError(
        f"column {column!r} of the query is {kind}, which no table has; cast it in the query: {cast.format(quoted)} AS {quoted}"
    )


def refuse_doubles(names: list[str]) -> None:
    """Raise where two columns of a query have one name."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PermanentSourceError(f"the query has two columns {twice!r}; give one of them another name, with AS")


def set_column(batch: pa.RecordBatch, place: int, column: pa.Array) -> pa.RecordBatch:
    """Return a batch with another column at a place."""
    return batch.set_column(place, batch.schema.field(place).name, column)


class Decimals:
    """A column of decimals that come as texts: of as many digits as are declared, else of as many as its values have."""

    def __init__(self, name: str, measure: tuple[int, int] | None) -> None:
        self._name, self._measure = name, measure

    def read(self, texts: pa.Array) -> pa.Array:
        """Return the numbers, exact; as the texts that they are where none of 38 digits holds them.

        Raises:
            PermanentSourceError: one is no number, or without an end.

        """
        digits, scale = self._measure or _measure_of(texts)
        if self._measure is None and digits <= _FEW_DIGITS:
            digits = _FEW_DIGITS
        try:
            return pc.cast(texts, pa.decimal128(digits, scale)) if digits <= _MOST_DIGITS else texts
        except (pa.ArrowInvalid, ValueError):
            odd = pc.filter(texts, pc.match_substring_regex(texts, _NO_NUMBER))
            if not len(odd):
                return texts
        name = quote_name(self._name)
        raise PermanentSourceError(
            f"column {self._name!r} of the query has the value {odd[0].as_py()}, which no decimal is; "
            f"leave it out with NULLIF({name}, '{odd[0].as_py()}'), or cast it: {name}::float8"
        )


def _measure_of(texts: pa.Array) -> tuple[int, int]:
    """Return how many digits the numbers of some texts need, and how many of them behind the point."""
    if texts.null_count == len(texts):
        return 1, 0
    points = pc.find_substring(texts, ".")
    lengths = pc.binary_length(texts)
    behind = pc.if_else(pc.less(points, 0), 0, pc.subtract(pc.subtract(lengths, points), 1))
    before = pc.if_else(pc.less(points, 0), lengths, points)
    scale = pc.max(behind).as_py()
    return pc.max(before).as_py() + scale, scale


def check_time(column: str, values: pa.Array) -> None:
    """Raise where a date or a time is infinite, or in a year that no table has.

    Raises:
        PermanentSourceError: there is such a one.

    """
    if values.null_count == len(values):
        return
    ends = pc.min_max(values.cast(pa.int32() if pa.types.is_date32(values.type) else pa.int64()))
    least, most = ends["min"].as_py(), ends["max"].as_py()
    first, last = _bounds(values.type)
    if least < first or most > last:
        if pa.types.is_time(values.type):
            refuse_type(column, "a time of 24:00", "{}::text")
        raise PermanentSourceError(
            f"column {column!r} of the query has a time that is infinite, or in no year from 1 to 9999; "
            f"leave it out in the query, e.g. CASE WHEN isfinite({quote_name(column)}) THEN {quote_name(column)} END"
        )


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    """Return the first and the last date, or time, that a table has, as Arrow counts them."""
    if pa.types.is_date32(kind):
        return pa.scalar(_LEAST).value, pa.scalar(_MOST).value
    if pa.types.is_time(kind):
        return 0, pa.scalar(time.max, kind).value
    unit = pa.timestamp(kind.unit, "UTC")
    return pa.scalar(_LEAST_TIME, unit).value, pa.scalar(_MOST_TIME, unit).value


def add_constants(batch: pa.RecordBatch, values: Mapping[str, Any]) -> pa.RecordBatch:
    """Return a batch whose rows have some more values, each the same in all of them."""
    for name, value in values.items():
        batch = batch.append_column(name, pa.array([value] * len(batch)))
    return batch


def as_frame(batch: pa.RecordBatch) -> bytes:
    """Return a batch as a stream of Arrow, compressed: one of a file may stand behind another, each with its own types."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1))
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())
