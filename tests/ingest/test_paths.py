"""Paths in the body of an answer: names with dots in them are named too, as those of OData."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Incremental
from tasks.core.body_paths import items_of, members_of, walk, write_name
from tasks.core.errors import PermanentSourceError
from tasks.ingest.landing.watermark import Watermark
from tests.ingest.sources import api, land_one, read_rows
from tests.site.odd import odd_at
from tests.site.server import Site

PAGES = [[{"id": 3 * page + row} for row in range(3)] for page in range(3)]
ROWS = [row for page in PAGES for row in page]
BODY: Any = {"a": {"b": 1, "c.d": {"e": 2}, "b.f": 3}, "a.b": 4, "l": [{"x.y": 5}], "'q'": 6, "": {"": 7}}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", 4),
        ("'a'.b", 1),
        ('a."c.d".e', 2),
        ("a.'c.d'.e", 2),
        ("a.b.f", 3),
        ("l.0.x.y", 5),
        ('l.0."x.y"', 5),
        ("'q'", 6),
        (".", 7),
    ],
)
def test_a_path_names_any_key(path: str, found: int) -> None:
    """A name in quotes is one name; one that is all that is left of the path comes first; a place in a list is a number."""
    walked = walk(BODY, path, members_of, items_of)

    assert (walked.last, walked.missing) == (found, None)


@pytest.mark.parametrize(("path", "missing"), [("a.c.d.e", "c"), ("l.1", "1"), ("a.b.c.d", "c"), ('"a.c"', "a.c")])
def test_a_path_that_ends_too_early_tells_where(path: str, missing: str) -> None:
    """It is told by the first name that is not there."""
    assert walk(BODY, path, members_of, items_of).missing == missing


@pytest.mark.parametrize("name", ["plain", "@odata.nextLink", "'a'", 'a"b.c', "a.b'c"])
def test_a_name_is_written_so_that_it_is_read(name: str) -> None:
    """What a message says to write is found."""
    body: Any = {name: {"x": 1}}

    assert walk(body, f"{write_name(name)}.x", members_of, items_of).last == 1


@pytest.mark.parametrize(
    ("next_at", "records_at"),
    [
        ("@odata.nextLink", "value"),
        ('"@odata.nextLink"', "value"),
        ("'@odata.nextLink'", '"x.y".items'),
        ("'x.y'.next.one", "'x.y'.items"),
    ],
)
async def test_odata_is_paged(site: Site, tmp_path: Path, next_at: str, records_at: str) -> None:
    """The address of the next page stands under a name with a dot."""
    odd_at(site, pages=PAGES)
    source = api(site, "/odd/odata", pagination={"kind": "next_url", "next_at": next_at}, records_at=records_at)

    landed = await land_one(source, tmp_path)

    assert (read_rows(landed.path), landed.pages, landed.warnings) == (ROWS, 3, ())


async def test_a_name_with_a_dot_that_is_not_there_is_an_error(site: Site, tmp_path: Path) -> None:
    """The records are looked for where they are said to be, and the names that are there are told."""
    odd_at(site, pages=PAGES)
    source = api(site, "/odd/odata", pagination={"kind": "single"}, records_at="@odata.values")

    with pytest.raises(
        PermanentSourceError, match=r"'@odata' meets the keys @odata.count, value, x.y, @odata.nextLink"
    ):
        await land_one(source, tmp_path)


@pytest.mark.parametrize(
    ("body", "place"),
    [({"x.y": {"items": ROWS}}, "'\"x.y\".items'"), ({"@graph": ROWS}, "'@graph'"), ({"d": {"r": ROWS}}, "d.r")],
)
async def test_a_list_under_a_name_with_a_dot_is_named_as_it_is_written(
    site: Site, tmp_path: Path, body: dict[str, Any], place: str
) -> None:
    """Where a body becomes one row, the list of objects in it is named in the words of a pipeline file."""
    site.echo_body = json.dumps(body).encode()

    landed = await land_one(api(site, "/echo/body", pagination={"kind": "single"}, records_at=None), tmp_path)

    assert f"declare records_at: {place}" in landed.warnings[0]


@pytest.mark.parametrize("field", ["sys.updated_at", '"sys.updated_at"', "meta.0.at", 'meta.0."at"'])
def test_an_incremental_field_may_have_a_dot(field: str) -> None:
    """Also in a record that only Python's reader takes, and in a list."""
    watermark = Watermark(Incremental.model_validate({"field": field, "param": "since", "start": 0}))

    watermark.see(
        [b'{"sys.updated_at": 4, "meta": [{"at": 4}]}', b'{"sys.updated_at": 5, "meta": [{"at": 5}], "x": NaN}']
    )
    watermark.check()

    assert watermark.largest == 5
