"""What is landed fetched again: when it is old, when it is told to, and only if the server has something else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.config import ApiSource, PagesSource
from tasks.config.pagination import NumberedPagination
from tasks.ingest.landing.conditional_requests import is_validated_by_body
from tasks.ingest.landing.plan import find_landed
from tasks.raw.files import RawManifest, commit_manifest, manifest_path, raw_path, read_manifest
from tests.ingest.sources import api, job_of, land_one, list_files, pages, read_rows
from tests.site.landing import kept_at
from tests.site.server import Site

DAILY = {"refresh": {"after": "24h"}}
OLD = "2020-01-01T00:00:00.000+00:00"
ROWS = [{"id": 1}, {"id": 2}]
MORE = [*ROWS, {"id": 3}]
ROUTES = ["single", "page", "html"]


def kept(site: Site, route: str = "page", **changes: Any) -> ApiSource | PagesSource:
    """Return a source that is one request, whose server says whether it changed."""
    if route == "html":
        return pages(site, "/kept-html", **DAILY | changes)
    pagination = {"kind": "page", "pages_at": "pages"} if route == "page" else {"kind": "single"}
    return api(site, "/kept", **DAILY | {"pagination": pagination} | changes)


async def manifest_of(folder: Path, name: str = "all") -> RawManifest:
    """Return a partition's manifest."""
    manifest = await asyncio.to_thread(read_manifest, raw_path(folder, name))
    assert manifest is not None
    return manifest


async def grow_old(folder: Path, landed_at: str = OLD) -> None:
    """Have a partition be landed at another time than it was."""
    manifest = replace(await manifest_of(folder), landed_at=landed_at)
    await asyncio.to_thread(commit_manifest, raw_path(folder, "all"), manifest)


async def is_found(source: ApiSource | PagesSource, folder: Path) -> bool:
    """Return whether a source's partition needs no request."""
    return await asyncio.to_thread(lambda: find_landed(job_of(source, folder), fresh=False)) is not None


def asked_of(site: Site, number: int) -> dict[str, str]:
    """Return the conditions of a request, counted from the last by -1."""
    headers = site.seen[number].headers
    return {name: headers[name] for name in ("if-none-match", "if-modified-since") if name in headers}


@pytest.mark.parametrize(
    ("landed_at", "changes", "found"),
    [
        (None, {}, True),
        (OLD, {}, False),
        (OLD, {"refresh": None}, True),
        ("2020-01-01", {}, False),
        ("2999-01-01T00:00:00+00:00", {}, False),
        ("2999-01-01T00:00:00+00:00", {"refresh": None}, True),
        ("some time ago", {}, False),
    ],
)
async def test_what_is_old_is_fetched_again(
    site: Site, tmp_path: Path, landed_at: str | None, changes: dict[str, Any], found: bool
) -> None:
    """A landed partition needs no request until it is as old as refresh says; without refresh it never grows old."""
    await land_one(kept(site), tmp_path)
    if landed_at is not None:
        await grow_old(tmp_path, landed_at)

    assert await is_found(kept(site, **changes), tmp_path) == found


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("validators", [("ETag",), ("Last-Modified",), ("ETag", "Last-Modified")])
async def test_what_has_not_changed_is_kept(
    site: Site, tmp_path: Path, route: str, validators: tuple[str, ...]
) -> None:
    """The server is told what is landed, by each validator it gave; with 304 the file stays, and is young again."""
    kept_at(site).rows, kept_at(site).validators = ROWS, validators
    source = kept(site, route)
    landed = await land_one(source, tmp_path)
    await grow_old(tmp_path)
    before, written = await manifest_of(tmp_path), await asyncio.to_thread(landed.path.stat)

    again = await land_one(source, tmp_path)

    after = await manifest_of(tmp_path)
    names = {"ETag": "if-none-match", "Last-Modified": "if-modified-since"}
    assert (asked_of(site, 0), list(asked_of(site, -1))) == ({}, [names[validator] for validator in validators])
    assert (after, after.landed_at > OLD) == (replace(before, landed_at=after.landed_at, began_at=after.began_at), True)
    assert (await asyncio.to_thread(landed.path.stat)).st_mtime_ns == written.st_mtime_ns
    assert (again.rows, again.requests, again.reused, len(site.seen)) == (2, 1, False, 2)
    assert (await is_found(source, tmp_path), list_files(tmp_path)) == (True, ["all.json", "all.jsonl.zst"])


@pytest.mark.parametrize("route", ROUTES)
async def test_what_has_changed_is_replaced(site: Site, tmp_path: Path, route: str) -> None:
    """A condition that does not hold brings the new rows, with their own validators, in the same request."""
    kept_at(site).rows = ROWS
    await land_one(kept(site, route), tmp_path)
    await grow_old(tmp_path)
    before = await manifest_of(tmp_path)
    kept_at(site).rows, kept_at(site).modified = MORE, "Wed, 02 Jan 2030 00:00:00 GMT"

    landed = await land_one(kept(site, route), tmp_path)

    after = await manifest_of(tmp_path)
    assert (landed.rows, len(read_rows(landed.path)), len(site.seen)) == (3, 3, 2)
    assert after.last_modified == kept_at(site).modified
    assert (after.etag != before.etag, after.landed_at > OLD) == (True, True)


async def test_a_server_without_validators_is_asked_for_all(site: Site, tmp_path: Path) -> None:
    """Where there is nothing to say what is landed by, it is fetched again."""
    kept_at(site).validators = ()
    await land_one(kept(site), tmp_path)
    await grow_old(tmp_path)

    landed = await land_one(kept(site), tmp_path)

    assert (asked_of(site, -1), landed.body_bytes > 0, (await manifest_of(tmp_path)).landed_at > OLD) == (
        {},
        True,
        True,
    )


async def test_fresh_asks_for_all(site: Site, tmp_path: Path) -> None:
    """With --fresh the rows are fetched again, whatever the server would say of them."""
    await land_one(kept(site), tmp_path)

    landed = await land_one(kept(site), tmp_path, fresh=True)

    assert (asked_of(site, -1), landed.body_bytes > 0) == ({}, True)


async def test_a_changed_request_asks_for_all(site: Site, tmp_path: Path) -> None:
    """A validator is that of one answer: another request has no use for it."""
    await land_one(kept(site), tmp_path)

    await land_one(kept(site, params={"order": "id"}), tmp_path)

    assert asked_of(site, -1) == {}


async def test_several_pages_are_asked_for_again(site: Site, tmp_path: Path) -> None:
    """That the first page has not changed says nothing of the others."""
    source = api(site, "/items", **DAILY)
    await land_one(source, tmp_path)
    await grow_old(tmp_path)

    landed = await land_one(source, tmp_path)

    assert (landed.requests, asked_of(site, -3), (await manifest_of(tmp_path)).etag) == (3, {}, None)


@pytest.mark.parametrize(
    ("pagination", "is_validated"),
    [
        ({"kind": "single"}, True),
        ({"kind": "page"}, True),
        ({"kind": "page", "pages_at": "pages"}, True),
        ({"kind": "page", "pages_header": "X-Pages"}, False),
        ({"kind": "page", "size": 2, "total_header": "X-Total"}, False),
        ({"kind": "offset", "size": 2}, True),
        ({"kind": "offset", "size": 2, "total_header": "X-Total"}, False),
        ({"kind": "cursor", "cursor_at": "next"}, True),
        ({"kind": "cursor", "cursor_header": "X-Next"}, False),
        ({"kind": "next_url", "next_at": "next"}, True),
        ({"kind": "link_header"}, False),
        ({"kind": "keyset", "value_at": "id", "param": "after"}, True),
    ],
)
def test_a_body_speaks_for_further_pages_where_no_header_does(
    site: Site, pagination: dict[str, Any], is_validated: bool
) -> None:
    """Only then does an unchanged first page mean that there are no others."""
    assert is_validated_by_body(api(site, "/kept", pagination=pagination)) == is_validated


def test_a_header_speaks_for_the_pages_of_any_numbered_kind() -> None:
    """Also for one's own, which has a key for the header of a number of pages."""

    class LetteredPagination(NumberedPagination):
        pages_header: str | None = None

        def number(self, index: int) -> int:
            return ord("a") + index

    of = {"kind": "lettered", "param": "page", "start": 1}

    assert not LetteredPagination.model_validate(of).reads_headers
    assert LetteredPagination.model_validate(of | {"pages_header": "X-Pages"}).reads_headers


async def test_a_page_that_a_header_tells_of_is_not_missed(site: Site, tmp_path: Path) -> None:
    """Where a header says how many pages there are, an unchanged first page may have got a second."""
    source = api(
        site,
        "/kept-with-pages-in-header",
        pagination={"kind": "page", "pages_header": "X-Pages"},
        records_at=None,
        **DAILY,
    )
    kept_at(site).rows = ROWS[:1]
    await land_one(source, tmp_path)
    await grow_old(tmp_path)
    kept_at(site).rows = ROWS

    landed = await land_one(source, tmp_path)

    assert (read_rows(landed.path), asked_of(site, 1)) == (ROWS, {})


@pytest.mark.parametrize("etag", ['"\xe9"', ""])
async def test_a_validator_that_no_header_can_carry_is_none(site: Site, tmp_path: Path, etag: str) -> None:
    """What a server sends is not always what it can be sent."""
    kept_at(site).validators = ("ETag",)
    kept_at(site).etag = etag
    await land_one(kept(site), tmp_path)
    await grow_old(tmp_path)

    landed = await land_one(kept(site), tmp_path)

    assert ((await manifest_of(tmp_path)).etag, asked_of(site, -1), landed.requests) == (None, {}, 1)


async def test_what_is_not_whole_is_not_asked_for_on_condition(site: Site, tmp_path: Path) -> None:
    """A file that was damaged since is no reason for a 304."""
    kept_at(site).rows = ROWS
    landed = await land_one(kept(site), tmp_path)
    await asyncio.to_thread(landed.path.write_bytes, b"")

    await land_one(kept(site), tmp_path)

    assert (asked_of(site, -1), read_rows(landed.path)) == ({}, ROWS)
    assert await asyncio.to_thread(manifest_path(landed.path).exists)


async def test_what_was_landed_later_than_now_is_fetched_again_and_told_of(site: Site, tmp_path: Path) -> None:
    """A clock that was wrong would have refresh wait for its time; the run says so once, and then all is well."""
    kept_at(site).rows = ROWS
    await land_one(kept(site), tmp_path)
    await grow_old(tmp_path, "2999-01-01T00:00:00+00:00")

    landed = await land_one(kept(site), tmp_path)

    assert read_rows(landed.path) == ROWS
    (warning,) = landed.warnings
    assert warning.startswith("it was landed at 2999-01-01T00:00:00+00:00, which is later than now")
    assert (await land_one(kept(site), tmp_path)).warnings == ()
