"""What an answer that is taken for all of a partition says of more: of further pages, of rows elsewhere in it, of errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from tasks.config import ApiSource
from tasks.config.answers import RecordsAnswer
from tasks.core.body_paths import write_name
from tasks.core.json_text import JsonText, list_entries, list_items, to_value
from tasks.ingest.api.response import Document
from tasks.ingest.api.told_names import ABOUT, LISTS, MORE, NEXT, NO_ROWS, TOTALS, TURNED, plain
from tasks.ingest.api.urls import find_link
from tasks.ingest.http.redaction import quoted
from tasks.ingest.http.requests import label_of

_PARTIAL = 206
_QUOTED_CHARACTERS = 60
_DEEPEST = 3
_TOTAL_HEADERS = ("X-Total-Count", "X-Total", "Total-Count")

_TELLING = NEXT | MORE | TOTALS


def doubts_of_only_response(
    source: ApiSource, response: httpx.Response, document: Document, rows: int
) -> tuple[str, ...]:
    """Return what there is to doubt in the only answer of a partition, of which `rows` were taken."""
    said, place, levels = label_of(response), None, document.levels(source.records_at)
    if (
        source.shape == "records"
        and source.records_at is None
        and document.is_record
        and levels
        and (place := _list_within(levels[0])) is not None
    ):
        levels = document.levels(place)
        rows = len(document.find(place) or ())
    if any(plain(name) in TURNED for name in source.partitions):
        more = None
    else:
        more = _more_by_headers(response, rows)
        if more is None and (source.records_at or place or not document.is_record):
            more = next(_more_in_body(levels, rows), None)
    elsewhere = None if rows or document.is_record or not levels else _list_within(levels[0])
    return (
        *(
            [
                f"{said}: no element is a record by answer.records, and {_in_yaml(elsewhere)} has several; correct records"
            ]
            if elsewhere and isinstance(source.answer, RecordsAnswer)
            else []
        ),
        *(
            [f"{said}: the body became one row, and holds a list of objects; declare records_at: {_in_yaml(place)}"]
            if place
            else []
        ),
        *([f"{said}: the answer says there is more ({more}); declare pagination"] if more else []),
    )


def _more_by_headers(response: httpx.Response, rows: int) -> str | None:
    if response.status_code == _PARTIAL:
        return "its status is 206, that of a part"
    if (link := find_link(response.headers, "next")) is not None:
        return f"Link: {quoted(link, _QUOTED_CHARACTERS)}; rel=next"
    totals = [(name, response.headers.get(name)) for name in _TOTAL_HEADERS]
    return next((f"{name}: {value}" for name, value in totals if _is_above(value, rows)), None)


def _more_in_body(levels: list[dict[str, JsonText]], rows: int) -> Iterator[str]:
    """Yield what tells of more in the objects around the rows, and in those beside them that are about them."""
    for level in levels:
        about = {name: list_entries(value) or {} for name, value in level.items() if plain(name) in ABOUT}
        for within, entries in {"": level, **{f"{name}.": inner for name, inner in about.items()}}.items():
            for name, value in entries.items():
                if plain(name) in _TELLING and _shows_more(plain(name), found := to_value(value), rows):
                    yield f"{within}{name}: {quoted(found, _QUOTED_CHARACTERS)}"


def _shows_more(name: str, value: Any, rows: int) -> bool:
    if name in TOTALS:
        return _is_above(value.get("value") if isinstance(value, dict) else value, rows)
    if name in MORE:
        return value is True or value == "true"
    return bool(value) and not isinstance(value, list)


def _is_above(value: Any, rows: int) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and float(value) > rows
    return isinstance(value, int) and not isinstance(value, bool) and value > rows


def _list_within(entries: dict[str, JsonText], depth: int = 1) -> str | None:
    """Return the path of the list of objects that an object is about; None of one with an id, which is a record."""
    names = {name: plain(name) for name in entries}
    if "id" in names.values():
        return None
    lists = [name for name, value in entries.items() if names[name] not in NO_ROWS and _is_of_objects(value)]
    lists.sort(key=lambda name: names[name] not in LISTS)
    if lists and (names[lists[0]] in LISTS or len(lists) == 1):
        return write_name(lists[0])
    for name, value in entries.items() if depth < _DEEPEST else ():
        inner = None if names[name] in ABOUT else list_entries(value)
        if inner and (place := _list_within(inner, depth + 1)) is not None:
            return f"{write_name(name)}.{place}"
    return None


def _is_of_objects(value: JsonText) -> bool:
    items = list_items(value)
    return items is not None and items != [] and list_entries(items[0]) is not None


def _in_yaml(path: str) -> str:
    """Return a path as a pipeline file has it: @ and quotes begin no plain text there."""
    return path if path[0].isalnum() or path[0] == "_" else repr(path)
