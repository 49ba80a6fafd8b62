"""Pagination: each kind, and what does not fit together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.config import (
    ApiSource,
    SinglePagination,
    load_pipeline,
)
from tasks.config.pagination import PAGINATORS
from tasks.ingest.api.paginators.cursor import CursorPagination
from tasks.ingest.api.paginators.keyset import KeysetPagination
from tasks.ingest.api.paginators.link_header import LinkHeaderPagination
from tasks.ingest.api.paginators.next_url import NextUrlPagination
from tasks.ingest.api.paginators.offset import OffsetPagination
from tasks.ingest.api.paginators.page import PagePagination
from tests.config.files import api, mistakes_of

NEEDS_SIZE = "needs the rows of a full page; add size: 100, or what the server gives"
ONE_CURSOR = "name one place of the next cursor: cursor_at: a path in the body, or cursor_header: a header"
NO_HEADER = "is not the name of a header; write one like X-Total-Count"


@pytest.mark.parametrize(
    ("text", "pagination"),
    [
        ("{kind: single}", SinglePagination()),
        ("{kind: page}", PagePagination()),
        (
            "{kind: page, param: p, start: 0, step: 2, size: 50, size_param: n, total_at: meta.total, max_pages: 5}",
            PagePagination(param="p", start=0, step=2, size=50, size_param="n", total_at="meta.total", max_pages=5),
        ),
        ("{kind: page, pages_header: X-Total-Pages}", PagePagination(pages_header="X-Total-Pages")),
        ("{kind: page, end_statuses: [404]}", PagePagination(end_statuses=(404,))),
        ("{kind: offset}", OffsetPagination(param="offset", size_param="limit", size=100)),
        (
            "{kind: offset, param: skip, size_param: null, size: 20, total_header: X-Total-Count, max_rows: 9}",
            OffsetPagination(param="skip", size_param=None, size=20, total_header="X-Total-Count", max_rows=9),
        ),
        ("{kind: cursor, cursor_at: meta.next}", CursorPagination(cursor_at="meta.next")),
        (
            "{kind: cursor, cursor_header: X-Next, place: header, param: X-Cursor}",
            CursorPagination(cursor_header="X-Next", place="header", param="X-Cursor"),
        ),
        ("{kind: next_url, next_at: links.next}", NextUrlPagination(next_at="links.next")),
        ("{kind: keyset, value_at: id, param: after}", KeysetPagination(value_at="id", param="after")),
        ("{kind: link_header}", LinkHeaderPagination(rel="next")),
        ("{kind: link_header, rel: more, max_pages: 3}", LinkHeaderPagination(rel="more", max_pages=3)),
    ],
)
def test_each_kind_is_read(file: Path, text: str, pagination: Any) -> None:
    """What the file says is the model."""
    file.write_text(api(f"pagination: {text}"))

    source = load_pipeline(file).sources["rows"]

    assert isinstance(source, ApiSource)
    assert source.pagination == pagination


@pytest.mark.parametrize(
    ("pagination", "mistakes"),
    [
        (
            "{kind: curser, cursor_at: a}",
            [f".kind: 'curser' is not one of {', '.join(PAGINATORS.kinds)}; did you mean cursor?"],
        ),
        ("{}", [": needs the key kind, which says what it is"]),
        (
            "{kind: single, max_pages: 3}",
            [".max_pages: unknown key; known here are kind"],
        ),
        ("{kind: cursor, cursor: a}", [".cursor: unknown key; did you mean cursor_at?"]),
        (
            "{kind: cursor, cursor_at: a, nxt: b}",
            [
                ".nxt: unknown key; known here are cursor_at, cursor_header, has_more_at, kind, max_pages, max_rows, param, place"
            ],
        ),
        (
            "{kind: next_url, next: a}",
            [".next_at: is missing; add it", ".next: unknown key; did you mean next_at?"],
        ),
        ("{kind: keyset}", [".value_at: is missing; add it", ".param: is missing; add it"]),
        ("{kind: link_header, relation: a}", [".relation: unknown key; known here are kind, max_pages, max_rows, rel"]),
        ("{kind: offset, limit: 5}", [".limit: unknown key; known here are end_statuses, kind, max_pages, max_rows, "]),
        ("{kind: page, total_at: total}", [f": total_at {NEEDS_SIZE}"]),
        ("{kind: page, total_header: X-Total}", [f": total_header {NEEDS_SIZE}"]),
        ("{kind: page, size_param: n}", [f": size_param {NEEDS_SIZE}"]),
        ("{kind: offset, size: null}", [f": size_param {NEEDS_SIZE}"]),
        (
            "{kind: offset, size: null, size_param: null}",
            [": size says where the next page begins; add size: 100, or what the server gives"],
        ),
        (
            "{kind: page, pages_at: pages, total_at: total, size: 5}",
            [": pages_at and total_at tell the same; keep one of them"],
        ),
        ("{kind: cursor}", [f": {ONE_CURSOR}"]),
        ("{kind: cursor, cursor_at: a, cursor_header: b}", [f": {ONE_CURSOR}"]),
        ("{kind: cursor, cursor_at: ''}", [".cursor_at: '': string should have at least 1 character"]),
        ("{kind: cursor, cursor_header: 'a b'}", [f".cursor_header: 'a b' {NO_HEADER}"]),
        ("{kind: page, place: header, param: 'a b'}", [f": 'a b' {NO_HEADER}"]),
        ("{kind: page, place: header, param: A, size: 5, size_param: 'a b'}", [f": 'a b' {NO_HEADER}"]),
        ("{kind: cursor, cursor_at: a, place: header, param: 'a b'}", [f": 'a b' {NO_HEADER}"]),
        ("{kind: page, place: path}", [".place: 'path' is not one of query, header, body"]),
        ("{kind: page, step: 0}", [".step: 0: input should be greater than or equal to 1"]),
        ("{kind: page, size: 0}", [".size: 0: input should be greater than or equal to 1"]),
        ("{kind: offset, start: -1}", [".start: -1: input should be greater than or equal to 0"]),
        ("{kind: page, max_pages: 0}", [".max_pages: 0: input should be greater than or equal to 1"]),
        ("{kind: page, max_rows: 0}", [".max_rows: 0: input should be greater than or equal to 1"]),
        ("{kind: page, end_statuses: 404}", [".end_statuses: 404 is not a list; write [value, value]"]),
        ("{kind: page, end_statuses: [4]}", [".end_statuses.0: 4: input should be greater than or equal to 200"]),
    ],
)
def test_a_mistake_is_named_by_its_key(file: Path, pagination: str, mistakes: list[str]) -> None:
    """Each mistake is told with the path of its key, its value and the cure."""
    found = mistakes_of(file, api(f"pagination: {pagination}"))

    assert [sentence[: len(mistake) + 23] for sentence, mistake in zip(found, mistakes, strict=True)] == [
        f"sources.rows.pagination{mistake}" for mistake in mistakes
    ]


@pytest.mark.parametrize("kind", ["kind: page", "kind: offset", "kind: cursor, cursor_at: next"])
def test_a_number_in_the_body_needs_a_body(file: Path, kind: str) -> None:
    """Place body belongs to a POST."""
    keys = f"pagination: {{{kind}, place: body}}"

    mistakes = mistakes_of(file, api(keys))
    file.write_text(api(f"method: POST, {keys}"))

    assert mistakes == [
        "sources.rows: place: body needs a request with a body; add method: POST, or send it as query or header"
    ]
    assert load_pipeline(file).sources["rows"]


@pytest.mark.parametrize("kind", ["keyset", "page"])
def test_the_module_of_a_kind_can_be_imported_first(kind: str) -> None:
    """The models import it, and it what they are made of: where one begins makes no difference."""
    subprocess.run([sys.executable, "-c", f"import tasks.ingest.api.paginators.{kind}"], check=True)
