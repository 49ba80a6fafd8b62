"""Rows of JSON values as columns of texts, with the types that the values have."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from tasks.convert.json.rows import Row, is_replaced
from tasks.convert.types import EXACT_IN_FLOAT, NULL_TEXTS, TypeName, Types, infer_type, take_out, widen
from tasks.convert.width import refuse_width

TIME_TYPES = frozenset({"date", "timestamp", "timestamp_utc"})
NULL_WORDS = frozenset(NULL_TEXTS.to_pylist())

NullsOf = Callable[[str], Collection[str]]
"""What is declared to mean null in a column, by its name in the source."""


def nothing_declared(_: str) -> Collection[str]:
    """Return the texts that mean null where none are declared."""
    return ()


def columns_of(
    rows: Sequence[Row],
    explode: str | None = None,
    *,
    typed: bool = True,
    nulls_of: NullsOf = nothing_declared,
    more: Iterable[str] = (),
) -> tuple[pa.Table, Types | None]:
    """Return the rows as columns of texts in the order they are met, and with `typed` their types in JSON.

    `more` are columns of records that gave no row.

    Raises:
        TableError: they have too many different columns.

    """
    names = _names(rows, explode, more)
    refuse_width(len(names), len(rows))
    columns: dict[str, pa.ChunkedArray] = {}
    types: dict[str, TypeName] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        columns[name] = pa.chunked_array([pa.array(map(_text, values), pa.string())])
        if typed:
            types[name] = _json_type(values, columns[name], nulls_of(name))
    return pa.table(columns), types if typed else None


def _names(rows: Sequence[Row], explode: str | None, more: Iterable[str]) -> list[str]:
    """Return the names; that of a list whose elements all have columns of their own is none."""
    names = list(dict.fromkeys(chain((name for row in rows for name in row), more)))
    if explode in names and is_replaced(explode, names) and all(row.get(explode) is None for row in rows):
        names.remove(explode)
    return names


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value) in (int, float):
        return repr(value)  # what json.dumps gives, in a fifth of the time
    return json.dumps(value, ensure_ascii=False)


def _json_type(values: list[Any], texts: pa.ChunkedArray, nulls: Collection[str] = ()) -> TypeName:
    """Return the type that a column's values have in JSON; texts that are all times are times."""
    if nulls:
        texts = take_out(texts, nulls)
        values = [value if known else None for value, known in zip(values, texts.is_valid().to_pylist(), strict=True)]
    kinds = set(map(type, values)) - {type(None)}
    if str in kinds and len(kinds) > 1 and {value for value in values if isinstance(value, str)} <= NULL_WORDS:
        kinds -= {str}  # "NA" among numbers
    name: TypeName = "null"
    for kind in kinds:
        name = widen(name, {bool: "bool", int: "int", float: "float"}.get(kind, "string"))
    if name == "float" and any(type(value) is int and abs(value) > EXACT_IN_FLOAT for value in values):
        return "string"  # as a float it would lose digits
    if name == "int" and infer_type(texts) != "int":
        return "string"  # beyond 64 bits
    inferred = infer_type(texts) if name == "string" else name
    return inferred if inferred in TIME_TYPES else name
