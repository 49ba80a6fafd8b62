"""JSON lines parsed into texts; a line that is not an object is a misfit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tasks.convert.json_rows import Row, Unfit, is_replaced, read_rows
from tasks.convert.parsed import Misfit, Parsed, Record
from tasks.convert.types import TypeName, infer_type, widen

_BOM = b"\xef\xbb\xbf"
_TIME_TYPES = frozenset({"date", "timestamp", "timestamp_utc"})


def parse_jsonl(data: bytes, *, typed: bool = True, explode: str | None = None) -> Parsed:
    """Return the rows of a file of JSON objects, one a line; nested objects become `outer.inner` columns.

    With `typed` a value has the type it has in JSON (a text may still be a date
    or a timestamp); without it every value is a text of unknown type, and a line
    may itself tell why it is no row, as pages give them. Each element of the list
    in the column `explode` is a row of its own.
    """
    rows: list[Row] = []
    records: list[Record] = []
    misfits: list[Misfit] = []
    lines = 0
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), start=1):
        if not line.strip():
            continue
        record = Record(number, line.rstrip(b"\r").decode("utf-8", "backslashreplace"))
        lines += 1
        found = read_rows(line, explode=explode, refusals=not typed)
        if isinstance(found, Unfit):
            misfits.append(Misfit(record, found.column, found.reason))
        else:
            rows += found
            records += [record] * len(found)
    columns = {name: [row.get(name) for row in rows] for name in _names(rows, explode)}
    texts = pa.table({name: pa.array(map(_text, values), pa.string()) for name, values in columns.items()})
    types = {name: _json_type(values, texts[name]) for name, values in columns.items()} if typed else None

    def locate(indices: Sequence[int]) -> Sequence[Record]:
        return [records[index] for index in indices]

    return Parsed(texts, len(rows) + len(misfits), misfits, locate, types, lines)


def _names(rows: Sequence[Row], explode: str | None) -> list[str]:
    """Return the columns in the order they are met; that of a list whose elements all have columns of their own is none."""
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
    if name == "int" and infer_type(texts) != "int":
        return "string"  # beyond 64 bits
    inferred = infer_type(texts) if name == "string" else name
    return inferred if inferred in _TIME_TYPES else name
