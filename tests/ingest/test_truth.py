"""Whatever a server does with its rows: a partition that says nothing has each of them, and each as often as it is there."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from tasks.core.errors import SourceError
from tests.ingest.sources import api, land_one, read_rows
from tests.site.drawn import Counts, Drawn, Shape, Way, draw_at
from tests.site.server import Sites

WAYS: tuple[Way, ...] = ("page", "offset", "cursor", "next_url", "link_header")
FAULTS: list[Any] = [
    {"items": [], "error": "rate limited"},
    {"items": None, "error": {"code": 429}},
    {"error": "rate limited"},
    {"items": [], "errors": ["quota"]},
    {"message": "try later"},
    [],
    {"items": []},
    "busy",
    None,
]
RECORDS_AT = {"object": "items", "nested": "data.items", "list": None, "lines": None, "rows": "items"}


@st.composite
def servers(draw: st.DrawFn) -> Drawn:
    """Draw a server: its rows, of which some are the same, or are left out after paging, and how it hands them out."""
    way = draw(st.sampled_from(WAYS))
    ids = draw(
        st.one_of(
            st.integers(0, 13).map(lambda n: list(range(n))),
            st.lists(st.integers(0, 3), max_size=9),
        )
    )
    rows: list[Any] = [{"id": number, "v": f"v{number % 2}"} for number in ids]
    left_out = draw(st.sets(st.integers(0, 12), max_size=4)) if draw(st.booleans()) else set()
    shapes: list[Shape] = ["object", "object", "nested", "rows"]
    if way not in ("cursor", "next_url"):
        shapes += ["list", "lines"]
    shape = draw(st.sampled_from(shapes))
    counts = list[Counts](["", "rows"] if way in ("page", "offset") else [""])
    if way == "page":
        counts.append("pages")
    size = draw(st.integers(1, 4))
    faults = draw(st.dictionaries(st.integers(0, 4), st.sampled_from(FAULTS), max_size=1))
    return Drawn(
        way=way,
        rows=[None if place in left_out else row for place, row in enumerate(rows)],
        size=size,
        first=draw(st.integers(0, 1)),
        obeys=draw(st.booleans()),
        counts=draw(st.sampled_from(counts)) if shape in ("object", "nested", "rows") else "",
        told=draw(st.sampled_from([0, 0, 0, -3, -1, 1, 4])),
        grows=draw(st.sampled_from([0, 0, 0, 1, -1])),
        beyond=draw(st.sampled_from(["empty", "empty", "404", "204", "last", "null", "first"])),
        shape=shape,
        overlap=min(draw(st.sampled_from([0, 0, 0, 1])), size - 1),
        faults=faults if draw(st.booleans()) else {},
        often=draw(st.sampled_from([1, 99])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Drawn, dict[str, Any]]:
    """Draw a server, and what a pipeline file says of it: right in most, and wrong in some."""
    drawn = draw(servers())
    size = draw(st.sampled_from([drawn.size, drawn.size, 1, 2, 3, 5]))
    pagination: dict[str, Any] = {"kind": drawn.way, "max_pages": 30}  # a page of one row may come again for ever
    match drawn.way:
        case "page":
            pagination |= {"start": draw(st.sampled_from([drawn.first, drawn.first, 0, 1]))}
            if drawn.counts == "rows" or draw(st.booleans()):
                pagination |= {"size": size} | ({"size_param": "limit"} if draw(st.booleans()) else {})
        case "offset":
            pagination |= {"start": draw(st.sampled_from([drawn.first, drawn.first, 0])), "size": size}
        case "cursor":
            pagination |= {"cursor_at": draw(st.sampled_from(["next", "next", "next", "nxt"]))}
        case "next_url":
            pagination |= {"next_at": draw(st.sampled_from(["next", "next", "next", "nxt"]))}
        case _:
            pass
    if draw(st.booleans()) and drawn.counts:
        pagination["pages_at" if drawn.counts == "pages" else "total_at"] = draw(
            st.sampled_from(["total"] * 3 + ["totl"])
        )
    source: dict[str, Any] = {"pagination": pagination, "records_at": RECORDS_AT[drawn.shape]}
    if drawn.shape == "rows":
        source["names"] = ["id", "v"]
    if draw(st.booleans()):
        source["error_at"] = "error"
    return drawn, source


def is_right(drawn: Drawn, source: dict[str, Any]) -> bool:
    """Return whether nothing that the pipeline file or the server says is wrong in a way that nobody could see."""
    pagination = source["pagination"]
    is_counted = "pages_at" in pagination or "total_at" in pagination
    if is_counted and (drawn.told or drawn.grows):
        return False  # the server's word is taken for where its pages end
    if pagination.get("start", 0) > drawn.first and not is_counted:
        return False  # what stands before the start is not asked for
    return is_counted or not has_gap(drawn, source)


def size_of(drawn: Drawn, source: dict[str, Any]) -> int:
    """Return how many rows a page has: as many as are asked for, where the server obeys and has as many."""
    if drawn.obeys and (drawn.way == "offset" or "size_param" in source["pagination"]):
        return min(drawn.size, int(source["pagination"]["size"]))
    return drawn.size


def is_shifted(drawn: Drawn, source: dict[str, Any]) -> bool:
    """Return whether pages begin elsewhere than a client that reads the pipeline file can know."""
    pagination = source["pagination"]
    if drawn.beyond in ("first", "last") and size_of(drawn, source) == 1:
        return True
    if drawn.way == "offset":
        return pagination["start"] < drawn.first or drawn.size < pagination["size"] or not drawn.obeys
    return drawn.overlap > 0


def has_gap(drawn: Drawn, source: dict[str, Any]) -> bool:
    """Return whether rows stand behind two pages without any, which are the end where nobody tells; or in an answer that is a fault."""
    if any(fault is not None for fault in drawn.faults.values()):
        return True
    size = size_of(drawn, source)
    pages = [bool(drawn.window(start, size)) for start in range(0, len(drawn.rows), size)]
    ended = "".join(" x"[page] for page in pages).rstrip()
    return drawn.way in ("page", "offset") and "  " in ended


def key(row: Any) -> str:
    """Return what a row is known by."""
    return json.dumps(row, sort_keys=True)


SECOND_EMPTY = Drawn(
    way="offset",
    rows=[{"id": 0, "v": "v0"}, {"id": 1, "v": "v1"}, {"id": 2, "v": "v0"}],
    size=2,
    obeys=False,
    faults={1: {"items": []}},
    often=1,
)
"""A second page without rows, though what begins within the first one has shown one of it."""
BY_OFFSET = {"pagination": {"kind": "offset", "max_pages": 30, "start": 0, "size": 2}, "records_at": "items"}


@settings(max_examples=200)
@given(cases())
@example((SECOND_EMPTY, BY_OFFSET))
def test_what_says_nothing_has_every_row_once(sites: Sites, case: tuple[Drawn, dict[str, Any]]) -> None:
    """Rows that were shown are landed, none more often than it is there, and where nothing is wrong all are."""
    drawn, source = replace(case[0], shown=[]), case[1]
    site = sites.add()
    draw_at(site, drawn)

    with tempfile.TemporaryDirectory() as folder:
        try:
            landed = asyncio.run(land_one(api(site, "/drawn", **source), Path(folder)))
        except SourceError as error:
            assert 0 < len(str(error)) < 2000  # noqa: PT017 - refused, in words
            event("error")
            return
        rows = Counter(map(key, read_rows(landed.path)))
    assert landed.rows == rows.total()
    if landed.warnings or landed.unproven or not rows:  # a partition without rows is told of by the audit of its source
        event("told")
        return

    if drawn.shape == "list" and not drawn.shown:
        return  # one object where a list never came may be a record
    there = Counter(map(key, drawn.there))
    assert set(map(key, drawn.shown)) <= set(rows)
    if (max(there.values()) > 1 or size_of(drawn, source) == 1) and is_shifted(drawn, source):
        return  # of rows that are the same, or of pages of one, nobody can tell which of them came again
    assert rows <= there
    if is_right(drawn, source):
        event("whole")
        assert rows == there
