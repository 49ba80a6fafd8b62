"""Keyset pagination: a request carries a value of the last row of the page before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.config import ApiSource
from tasks.core.errors import PermanentSourceError, SourceError, WrongPagesError
from tests.ingest.sources import QUICK, WARNED, api, land_one, read_rows
from tests.site.keyset import keyset_at
from tests.site.server import Site

STRIPE = {"kind": "keyset", "value_at": "id", "param": "starting_after", "has_more_at": "has_more"}
GITLAB = {"kind": "keyset", "value_at": "id", "param": "id_after"}


def rows_of(number: int) -> list[dict[str, Any]]:
    """Return rows whose ids are texts with characters that an address quotes."""
    return [{"id": f"ch_{place}/+&"} for place in range(number)]


def stripe(site: Site, route: str = "stripe", **changes: Any) -> ApiSource:
    """Return a source whose pages tell whether there are more."""
    return api(site, f"/keyset/{route}", **{"pagination": STRIPE, "records_at": "data"} | changes)


def gitlab(site: Site, route: str = "gitlab", **changes: Any) -> ApiSource:
    """Return a source whose pages are lists."""
    return api(site, f"/keyset/{route}", **{"pagination": GITLAB, "records_at": None} | changes)


@pytest.mark.parametrize("number", [0, 1, 3, 6, 7])
async def test_a_page_that_has_no_more_is_the_last(site: Site, tmp_path: Path, number: int) -> None:
    """Where the server tells whether there is more, no request is made in vain."""
    rows = keyset_at(site, rows=rows_of(number)).rows

    landed = await land_one(stripe(site), tmp_path)

    assert read_rows(landed.path) == rows
    assert landed.requests == max(1, -(-number // 3))
    assert (landed.warnings, WARNED) == ((), [])


@pytest.mark.parametrize("number", [0, 3, 7])
async def test_a_page_without_rows_is_the_last(site: Site, tmp_path: Path, number: int) -> None:
    """Where the server tells nothing, a short page may have others after it, and one without rows has none."""
    rows = keyset_at(site, rows=[{"id": place} for place in range(number)]).rows

    landed = await land_one(gitlab(site), tmp_path)

    assert read_rows(landed.path) == rows
    assert site.paths[1:2] == (["/keyset/gitlab?id_after=2"] if number else [])
    assert landed.requests == -(-number // 3) + 1


async def test_an_answer_without_a_body_is_a_page_without_rows(site: Site, tmp_path: Path) -> None:
    """A 204 ends the pages as an empty list does, and is nothing to warn of."""
    keyset_at(site, rows=[{"id": 1}])

    landed = await land_one(gitlab(site, "204"), tmp_path)

    assert (landed.rows, landed.requests, landed.warnings) == (1, 2, ())


async def test_rows_that_go_between_pages_move_no_others(site: Site, tmp_path: Path) -> None:
    """Rows that the server leaves out cost no others, neither the last of a page nor the first of the next."""
    keyset_at(site, rows=[{"id": place} for place in range(9)], dropped={2, 3, 7})

    landed = await land_one(gitlab(site, pagination=GITLAB), tmp_path)

    assert [row["id"] for row in read_rows(landed.path)] == [0, 1, 4, 5, 6, 8]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("0", "0"),
        ('"007"', "007"),
        ('"a b&c"', "a%20b%26c"),
    ],
)
async def test_a_value_is_sent_as_it_was_received(site: Site, tmp_path: Path, text: str, sent: str) -> None:
    """A number keeps its digits and its zeros, and a text its characters."""
    keyset_at(site, text=b'{"data": [{"id": %s}], "has_more": true}' % text.encode())

    await land_one(stripe(site, "exact"), tmp_path)

    assert site.paths[1] == f"/keyset/exact?starting_after={sent}"


async def test_a_value_is_sent_in_the_body(site: Site, tmp_path: Path) -> None:
    """A number stays a number there."""
    rows = keyset_at(site, rows=[{"id": place} for place in range(4)]).rows
    pagination = {"kind": "keyset", "value_at": "id", "param": "after", "place": "body"}
    source = stripe(site, "posted", pagination=pagination, method="POST", body={"of": "all"}, idempotent=True)

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == rows
    assert [json.loads(seen.body).get("after") for seen in site.seen] == [None, 2, 3]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"name": "x"}, "pagination.value_at: 'id' is not there in the last row, .*; name a value that each row has"),
        ({"id": None}, "pagination.value_at: 'id' is null in the last row"),
        ({"id": ""}, "pagination.value_at: 'id' is \"\" in the last row"),
        ({"id": True}, "pagination.value_at: 'id' is true in the last row"),
        ({"id": [1]}, r"pagination.value_at: 'id' is \[1\] in the last row"),
    ],
)
async def test_a_last_row_without_the_value_is_an_error(
    site: Site, tmp_path: Path, row: dict[str, Any], sentence: str
) -> None:
    """What cannot be asked for is not taken for the end."""
    keyset_at(site, text=json.dumps({"data": [{"id": 1}, row], "has_more": True}).encode())

    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(stripe(site, "exact"), tmp_path)


async def test_a_last_row_needs_no_value_where_there_is_no_more(site: Site, tmp_path: Path) -> None:
    """On the last page nothing is asked of it."""
    keyset_at(site, text=b'{"data": [{"name": "x"}], "has_more": false}')

    assert (await land_one(stripe(site, "exact"), tmp_path)).rows == 1


async def test_rows_of_one_value_are_an_error(site: Site, tmp_path: Path) -> None:
    """A page may end between rows of one value, of which the next would leave out the others."""
    keyset_at(site, rows=[{"id": 1}, {"id": 2, "n": 1}, {"id": 2, "n": 2}, {"id": 2, "n": 3}, {"id": 3}])

    with pytest.raises(PermanentSourceError, match=r"'id' is 2 in both of the last two rows.*of its own for each row"):
        await land_one(gitlab(site), tmp_path)


@pytest.mark.parametrize("number", [1, 3])
async def test_a_value_that_does_not_move_is_an_error(site: Site, tmp_path: Path, number: int) -> None:
    """A server that passes over the parameter gives the same rows again, which is not the end."""
    keyset_at(site, rows=rows_of(number))

    with pytest.raises(WrongPagesError, match="correct pagination"):
        await land_one(stripe(site, "deaf"), tmp_path)
    assert len(site.seen) == 2


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"data": [{"id": 1}]}, "'has_more' is no true or false, 'has_more' meets the keys data; correct has_more_at"),
        ({"data": [{"id": 1}], "has_more": "no"}, "'has_more' is no true or false, it is 'no'; correct has_more_at"),
        ({"data": [], "has_more": True}, "'has_more' is true of a page without rows; correct records_at"),
    ],
)
async def test_what_does_not_tell_whether_there_is_more_is_an_error(
    site: Site, tmp_path: Path, body: dict[str, Any], sentence: str
) -> None:
    """A wrong path is not taken for the end, nor a page without the rows that it promises."""
    keyset_at(site, text=json.dumps(body).encode())

    with pytest.raises(PermanentSourceError, match=f"pagination.has_more_at: {sentence}"):
        await land_one(stripe(site, "exact"), tmp_path)


async def test_the_next_run_goes_on_after_the_last_row(site: Site, tmp_path: Path) -> None:
    """A landing that failed is gone on with at the page that it had reached."""
    rows = keyset_at(site, rows=[{"id": place} for place in range(7)], refused_after="5").rows
    source = gitlab(site, requests=QUICK | {"attempts": 1})
    with pytest.raises(SourceError, match="500"):
        await land_one(source, tmp_path)
    asked = len(site.seen)

    landed = await land_one(source, tmp_path)

    assert read_rows(landed.path) == rows
    assert site.paths[asked:] == ["/keyset/gitlab?id_after=5", "/keyset/gitlab?id_after=6"]


async def test_more_pages_than_allowed_are_an_error(site: Site, tmp_path: Path) -> None:
    """As for every other kind."""
    keyset_at(site, rows=rows_of(9))

    with pytest.raises(PermanentSourceError, match=r"more pages than pagination.max_pages \(2\)"):
        await land_one(stripe(site, pagination=STRIPE | {"max_pages": 2}), tmp_path)
