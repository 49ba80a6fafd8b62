"""JSON lines parsed into texts; a line that is not an object is a misfit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tasks.convert.parsed import Misfit, Parsed, Record
from tasks.convert.types import TypeName, infer_type, widen

_TIME_TYPES = frozenset({"date", "timestamp", "timestamp_utc"})


def parse_jsonl(data: bytes, *, typed: bool = True) -> Parsed:
    """Return the rows of a file of JSON objects, one a line; nested objects become `outer.inner` columns.

    With `typed` a value has the type it has in JSON (a text may still be a date
    or a timestamp); without it every value is a text of unknown type, as pages give them.
    """
    rows: list[dict[str, Any]] = []
    records: list[Record] = []
    misfits: list[Misfit] = []
    for number, line in enumerate(data.decode("utf-8", "backslashreplace").split("\n"), start=1):
        if not line.strip():
            continue
        record = Record(number, line.rstrip("\r"))
        try:
            row = json.loads(line)
        except ValueError as error:
            misfits.append(Misfit(record, None, f"not JSON: {error}"))
            continue
        if not isinstance(row, dict):
            misfits.append(Misfit(record, None, "not a JSON object"))
            continue
        rows.append(dict(_flatten(row)))
        records.append(record)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    texts = pa.table({name: pa.array(map(_text, values), pa.string()) for name, values in columns.items()})
    types = {name: _json_type(values, texts[name]) for name, values in columns.items()} if typed else None

    def locate(indices: Sequence[int]) -> Sequence[Record]:
        return [records[index] for index in indices]

    return Parsed(texts, len(rows) + len(misfits), misfits, locate, types)


def _flatten(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
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
