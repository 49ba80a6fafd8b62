"""Rows that stand on two pages, and bodies that are no page: what is landed twice, or is no row, is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import SourceError, WrongPagesError
from tests.ingest.sources import api, land_one, read_rows
from tests.site.drawn import Drawn, draw_at
from tests.site.server import Site

ROWS = [{"id": number} for number in range(1, 8)]
OFFSET: dict[str, Any] = {"kind": "offset", "size": 3}
CURSOR: dict[str, Any] = {"kind": "cursor", "cursor_at": "next"}


async def test_offsets_that_count_from_1_are_told(site: Site, tmp_path: Path) -> None:
    """A server that takes 0 for 1 gives the last row of the first page again."""
    draw_at(site, Drawn("offset", ROWS, first=1))

    landed = await land_one(api(site, "/drawn", pagination=OFFSET), tmp_path)

    (warning,) = landed.warnings
    assert read_rows(landed.path) == [*ROWS[:3], *ROWS[2:]]
    assert "a page begins with the 1 row that the page before it ends with, '{\"id\": 3}' the first" in warning
    assert warning.endswith("as where the server counts from 1, or declare a key, by which such rows are dropped")


async def test_a_cursor_that_includes_its_row_is_told(site: Site, tmp_path: Path) -> None:
    """The row that a cursor names is the first of the next page, too."""
    draw_at(site, Drawn("cursor", ROWS, size=4, overlap=2))

    landed = await land_one(api(site, "/drawn", pagination=CURSOR), tmp_path)

    (warning,) = landed.warnings
    assert "a page begins with the 2 rows" in warning


@pytest.mark.parametrize(
    ("drawn", "changes"),
    [
        (Drawn("offset", ROWS, first=1), {"pagination": OFFSET | {"start": 1}}),
        (Drawn("offset", ROWS, first=1), {"pagination": OFFSET, "key": ["id"]}),
        (Drawn("offset", [{"v": n} for n in (0, 0, 1, 1, 1, 2, 2)]), {"pagination": OFFSET}),
        (Drawn("cursor", [{"v": n} for n in (0, 0, 1, 1, 1, 2, 2, 2, 3)], size=4), {"pagination": CURSOR}),
    ],
)
async def test_rows_that_are_the_same_are_no_overlap(
    site: Site, tmp_path: Path, drawn: Drawn, changes: dict[str, Any]
) -> None:
    """Nothing is told where the start is right, where a key drops them, or where rows of one page are the same as well."""
    draw_at(site, drawn)

    assert (await land_one(api(site, "/drawn", **changes), tmp_path)).warnings == ()


async def test_one_row_that_comes_again_is_told(site: Site, tmp_path: Path) -> None:
    """A server of one row a page that counts from 1 gives it again at the offset where it ends."""
    draw_at(site, Drawn("offset", ROWS[:2], size=1, first=1, obeys=False))

    landed = await land_one(api(site, "/drawn", pagination=OFFSET), tmp_path)

    (warning,) = landed.warnings
    assert "gave the 1 record of the first page again, fewer than pagination.size (3)" in warning


@pytest.mark.parametrize(("way", "kind"), [("page", {"kind": "page"}), ("link_header", {"kind": "link_header"})])
async def test_an_object_among_lists_is_no_row(site: Site, tmp_path: Path, way: Any, kind: dict[str, Any]) -> None:
    """Where pages are lists, an object is an error that has come in place of one."""
    draw_at(site, Drawn(way, ROWS, shape="list", faults={1: {"message": "quota"}}, first=1))

    with pytest.raises(
        SourceError, match=r"the body is an object where those of other pages are lists: .*quota.*error_at"
    ):
        await land_one(api(site, "/drawn", pagination=kind, records_at=None), tmp_path)


async def test_an_error_that_became_the_row_is_told(site: Site, tmp_path: Path) -> None:
    """A body without a path is one record, also where it tells of an error."""
    site.echo_body = json.dumps({"error": "rate limited", "code": 429}).encode()

    landed = await land_one(api(site, "/echo/body", pagination={"kind": "single"}, records_at=None), tmp_path)

    (warning,) = landed.warnings
    assert "the answer has rows, and error: 'rate limited'; write error_at: error" in warning


async def test_a_first_page_that_comes_again_behind_the_last_is_an_error(site: Site, tmp_path: Path) -> None:
    """A server that begins anew, and tells of more rows than there are, gives none twice without a word."""
    draw_at(site, Drawn("page", ROWS[:4], size=2, first=1, counts="rows", told=2, beyond="first"))
    pagination = {"kind": "page", "size": 2, "total_at": "total"}

    with pytest.raises(WrongPagesError, match="gave the same 2 records as the first page"):
        await land_one(api(site, "/drawn", pagination=pagination), tmp_path)
