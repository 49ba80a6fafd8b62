"""What the only answer of a partition says of more: it is told, and not left out without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.sources import api, land_one, read_rows
from tests.site.odd import odd_at
from tests.site.server import Site

SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}}
ROWS = [{"id": 1}, {"id": 2}]


async def warnings_of(site: Site, folder: Path, body: Any, **changes: Any) -> tuple[str, ...]:
    """Return what is told of an answer."""
    site.echo_body = json.dumps(body).encode()
    return (await land_one(api(site, "/echo/body", **SINGLE | changes), folder)).warnings


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"next": "/page/2"}, "next: '/page/2'"),
        ({"next_page": 2}, "next_page: 2"),
        ({"nextPageToken": "abc"}, "nextPageToken: 'abc'"),
        ({"@odata.nextLink": "http://h/2"}, "@odata.nextLink: 'http://h/2'"),
        ({"has_more": True}, "has_more: True"),
        ({"exceededTransferLimit": True}, "exceededTransferLimit: True"),
        ({"meta": {"total": 3}}, "meta.total: 3"),
        ({"totalCount": "3"}, "totalCount: '3'"),
        ({"_links": {"next": {"href": "/2"}}}, "_links.next: "),
    ],
)
async def test_an_answer_that_says_there_is_more_is_told(
    site: Site, tmp_path: Path, beside: dict[str, Any], said: str
) -> None:
    """By a next page, a sign, or a number of rows above those that came."""
    (warning,) = await warnings_of(site, tmp_path, {"items": ROWS, **beside})

    assert f"/echo/body: the answer says there is more ({said}" in warning
    assert warning.endswith("; declare pagination")


@pytest.mark.parametrize(
    "beside",
    [
        {"next": None, "has_more": False, "total": 2},
        {"next": "", "count": 2, "meta": {"total": 2}},
        {"_links": {"next": {}}, "total": 1.5, "more": "no", "hits": {"total": 9}},
    ],
)
async def test_an_answer_that_is_all_is_not_doubted(site: Site, tmp_path: Path, beside: dict[str, Any]) -> None:
    """A next that is empty, and a number of rows that is theirs, say that there is no more."""
    assert await warnings_of(site, tmp_path, {"items": ROWS, **beside}) == ()


async def test_partitions_that_are_the_pages_are_not_doubted(site: Site, tmp_path: Path) -> None:
    """Each of them rightly names a next."""
    partitions = {"page": {"range": [1, 2]}}
    params = {"page": "{page}"}

    warnings = await warnings_of(site, tmp_path, {"items": ROWS, "next": 2}, partitions=partitions, params=params)

    assert warnings == ()


async def test_a_link_header_to_a_next_page_is_told(site: Site, tmp_path: Path) -> None:
    """It needs no key of the body."""
    odd_at(site, pages=[ROWS, ROWS])

    (warning,) = (await land_one(api(site, "/odd/cursor", **SINGLE), tmp_path)).warnings

    assert "says there is more (Link: '?cursor=1'; rel=next); declare pagination" in warning


async def test_the_answer_of_a_part_is_told(site: Site, tmp_path: Path) -> None:
    """Status 206 is that of a part."""
    odd_at(site, pages=[ROWS], beside={0: {"status": 206}})

    (warning,) = (await land_one(api(site, "/odd/page", **SINGLE), tmp_path)).warnings

    assert "says there is more (its status is 206, that of a part); declare pagination" in warning


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"data": ROWS}, "data"),
        ({"total": 2, "users": ROWS}, "users"),
        ({"filters": ROWS, "results": ROWS}, "results"),
        ({"response": {"docs": ROWS}}, "response.docs"),
        ({"data": {"repo": {"issues": ROWS}}}, "data.repo.issues"),
    ],
)
async def test_a_body_around_rows_that_becomes_one_is_told(site: Site, tmp_path: Path, body: Any, place: str) -> None:
    """The warning says where the rows stand."""
    (warning,) = await warnings_of(site, tmp_path, body, records_at=None)

    assert warning.endswith(f"the body became one row, and holds a list of objects; declare records_at: {place}")


async def test_more_beside_undeclared_rows_is_told_too(site: Site, tmp_path: Path) -> None:
    """Who declares the rows would else be told of the next page one run later."""
    warnings = await warnings_of(site, tmp_path, {"results": ROWS, "next": "/2"}, records_at=None)

    assert [warning.rpartition("; ")[2] for warning in warnings] == [
        "declare records_at: results",
        "declare pagination",
    ]


@pytest.mark.parametrize(
    "body", [ROWS, {"id": 1, "items": ROWS}, {"name": "a", "tags": ["b"]}, {"next": "/2", "count": 9}, {"data": []}]
)
async def test_a_body_that_is_a_record_is_not_doubted(site: Site, tmp_path: Path, body: Any) -> None:
    """An object with an id, or without a list of objects, is one row as it stands."""
    assert await warnings_of(site, tmp_path, body, records_at=None) == ()


@pytest.mark.parametrize("pagination", [{"kind": "single"}, {"kind": "page"}])
async def test_errors_beside_data_are_told(site: Site, tmp_path: Path, pagination: dict[str, Any]) -> None:
    """As GraphQL answers with 200 where some of what was asked for could not be found."""
    beside = {"data": {}, "errors": [{"message": "no"}]}
    odd_at(site, pages=[ROWS], beside={0: beside})

    landed = await land_one(api(site, "/odd/page", pagination=pagination), tmp_path)

    assert read_rows(landed.path) == ROWS
    (warning,) = landed.warnings
    assert "the answer has rows, and errors: [{'message': 'no'}]; write error_at: errors" in warning
