"""The shapes of records that are no list of objects: columns as lists, and objects by their ids."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError
from tasks.ingest.api.json_text import JsonText, find_repeat, list_entries, list_items, to_lines, to_value
from tasks.ingest.api.response import ERRORS, Document

_SHOWN = 5


def records_of(document: Document, source: ApiSource) -> list[bytes]:
    """Return the records of an answer in the shape that its source declares, each a line of JSON.

    Raises:
        PermanentSourceError: they have another shape, or are not where they are looked for.

    """
    if source.shape == "records":
        return document.records(source.records_at)
    value = document.value_at(source.records_at)
    entries = list_entries(value)
    if entries is None and to_value(value) is None:
        return []
    where = "the body" if source.records_at is None else f"records_at: {source.records_at!r}"
    if entries is None:
        raise PermanentSourceError(
            f"{document.label}: {where} is no object, which shape: {source.shape} needs; correct records_at, or shape"
        )
    if entries and entries.keys() <= set(ERRORS):
        raise PermanentSourceError(f"{document.label}: {where} holds nothing but {' and '.join(entries)}")
    if (name := find_repeat(value)) is not None:
        one = "record for each id" if source.shape == "by_id" else "list for each column"
        raise PermanentSourceError(
            f"{document.label}: {where}: {name!r} stands twice, and shape: {source.shape} has one {one}; "
            "have the API give each once, or name another object in records_at"
        )
    try:
        return _rows_of_columns(entries, value) if source.shape == "columns" else _by_id(entries, value, source)
    except ValueError as error:
        raise PermanentSourceError(f"{document.label}: {where}: {error}") from None


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
    return [_to_object(keys, row) for row in zip(*columns.values(), strict=True)]


def _by_id(entries: Mapping[str, JsonText], value: JsonText, source: ApiSource) -> list[bytes]:
    """Return objects that stand by their ids as records that have these."""
    name = str(source.id_column)
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
        rows.append(_to_object([key, *(json.dumps(member).encode() for member in members)], values))
    return rows


def _to_object(keys: Sequence[bytes], values: Sequence[bytes]) -> bytes:
    return b"{" + b",".join(key + b":" + value for key, value in zip(keys, values, strict=True)) + b"}"
