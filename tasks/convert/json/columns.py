"""Rows of JSON values as columns of texts, with the types that the values have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tasks.convert.json.rows import Row, is_replaced
from tasks.convert.types import EXACT_IN_FLOAT, TypeName, Types, infer_type, widen

_TIME_TYPES = frozenset({"date", "timestamp", "timestamp_utc"})


def columns_of(rows: Sequence[Row], explode: str | None = None, *, typed: bool = True) -> tuple[pa.Table, Types | None]:
    """Return the rows as columns of texts in the order they are met, and with `typed` their types in JSON."""
    columns = {name: [row.get(name) for row in rows] for name in _names(rows, explode)}
    texts = pa.table({name: pa.array(map(_text, values), pa.string()) for name, values in columns.items()})
    return texts, {name: _json_type(values, texts[name]) for name, values in columns.items()} if typed else None


def _names(rows: Sequence[Row], explode: str | None) -> list[str]:
    """Return the names; that of a list whose elements all have columns of their own is none."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if explode in names and is_replaced(explode, names) and all(row.get(explode) is None for row in rows):
        names.remove(explode)
    return names


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value) in (int, float):
        return repr(value)  # what json.dumps gives, in a fifth of the time
    return json.dumps(value, ensure_ascii=False)


def _json_type(values: list[Any], texts: pa.ChunkedArray) -> TypeName:
    """Return the type that a column's values have in JSON; texts that are all times are times."""
    name: TypeName = "null"
    for kind in set(map(type, values)) - {type(None)}:
        name = widen(name, {bool: "bool", int: "int", float: "float"}.get(kind, "string"))  # type: ignore[arg-type]
    if name == "float" and any(type(value) is int and abs(value) > EXACT_IN_FLOAT for value in values):
        return "string"  # as a float it would lose digits
    if name == "int" and infer_type(texts) != "int":
        return "string"  # beyond 64 bits
    inferred = infer_type(texts) if name == "string" else name
    return inferred if inferred in _TIME_TYPES else name
