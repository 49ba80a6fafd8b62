"""Records of JSON that are no list of objects, as objects: columns as lists, objects by their ids, and lists with names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tasks.core.json_text import JsonText, find_repeat, list_entries, list_items, take_json, to_lines, to_value

Shape = Literal["columns", "by_id"]

_SHOWN = 5


def records_of_shape(
    value: JsonText, entries: Mapping[str, JsonText], shape: Shape, id_column: str | None
) -> list[bytes]:
    """Return the records of an object with these entries in a shape, each a line of JSON.

    Raises:
        ValueError: it is of another shape; the sentence says why.

    """
    if (name := find_repeat(value)) is not None:
        one = "record for each id" if shape == "by_id" else "list for each column"
        raise ValueError(
            f"{name!r} stands twice, and shape: {shape} has one {one}; give each once, or name another object in records_at"
        )
    return _rows_of_columns(entries, value) if shape == "columns" else _by_id(entries, value, str(id_column))


def _rows_of_columns(entries: Mapping[str, JsonText], value: JsonText) -> list[bytes]:
    """Return the rows of columns that are lists, in which values at one place are of one row."""
    columns: dict[str, list[bytes]] = {}
    for name, column in entries.items():
        items = list_items(column)
        if items is None:
            raise ValueError(
                f"{name!r} is no list, as shape: columns needs; name the object that holds the lists alone in records_at"
            )
        columns[name] = to_lines(items, value)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        first: dict[int, str] = {}
        for name, length in lengths.items():
            first.setdefault(length, name)
        told = ", ".join(f"{name!r} has {length:,}" for length, name in [*first.items()][:_SHOWN])
        raise ValueError(f"the columns differ in how many values they have, so that no row is certain: {told}")
    keys = [json.dumps(name).encode() for name in columns]
    return [_write(keys, row) for row in zip(*columns.values(), strict=True)]


def _by_id(entries: Mapping[str, JsonText], value: JsonText, name: str) -> list[bytes]:
    """Return objects that stand by their ids as records that have these."""
    key, rows = json.dumps(name).encode(), []
    for each, record in entries.items():
        members = list_entries(record)
        if members is None:
            raise ValueError(
                f"{each!r} is no object, as shape: by_id needs; name the object that holds the records alone in records_at"
            )
        if name in members:
            raise ValueError(f"the record {each!r} has a value {name!r} of its own; choose another id_column")
        values = [json.dumps(each).encode(), *to_lines([*members.values()], value)]
        rows.append(_write([key, *(json.dumps(member).encode() for member in members)], values))
    return rows


def _write(keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    return b"{" + b",".join(key + b":" + value for key, value in zip(keys, values, strict=True)) + b"}"


def name_lists(records: Sequence[bytes], names: Literal["first"] | tuple[str, ...] | None) -> list[bytes]:
    """Return records, those that are lists as objects by these names, or by those that the first record is, if it is one of them."""
    if names != "first":
        return [as_object(record, names or ()) for record in records]
    if not records or not records[0].startswith(b"["):
        return [*records]
    known = read_names(records[0])
    return [as_object(record, known) for record in records[1:]]


def read_names(record: bytes) -> list[str]:
    """Return the names that a record is, each once; what is none is named by its place."""
    found = to_value(take_json(record))
    names: list[str] = []
    for place, name in enumerate(found):
        is_name = isinstance(name, str) and name and name not in names
        names.append(name if is_name else _name_of(place, [*names, *found]))
    return names


def _name_of(place: int, others: Sequence[Any]) -> str:
    """Return the name of a value that has none: `col3`, longer by lines where that is one of others."""
    name = f"col{place}"
    while name in others:
        name += "_"
    return name


def as_object(record: bytes, names: Sequence[str]) -> bytes:
    """Return a list as an object, its values as they were received; a value without a name has that of its place."""
    value = take_json(record)
    items = list_items(value)
    if items is None:
        return record
    keys = [*names[: len(items)], *(_name_of(place, names) for place in range(len(names), len(items)))]
    return _write([json.dumps(key).encode() for key in keys], to_lines(items, value))


def name_lines(lines: Sequence[bytes], names: Sequence[str]) -> list[bytes]:
    """Return lines, those that are lists in JSON as objects by these names; all others stay as they are."""
    return [_name_line(line, names) for line in lines]


def _name_line(line: bytes, names: Sequence[str]) -> bytes:
    if line.lstrip()[:1] != b"[":
        return line
    try:
        return as_object(line, names)
    except (ValueError, RecursionError):  # it is told what is wrong with it as it is
        return line
