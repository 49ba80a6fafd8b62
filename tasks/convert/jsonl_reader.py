"""JSON lines parsed into texts; a line that is not an object is a misfit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tasks.convert.parsed import Misfit, Parsed, Record
from tasks.convert.types import TypeName, infer_type, widen

_BOM = b"\xef\xbb\xbf"
_SURROGATE = b"\\ud"  # how JSON begins the escape of half a pair
_TIME_TYPES = frozenset({"date", "timestamp", "timestamp_utc"})


def parse_jsonl(data: bytes, *, typed: bool = True) -> Parsed:
    """Return the rows of a file of JSON objects, one a line; nested objects become `outer.inner` columns.

    With `typed` a value has the type it has in JSON (a text may still be a date
    or a timestamp); without it every value is a text of unknown type, as pages give them.
    """
    rows: list[dict[str, Any]] = []
    records: list[Record] = []
    misfits: list[Misfit] = []
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), start=1):
        if not line.strip():
            continue
        record = Record(number, line.rstrip(b"\r").decode("utf-8", "backslashreplace"))
        try:
            rows.append(_read_row(line))
        except ValueError as error:
            misfits.append(Misfit(record, None, str(error)))
        else:
            records.append(record)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    texts = pa.table({name: pa.array(map(_text, values), pa.string()) for name, values in columns.items()})
    types = {name: _json_type(values, texts[name]) for name, values in columns.items()} if typed else None

    def locate(indices: Sequence[int]) -> Sequence[Record]:
        return [records[index] for index in indices]

    return Parsed(texts, len(rows) + len(misfits), misfits, locate, types)


def _read_row(line: bytes) -> dict[str, Any]:
    """Return the object of a line, flattened.

    Raises:
        ValueError: the line is no object that could be a row; the message says why.

    """
    try:
        row = json.loads(line.decode("utf-8"))
        pairs = list(_flatten(row)) if isinstance(row, dict) else []
        if _SURROGATE in line.lower():
            json.dumps(pairs, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is not a text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - it is the line that is wrong
    if not pairs:
        raise ValueError("an object without keys")
    flat = dict(pairs)
    if len(flat) < len(pairs):
        raise ValueError("two values for one column, by a nested key and by one with a dot")
    return flat


def _flatten(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


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
