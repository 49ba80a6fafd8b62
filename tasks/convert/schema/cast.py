"""Texts to typed rows: the types a block has of its own, and every record with a value that does not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.config import Column
from tasks.convert.schema.blocks import RawBlock, Rejection, Schema, TypedBlock
from tasks.convert.schema.types import (
    EXACT_IN_FLOAT,
    NULL_TEXTS,
    TypeName,
    Types,
    arrow_type,
    cast_texts,
    declared_type,
    infer_type,
    take_out,
)

_SAID: Mapping[TypeName, str] = {"int": "an int", "long": "an int", "timestamp_utc": "a timestamp"}
_FINER = re.compile(r":\d{2}\.\d{6}0*+[1-9]\d*+\s*+(Z|[+-]\d{2}(:?\d{2})?)?\s*+$")
_FIRST_TEXTS = 20
# What every number, time, truth or null begins with: one text that does not is proof of a column of texts.
_WORDS = "|".join(map(re.escape, ["true", "false", *NULL_TEXTS]))
_MAY_BE_TYPED = re.compile(rf"\s*+([+-]?[\d.]|[+-]?inf|({_WORDS})\s*+$)", re.IGNORECASE)


def cast_block(texts: RawBlock, schema: Schema) -> TypedBlock:
    """Return the rows that fit, in exactly the columns that are asked for, else in the block's own."""
    columns = schema.columns
    own = {name: _own_type(name, texts, columns.get(name)) for name in texts.table.column_names}
    types = own if schema.types is None else schema.types
    values: dict[str, pa.Array | pa.ChunkedArray] = {}
    unfit: dict[int, tuple[str, str]] = {}
    for name, type_name in types.items():
        if name not in own:
            values[name] = pa.nulls(texts.table.num_rows, arrow_type(type_name))
            continue
        cast = cast_texts(texts.table[name], type_name, columns.get(name))
        values[name] = cast.values
        for row in cast.misfits:
            unfit.setdefault(row, (name, _reason(texts, row, name, types)))
    for row, name, reason in _not_allowed(texts, columns, values, types if schema.frozen else None):
        unfit.setdefault(row, (name, reason))
    own = {name: narrow_type(own[name], values.get(name), columns.get(name)) for name in own}
    table = pa.table(values)
    if not unfit:
        lines = _lines(texts, range(texts.table.num_rows)) if schema.lines else None
        return TypedBlock(table, own, texts.received, texts.misfits, texts.records, lines, texts.empty, texts.warnings)
    kept = np.ones(texts.table.num_rows, dtype=bool)
    kept[list(unfit)] = False
    located = zip(unfit.values(), texts.locate(list(unfit)), strict=True)
    misfits = [Rejection(record, name, reason) for (name, reason), record in located]
    lines = _lines(texts, np.flatnonzero(kept).tolist()) if schema.lines else None
    table = table.filter(pa.array(kept))
    return TypedBlock(
        table, own, texts.received, [*texts.misfits, *misfits], texts.records, lines, texts.empty, texts.warnings
    )


def narrow_type(name: TypeName, values: pa.ChunkedArray | None, declared: Column | None = None) -> TypeName:
    """Return the type of a column's values: `null` where there are none, `long` where a float would not hold them.

    A declared type is that of a column without values too; of a timestamp only these tell whether it has a zone.
    """
    if values is None:
        return name
    if values.null_count == len(values):
        return "null" if declared is None or declared.type in (None, "timestamp") else name
    if name == "int" and pa.types.is_integer(values.type):
        extremes = pc.min_max(values)
        if extremes["max"].as_py() > EXACT_IN_FLOAT or extremes["min"].as_py() < -EXACT_IN_FLOAT:
            return "long"
    return name


def is_narrowest(name: TypeName, values: pa.ChunkedArray) -> bool:
    """Return whether a type that fits a column's values is the narrowest that does; in doubt it is not.

    A type may be that of another block: a column of 1 and 2 there had 1.5 too.
    """
    if name == "float":
        return not pc.all(pc.equal(pc.floor(values), values)).as_py()
    if name == "timestamp":
        return not pc.all(pc.equal(pc.floor_temporal(values, unit="day"), values)).as_py()
    if name == "string":
        first = values.slice(0, _FIRST_TEXTS).to_pylist()
        return any(text is not None and not _MAY_BE_TYPED.match(text) for text in first) or infer_type(values) == name
    return True


def _own_type(name: str, texts: RawBlock, declared: Column | None) -> TypeName:
    if declared is not None and declared.type is not None:
        return declared_type(texts.table[name], declared)
    if texts.types is not None:
        return texts.types[name]
    return infer_type(texts.table[name] if declared is None else take_out(texts.table[name], declared.nulls))


def _lines(texts: RawBlock, rows: Sequence[int]) -> list[int]:
    return [record.line for record in texts.locate(rows)]


def _reason(texts: RawBlock, row: int, name: str, types: Types) -> str:
    found, kind = texts.table[name].slice(row, 1), types[name]
    value = found[0].as_py() if pa.types.is_string(found.type) else pc.cast(found, pa.string())[0].as_py()
    if kind.startswith("timestamp") and _FINER.search(value):
        return f"{value!r:.60} is finer than a microsecond, the least that a timestamp tells"
    if kind == "timestamp_utc" and not cast_texts(found, "timestamp").misfits:
        return f"{value!r:.60} has no time zone, as others have"
    return f"{value!r:.60} is not {_SAID.get(kind, f'a {kind}')}"


def _not_allowed(
    texts: RawBlock, columns: Mapping[str, Column], values: Mapping[str, pa.ChunkedArray], allowed: Types | None
) -> Iterator[tuple[int, str, str]]:
    """Yield the rows without a value that is required, or with one in a column that the table's contract has not."""
    for name, column in columns.items():
        if column.required:
            empty = values[name].is_null() if name in values else pa.array(np.ones(texts.table.num_rows, dtype=bool))
            yield from ((row, name, "is empty, but required") for row in pc.indices_nonzero(empty).to_pylist())
    for name in texts.table.column_names:
        if allowed is not None and name not in allowed:
            for row in pc.indices_nonzero(texts.table[name].is_valid()).to_pylist():
                yield row, name, "is not a column of the table, whose contract is freeze"
