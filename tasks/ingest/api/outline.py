"""Where the rows of an API's answer stand, and how its pages go on, as far as one answer shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx

from tasks.core.body_paths import write_name
from tasks.ingest.api.told_names import (
    ABOUT,
    LISTS,
    MORE,
    NEXT,
    NO_ROWS,
    OFFSETS,
    PAGE_NUMBERS,
    PAGES,
    SIZES,
    TOTALS,
    plain,
)
from tasks.ingest.api.urls import find_link

_DEEPEST = 3
_FEW = 2  # lists that are columns, and objects that are records by their ids, are at least so many
_ADDRESS = re.compile(r"(?:https?:)?/|\?|[^\s?]+\?[^\s?]+=")
_BEFORE_NAME = re.compile(r"^@?(?:odata\.)?next[_-]?", re.IGNORECASE)
_HREFS = ("href", "url", "link")
_PAGE_PARAMS = frozenset(["page", "p", "pageno", "pagenumber", "pagenum", "currentpage"])
_CURSOR_PARAMS = frozenset(
    ["cursor", "pagetoken", "after", "startingafter", "continuationtoken", "marker", "nexttoken"]
)
_ID = "id"
_TOTAL_HEADERS = ("X-Total-Count", "X-Total", "Total-Count")
_PAGES_HEADERS = ("X-Total-Pages", "X-Page-Count", "X-Pages")


@dataclass(frozen=True)
class Paging:
    """What `pagination` may be declared: as the answer shows it, or where that is not certain, as it may be; `why` tells by what."""

    declared: Mapping[str, Any]
    why: str
    is_certain: bool = True


@dataclass(frozen=True)
class ApiOutline:
    """What an answer shows: keys that say where its rows are, and how its pages go on; None where nothing tells of more."""

    rows: Mapping[str, Any]
    paging: Paging | None


class _Told(NamedTuple):
    """A value beside the rows: its path, its name, as it is written and as it is compared, and itself."""

    path: str
    name: str
    plain: str
    value: Any


def outline_api(body: Any, headers: httpx.Headers, params: Mapping[str, str]) -> ApiOutline:
    """Return what an answer shows; `params` are those of the request that it answers."""
    rows, path, number = _find_rows(body)
    told = list(_told(_around(body, path)))
    looks: Sequence[Callable[[], Paging | None]] = (
        lambda: _next_address(told),
        lambda: _link(headers),
        lambda: _cursor(told, params),
        lambda: _page_numbers(told, headers, params, number),
        lambda: _offsets(told, params, number),
        lambda: _unexplained(told, headers, number),
    )
    return ApiOutline(rows, next(filter(None, (look() for look in looks)), None))


# -- where the rows are


def _find_rows(body: Any) -> tuple[Mapping[str, Any], tuple[str, ...], int]:
    """Return the keys that say where the rows are, their path, and how many they are."""
    if isinstance(body, list):
        return _named(body), (), len(body)
    found = sorted(_lists(body, (), _are_objects), key=lambda pair: -len(pair[1]))
    if found:
        path, records = found[0]
        return _at(path), path, len(records)
    for is_shape, shape in ((_are_columns, {"shape": "columns"}), (_are_by_id, {"shape": "by_id"})):
        if (place := next(_objects(body, (), is_shape), None)) is not None:
            entries = place[1]
            declared = {**_at(place[0]), **shape}
            if shape["shape"] == "by_id":
                declared["id_column"] = "id" if not any("id" in record for record in entries.values()) else "key"
            size = len(entries) if shape["shape"] == "by_id" else len(next(iter(entries.values())))
            return declared, place[0], size
    for holds in (_are_lists, _may_be_rows):
        if (place_of_list := next(_lists(body, (), holds), None)) is not None:
            path, records = place_of_list
            return {**_at(path), **_named(records)}, path, len(records)
    return {}, (), 1


def _at(path: Sequence[str]) -> dict[str, Any]:
    return {"records_at": ".".join(map(write_name, path))} if path else {}


def _named(records: Sequence[Any]) -> dict[str, Any]:
    """Return what says how the values of records are named that are lists: by the first, where that has nothing but names."""
    if not records or not isinstance(records[0], list):
        return {}
    first = records[0]
    has_names = (
        len(records) > 1 and all(isinstance(name, str) and name for name in first) and len({*first}) == len(first)
    )
    return {"names": "first"} if has_names and records[1:] and isinstance(records[1], list) and any(
        not isinstance(value, str) for value in records[1]
    ) else {}  # fmt: skip


def _lists(
    value: Any, path: tuple[str, ...], holds: Callable[[str, list[Any]], bool]
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield lists that may be the rows, those of usual names first; an object with an id is a record, and its lists are parts of it."""
    if not isinstance(value, dict) or any(plain(name) == _ID for name in value):
        return
    lists = [(name, each) for name, each in value.items() if isinstance(each, list) and plain(name) not in NO_ROWS]
    lists.sort(key=lambda pair: plain(pair[0]) not in LISTS)
    yield from (((*path, name), each) for name, each in lists if holds(name, each))
    if len(path) + 1 < _DEEPEST:
        for name, each in value.items():
            if plain(name) not in ABOUT:
                yield from _lists(each, (*path, name), holds)


def _objects(
    value: Any, path: tuple[str, ...], is_shape: Callable[[dict[str, Any]], bool]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if not isinstance(value, dict):
        return
    if is_shape(value):
        yield path, value
    elif len(path) + 1 < _DEEPEST and not any(plain(name) == _ID for name in value):
        for name, each in value.items():
            yield from _objects(each, (*path, name), is_shape)


def _are_objects(_name: str, records: list[Any]) -> bool:
    return bool(records) and all(isinstance(record, dict) for record in records)


def _are_lists(_name: str, records: list[Any]) -> bool:
    return len(records) > 1 and all(isinstance(record, list) for record in records)


def _may_be_rows(name: str, records: list[Any]) -> bool:
    return not records and plain(name) in LISTS


def _are_columns(value: dict[str, Any]) -> bool:
    lists = [each for each in value.values() if isinstance(each, list)]
    lengths = {len(each) for each in lists}
    return len(lists) == len(value) >= _FEW and len(lengths) == 1 and min(lengths) >= _FEW


def _are_by_id(value: dict[str, Any]) -> bool:
    records = [each for each in value.values() if isinstance(each, dict) and each]
    if not len(records) == len(value) >= _FEW or any(plain(name) in ABOUT for name in value):
        return False
    shared = set.intersection(*({*record} for record in records))
    return len(shared) * 2 >= max(map(len, records))


# -- how the pages go on


def _around(body: Any, path: Sequence[str]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the objects that are passed on the way to the rows, with their paths."""
    passed: tuple[str, ...] = ()
    for name in path:
        if isinstance(body, dict):
            yield passed, body
            body, passed = body[name], (*passed, name)


def _told(levels: Iterator[tuple[tuple[str, ...], dict[str, Any]]], depth: int = 0) -> Iterator[_Told]:
    """Yield the values beside the rows, and those of objects there that are about them."""
    for path, level in levels:
        for name, value in level.items():
            if not isinstance(value, list):
                yield _Told(".".join(map(write_name, (*path, name))), name, plain(name), value)
            if isinstance(value, dict) and plain(name) in ABOUT and depth < _FEW:
                yield from _told(iter([((*path, name), value)]), depth + 1)


def _next_address(told: Sequence[_Told]) -> Paging | None:
    for each in told:
        if each.plain not in NEXT:
            continue
        within = {f"{each.path}.{name}": each.value[name] for name in _HREFS if name in each.value} if isinstance(each.value, dict) else {each.path: each.value}  # fmt: skip
        for path, value in within.items():
            if isinstance(value, str) and _ADDRESS.match(value):
                return Paging(
                    {"kind": "next_url", "next_at": path}, f"the answer has the address of the next page in {path}"
                )
    return None


def _link(headers: httpx.Headers) -> Paging | None:
    if find_link(headers, "next") is None:
        return None
    return Paging({"kind": "link_header"}, "the answer has the address of the next page in its header Link")


def _cursor(told: Sequence[_Told], params: Mapping[str, str]) -> Paging | None:
    for each in told:
        path, value = each.path, each.value
        if isinstance(value, dict) and each.plain in NEXT:  # as HubSpot's paging.next.after
            name = next((name for name in value if plain(name) in _CURSOR_PARAMS), None)
            path, value, own = f"{path}.{name}", value.get(name or ""), name or ""
        else:
            own = _BEFORE_NAME.sub("", each.name)
            own = f"{own[:1].lower()}{own[1:]}"
        if each.plain not in NEXT or isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            continue
        asked = next((name for name in params if plain(name) in _CURSOR_PARAMS or plain(name) == plain(own)), None)
        param = asked or own
        why = f"the answer has {one_of(value)} in {path}"
        if not param:
            return Paging(
                {"kind": "cursor", "cursor_at": path, "param": "cursor"},
                f"{why}, and nothing tells by which parameter the next page is asked for; the API's documentation does",
                is_certain=False,
            )
        by = (
            ""
            if asked
            else f"; that the parameter is {param} is told by that name alone, and a run fails where it turns no page"
        )
        return Paging({"kind": "cursor", "cursor_at": path, "param": param}, f"{why}{by}")
    return None


def one_of(value: str | int) -> str:
    """Return what names the next page, in words."""
    return "the number of the next page" if isinstance(value, int) else "the cursor of the next page"


def _page_numbers(told: Sequence[_Told], headers: httpx.Headers, params: Mapping[str, str], rows: int) -> Paging | None:
    asked = next((name for name in params if plain(name) in _PAGE_PARAMS), None)
    number = next((each for each in told if each.plain in PAGE_NUMBERS and _is_count(each.value)), None)
    param = (
        asked
        or (number.name if number and plain(number.name) in _PAGE_PARAMS else None)
        or ("page" if number else None)
    )
    pages = next((each for each in told if each.plain in PAGES and _is_count(each.value)), None)
    header = next((name for name in _PAGES_HEADERS if headers.get(name, "").isdecimal()), None)
    start = number.value if number and number.value == 0 else 1
    if asked and params[asked] == "0":
        start = 0
    turned = {"kind": "page", "param": param or "page", **({"start": 0} if start == 0 else {})}
    by = f", and the number of this one in {number.path}" if number else ""
    if pages is not None or header is not None:
        count = {"pages_at": pages.path} if pages is not None else {"pages_header": header}
        where = pages.path if pages is not None else f"its header {header}"
        is_certain = param is not None
        unsure = "" if is_certain else "; nothing tells by which parameter a page is asked for"
        return Paging(
            {**turned, **count}, f"the answer has the number of pages in {where}{by}{unsure}", is_certain=is_certain
        )
    total = _total(told, headers)
    if total is None or param is None or total[2] <= rows:
        return None
    return Paging(
        {**turned, "size": rows, total[0]: total[1]},
        f"the answer has {total[2]:,} as the number of rows in {total[1]}{by}, and {rows} of them",
    )


def _offsets(told: Sequence[_Told], params: Mapping[str, str], rows: int) -> Paging | None:
    asked = next((name for name in params if plain(name) in OFFSETS), None)
    offset = next((each for each in told if each.plain in OFFSETS and _is_count(each.value)), None)
    total = _total(told, {})
    if (asked is None and offset is None) or (total is not None and total[2] <= rows):
        return None
    size_param = next((name for name in params if plain(name) in SIZES), None)
    told_size = next((each.name for each in told if each.plain in SIZES and _is_count(each.value)), None)
    declared = {
        "kind": "offset",
        "param": asked or (offset.name if offset else "offset"),
        "size_param": size_param or told_size,
        "size": rows if total else _size(told, rows),
        **({total[0]: total[1]} if total else {}),
    }
    where = f"its parameter {asked}" if asked else f"{offset.path}" if offset else ""
    return Paging(declared, f"the number of rows before this page is told by {where}")


def _unexplained(told: Sequence[_Told], headers: httpx.Headers, rows: int) -> Paging | None:
    """Return what an answer says of more, where nothing tells how to ask for it."""
    total = _total(told, headers)
    more = next((each for each in told if each.plain in MORE and each.value in (True, "true")), None)
    empty = next((each for each in told if each.plain in NEXT and not each.value), None)
    if total is not None and total[2] > rows:
        return Paging(
            {"kind": "page", "param": "page", "size": rows, total[0]: total[1]},
            f"the answer tells of {total[2]:,} rows in {total[1]}, and has {rows}; nothing tells how the others are asked for: "
            "by the number of a page, as here, or kind: offset",
            is_certain=False,
        )
    if more is not None:
        return Paging(
            {"kind": "keyset", "value_at": "id", "param": "starting_after", "has_more_at": more.path},
            f"the answer says in {more.path} that there is more; nothing tells how it is asked for: by the id of the last "
            "row, as here, or by a page's number or a cursor",
            is_certain=False,
        )
    if empty is not None:
        return Paging(
            {"kind": "next_url", "next_at": empty.path},
            f"the answer names no next page in {empty.path}; where others have its address there, this is it, "
            "and where they have a cursor, kind: cursor",
            is_certain=False,
        )
    return None


def _total(told: Sequence[_Told], headers: Mapping[str, str]) -> tuple[str, str, int] | None:
    """Return the key that names where the number of rows stands, the place, and the number."""
    for each in told:
        if each.plain in TOTALS and each.plain != "count" and _is_count(each.value):
            return "total_at", each.path, int(each.value)
    for each in told:
        if each.plain == "count" and _is_count(each.value):
            return "total_at", each.path, int(each.value)
    for name in _TOTAL_HEADERS:
        if headers.get(name, "").isdecimal():
            return "total_header", name, int(headers[name])
    return None


def _size(told: Sequence[_Told], rows: int) -> int:
    """Return the rows of a full page where nothing tells whether this is one: as is told, or as many as it has."""
    return next(
        (int(each.value) for each in told if each.plain in SIZES and _is_count(each.value) and each.value), rows
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
