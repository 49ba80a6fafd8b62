"""Columns that expressions make: which of the others they read, and the values they have in a block of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.inference import declared_type
from tasks.convert.schema.types import ARROW_TYPES, TypeName, Types, arrow_type, name_decimal
from tasks.convert.schema.values import cast_texts, tell_unfit
from tasks.core.errors import QueryError, TableError
from tasks.core.suggestions import did_you_mean

_NAMED = 5  # of the columns that an expression reads
_SAME_VALUES = {"long": "int"}  # as an expression sees them


@dataclass(frozen=True)
class MadeColumn:
    """A column as its expression makes it; each of `misfits` is a row without a value, with the reason."""

    values: pa.Array | pa.ChunkedArray
    kind: TypeName
    misfits: Mapping[int, str] = field(default_factory=dict)


def find_made(columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that expressions make, in the order in which they see each other."""
    return [name for name, column in columns.items() if column.expression is not None]


def find_read(columns: Mapping[str, Column], names: Collection[str]) -> set[str]:
    """Return which of these columns any expression reads."""
    found = (read for name in find_made(columns) for read in reads_of(columns[name], names).values())
    return {name for name in found if name is not None}


def reads_of(column: Column, names: Collection[str]) -> dict[str, str | None]:
    """Return by each name that stands in a column's expression which of these columns is meant; None where none is."""
    if column.expression is None:
        return {}
    from tasks.core.expressions import parse_expression  # noqa: PLC0415 - of expressions alone is DuckDB wanted

    return parse_expression(column.expression).find_read([*names])


def find_unread(
    columns: Mapping[str, Column], met: Collection[str], own: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the key of each expression that reads a column which is not `met`, the column's name, and the cure; of what one makes in its own place, `own` tells whether it was met."""
    made = find_made(columns)
    for name in made:
        for written, read in reads_of(columns[name], {*met, *made}).items():
            if read is None or (read == name and name not in own):
                there = sorted({*met, *made} - {name})
                others = f"the columns are {', '.join(there)}" if there else "there is no other column"
                yield f"columns.{name}.expression:", written, did_you_mean(written, there, others)


def sees_alike(columns: Mapping[str, Column], some: Types, others: Types) -> bool:
    """Return whether what the expressions read has the same types in both."""
    return all(
        _SAME_VALUES.get(kind, kind) == _SAME_VALUES.get(other, other)
        for name in find_read(columns, others)
        if columns.get(name, Column()).expression is None
        for kind, other in [(some.get(name, "null"), others[name])]
    )


def find_types(columns: Mapping[str, Column], types: Types) -> Types:
    """Return the types of the columns that expressions make where those that they read have these types.

    Those whose type is declared are not among them, nor is one whose type these do not tell.
    """
    made_names = find_made(columns)
    if not made_names:
        return {}
    values: dict[str, pa.Array | pa.ChunkedArray] = {
        name: pa.array([], arrow_type(kind)) for name, kind in types.items() if name not in made_names
    }
    found: dict[str, TypeName] = {}
    for name in made_names:
        if any(read not in values for read in reads_of(columns[name], [*values, *columns]).values()):
            continue
        try:
            made = make_column(name, columns[name], values, 0, None)
        except TableError:  # which the rows themselves tell
            continue
        values[name] = made.values
        if columns[name].type is None:
            found[name] = made.kind
    return found


def make_column(
    name: str, declared: Column, values: Mapping[str, pa.Array | pa.ChunkedArray], rows: int, kind: TypeName | None
) -> MadeColumn:
    """Return the column that an expression makes of these, in a type if one is asked for; one that it reads, and that is not there, is null.

    Raises:
        TableError: the expression takes no columns of these types.

    """
    from tasks.core.expressions import evaluate, parse_expression  # noqa: PLC0415 - of expressions alone is DuckDB wanted

    assert declared.expression is not None
    reads = reads_of(declared, values)
    inputs = {
        read or written: _chunked(values[read]) if read else pa.chunked_array([pa.nulls(rows)])
        for written, read in reads.items()
    }
    expression = parse_expression(declared.expression)
    try:
        try:
            found = evaluate(expression, inputs, rows)
        except QueryError:
            untyped = {each: _without_type(column) for each, column in inputs.items()}
            if untyped == inputs:
                raise
            found = evaluate(expression, untyped, rows)
    except QueryError as error:
        raise TableError(
            f"columns.{name}.expression: {error}, or declare the type of what it reads where that is another"
        ) from None
    misfits = dict(_tell_failed(inputs, found.failed))
    plain = Column(type=declared.type)
    own = _name_of(found.values.type) if declared.type is None else declared_type(found.values, plain)
    cast = cast_texts(found.values, kind or own, plain)
    unfit = tell_unfit(found.values.take(pa.array(cast.misfits)), kind or own).to_pylist()
    return MadeColumn(cast.values, kind or own, dict(zip(cast.misfits.tolist(), unfit, strict=True)) | misfits)


def _without_type(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return null of no type where there is nothing else: a column of nothing is one of texts in a table."""
    return pa.chunked_array([pa.nulls(len(values))]) if values.null_count == len(values) else values


def _chunked(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _name_of(kind: pa.DataType) -> TypeName:
    """Return what a type that DuckDB gives is called in a table."""
    if pa.types.is_timestamp(kind):
        return "timestamp_utc" if kind.tz else "timestamp"
    if pa.types.is_decimal(kind):
        return name_decimal(kind) or "string"
    return next(name for name, each in ARROW_TYPES.items() if each.equals(kind))


def _tell_failed(inputs: Mapping[str, pa.ChunkedArray], failed: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the rows without a value, each with those that its expression read."""
    names = list(inputs)[:_NAMED]
    texts = [pc.cast(inputs[name].take(pa.array(failed, pa.int64())), pa.string()).to_pylist() for name in names]
    for row, found in zip(failed, zip(*texts, strict=True) if texts else [()] * len(failed), strict=True):
        told = ", ".join(
            f"{name} {'null' if text is None else repr(text):.60}" for name, text in zip(names, found, strict=True)
        )
        yield row, f"its expression has no value{f' for {told}' if told else ''}"
